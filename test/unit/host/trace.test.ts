import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { traceDial, traced } from "../../../provider/host/trace";

const folder = mkdtempSync(join(tmpdir(), "lbshield-trace-"));
const file = join(folder, "trace");
const { LBSHIELD_TRACE } = process.env;
afterAll(() => {
  if (LBSHIELD_TRACE === undefined) delete process.env.LBSHIELD_TRACE;
  else process.env.LBSHIELD_TRACE = LBSHIELD_TRACE;
  rmSync(folder, { recursive: true });
});

const reply = { code: 71, stdout: "secret", stderr: "more" };

test.each([undefined, ""])("nothing is traced unless a file is named: %p", async (name) => {
  if (name === undefined) delete process.env.LBSHIELD_TRACE;
  else process.env.LBSHIELD_TRACE = name;
  expect(await traced("lb1", "look", 5, Promise.resolve(reply))).toBe(reply);
  traceDial("lb1", Date.now(), "opened");
});

test("a line is written for each script and each dial, of lengths and times, and only for us to read", async () => {
  process.env.LBSHIELD_TRACE = file;
  expect(await traced("lb1", "apply", 1234, Promise.resolve(reply))).toBe(reply);
  await expect(traced("lb1", "confirm", 56, Promise.reject(new Error("lost")))).rejects.toThrow("lost");
  traceDial("lb1", Date.now() - 1000, "opened");
  const lines = readFileSync(file, "utf8").split("\n");
  expect(lines.map((line) => line.split("\t").slice(1))).toEqual([
    ["lb1", "apply", "exit 71, 10 B back", expect.stringMatching(/^[0-9.]+ ms$/), "1234 B sent"],
    ["lb1", "confirm", "lost", expect.stringMatching(/^[0-9.]+ ms$/), "56 B sent"],
    ["lb1", "dial", "opened", expect.stringMatching(/^1[0-9]{3} ms$/)],
    [],
  ]);
  for (const line of lines.slice(0, -1)) expect(Date.parse(line.split("\t")[0] ?? "")).toBeGreaterThan(0);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});
