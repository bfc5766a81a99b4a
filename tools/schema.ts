/**
 * Writes schema.json from the models: `npm run schema`. With --check it writes nothing and exits 1 when the file is
 * stale. It reads the doc comments, so it needs the sources, not only what is compiled.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { packageSpec } from "./schema/package";

/** What schema.json should be. */
export const schemaText = (): string => `${JSON.stringify(packageSpec(ROOT), null, 2)}\n`;

/** The same from tools/ and, compiled, from dist/tools/. */
const rootAbove = (folder: string): string =>
  existsSync(join(folder, "package.json")) ? folder : rootAbove(dirname(folder));

const ROOT = rootAbove(__dirname);
export const SCHEMA_FILE = join(ROOT, "schema.json");

function main(args: readonly string[]): void {
  const text = schemaText();
  if (!args.includes("--check")) writeFileSync(SCHEMA_FILE, text);
  else if (!existsSync(SCHEMA_FILE) || readFileSync(SCHEMA_FILE, "utf8") !== text) {
    console.error("schema.json is not what the models say: npm run build && npm run schema");
    process.exitCode = 1;
  }
}

if (require.main === module) main(process.argv.slice(2));
