/** What `npm install pulumi-lbshield` brings into an empty folder, and that it is enough. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../..");
const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"];

let folder: string;

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { cwd: folder, encoding: "utf8", timeout: 110_000, stdio: ["ignore", "pipe", "pipe"] });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lbshield-pack-"));
  // --ignore-scripts: dist is built already, and other tests may be using it.
  run("npm", "pack", root, "--ignore-scripts", "--loglevel=error");
  writeFileSync(join(folder, "package.json"), '{ "name": "shop", "private": true }');
  const tarball = readdirSync(folder).find((file) => file.endsWith(".tgz")) ?? "";
  const { version } = JSON.parse(
    run("node", "-p", `JSON.stringify(require("${root}/node_modules/@pulumi/pulumi/package.json"))`),
  ) as { version: string };
  run("npm", "install", ...quiet, `./${tarball}`, `@pulumi/pulumi@${version}`, "typescript@6.0.3", "@types/node@22");
}, 120_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("the package has what it needs, and no more", () => {
  const files = readdirSync(join(folder, "node_modules/pulumi-lbshield"), { recursive: true }).map(String);
  expect(files).toEqual(
    expect.arrayContaining([
      "LICENSE",
      "README.md",
      "schema.json",
      "dist/provider/index.js",
      "dist/sdk/nodejs/index.d.ts",
    ]),
  );
  expect(files.filter((file) => /(^|\/)(test|tools|examples|\.ci)(\/|$)/.test(file))).toEqual([]);
});

test("both entry points load", () => {
  expect(run("node", "-p", 'Object.keys(require("pulumi-lbshield")).sort().join()')).toBe(
    "ConntrackTuning,Host,LoadBalancer,RuleSyntaxError,SynproxyRule\n",
  );
  expect(run("node", "-p", 'typeof require("pulumi-lbshield/provider").get("SynproxyRule").create')).toBe("function\n");
});

test("a strict program type-checks against it, and a wrong one does not", () => {
  const program = (options: string) => `
import * as lbshield from "pulumi-lbshield";
const lb1 = new lbshield.Host("lb1", { connection: { host: "lb1.example.net", user: "root" } });
new lbshield.ConntrackTuning("conntrack", { host: lb1, tcpLoose: false, timeouts: { tcpEstablished: "5d" } });
export const lines = new lbshield.SynproxyRule("web", {
  host: lb1, chain: "input", match: { destinations: ["203.0.113.10"], ports: [80, "8000-8080"] }, options: ${options},
}).nft;`;
  const check = () =>
    run(
      "node_modules/.bin/tsc",
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2022",
      "--types",
      "node",
      "index.ts",
    );
  writeFileSync(join(folder, "index.ts"), program("{ mss: 1460, timestamp: true }"));
  expect(check()).toBe("");
  writeFileSync(join(folder, "index.ts"), program('{ mss: "large" }'));
  expect(check).toThrow(/Command failed/);
});
