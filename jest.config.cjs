"use strict";

/** One folder of test/ is one project. tools/test.sh says which may share the machine. */
const project = (name) => ({
  displayName: name,
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  testEnvironment: "node",
  // Types are checked by `npm run typecheck`; here they are only taken off.
  transform: {
    "\\.ts$": [
      "@swc/jest",
      {
        jsc: { parser: { syntax: "typescript" }, target: "es2023" },
        module: { type: "commonjs" },
        sourceMaps: "inline",
      },
    ],
  },
  // Tests import what users import, and get the sources.
  moduleNameMapper: {
    "^pulumi-lbshield$": "<rootDir>/sdk/nodejs/index.ts",
    "^pulumi-lbshield/provider$": "<rootDir>/provider/index.ts",
  },
  modulePathIgnorePatterns: ["<rootDir>/dist/"],
});

module.exports = {
  projects: ["unit", "laws", "netns", "vm", "e2e", "pack"].map(project),
  testTimeout: 120_000, // Jest takes it here only, not per project; an `up` on a busy machine is what needs it
  reporters: ["default", "<rootDir>/test/support/summary-reporter.cjs"],
};
