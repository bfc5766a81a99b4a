import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { SCHEMA_FILE } from "../../tools/schema";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "lbshield-schema-"));
});
afterAll(() => {
  rmSync(home, { recursive: true });
});

/** What `pulumi schema check` says of a schema, without the network. */
function check(file: string): Promise<{ code: number; text: string }> {
  const env = { ...process.env, HOME: home, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "1", NO_COLOR: "1" };
  return new Promise((done) => {
    execFile("unshare", ["-n", "pulumi", "schema", "check", file], { cwd: home, env }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code), text: `${stdout}${stderr}` });
    });
  });
}

test("the Pulumi CLI finds no error and nothing to warn of in schema.json", async () => {
  expect(await check(SCHEMA_FILE)).toEqual({ code: 0, text: "" });
});

test("its check is one: it refuses a type that is not there", async () => {
  const broken = join(home, "broken.json");
  const types = "#/types/lbshield:index:";
  writeFileSync(broken, readFileSync(SCHEMA_FILE, "utf8").replace(`${types}SynproxyRuleMatch`, `${types}Nothing`));
  const { code, text } = await check(broken);
  expect(code).not.toBe(0);
  expect(text).toContain("lbshield:index:Nothing");
});
