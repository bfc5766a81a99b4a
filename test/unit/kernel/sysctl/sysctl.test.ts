import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { canonicalValue, sysctl, sysctlPath, sysctlServes, valueStep } from "../../../../provider/kernel/sysctl/sysctl";

test.each([
  ["1", true],
  ["2", true],
  ["0", false],
  ["", false],
  [undefined, false],
])("a claim of 1 that accepts 2 is served by %p: %p", (value, serves) => {
  expect(sysctlServes(sysctl("net.ipv4.tcp_syncookies", 1, 2), value)).toBe(serves);
});

test("a claim that accepts nothing else is served by its value alone", () => {
  expect(sysctl("k", 7)).toEqual({ kind: "sysctl", key: "k", value: "7" });
  expect(sysctlServes(sysctl("k", 7), "7")).toBe(true);
  expect(sysctlServes(sysctl("k", 7), "70")).toBe(false);
});

test.each([
  ["net.netfilter.nf_conntrack_tcp_loose", "/proc/sys/net/netfilter/nf_conntrack_tcp_loose"],
  ["net.ipv4.conf.eth0/100.rp_filter", "/proc/sys/net/ipv4/conf/eth0.100/rp_filter"],
  ["/sys/module/nf_conntrack/parameters/hashsize", "/sys/module/nf_conntrack/parameters/hashsize"],
])("%s is the file %s", (key, path) => {
  expect(sysctlPath(key)).toBe(path);
});

test.each([
  ["1\n", "1"],
  ["4096\t131072\t6291456\n", "4096 131072 6291456"],
  [" a   b ", "a b"],
])("the kernel's %j is read as %j", (text, value) => {
  expect(canonicalValue(text)).toBe(value);
});

describe("writing a value", () => {
  const folder = mkdtempSync(join(tmpdir(), "lbshield-value-"));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, "some value");
  const sh = (script: string) => {
    const { status, stderr } = spawnSync("sh", ["-c", script], {
      env: { ...process.env, LBS: folder },
      encoding: "utf8",
    });
    return { status, stderr };
  };
  const { run, back } = valueStep({ key: file, from: "10 20", to: "11 21" });
  const DONE = { status: 0, stderr: "" };

  test.each([
    ["is written", run, "10\t20\n", "11 21"],
    ["is written over whatever is there", run, "7\n", "11 21"],
    ["is put back", back, "11\t21\n", "10 20"],
    ["is put back over whatever is there", back, "7\n", "10 20"],
    ["that was not written yet is left alone", back, "10\t20\n", "10\t20\n"],
  ])("one %s", (_name, script, before, after) => {
    writeFileSync(file, before);
    expect(sh(script)).toEqual(DONE);
    expect(readFileSync(file, "utf8")).toBe(after);
  });

  test("one that is refused is told in the kernel's words alone", () => {
    const refused = valueStep({ key: folder, from: "1", to: "2" });
    expect(sh(refused.run)).toEqual({ status: 1, stderr: "Is a directory\n" });
    expect(sh(refused.back).status).not.toBe(0);
  });
});
