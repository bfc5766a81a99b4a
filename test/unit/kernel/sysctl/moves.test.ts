import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { absentRemedy, isSysctlKey, refusedRemedy } from "../../../../provider/kernel/sysctl/remedy";
import { movesWith, valueStep, widestFirst } from "../../../../provider/kernel/sysctl/sysctl";

const FORWARD = "net.ipv4.ip_forward";
const conf = (name: string, value = "rp_filter", family = "ipv4") => `net.${family}.conf.${name}.${value}`;

test.each([
  [conf("eth0"), conf("default"), true],
  [conf("eth0/100"), conf("all"), true],
  [conf("eth0"), conf("eth1"), false],
  [conf("default"), conf("default"), false],
  [conf("eth0"), conf("default", "forwarding"), false],
  [conf("eth0", "forwarding", "ipv6"), conf("all", "forwarding", "ipv6"), true],
  [conf("eth0", "forwarding", "ipv6"), conf("all", "forwarding"), false],
  [conf("eth0", "forwarding"), FORWARD, true],
  [conf("all", "forwarding"), FORWARD, true],
  [FORWARD, conf("all", "forwarding"), true],
  [conf("all", "accept_redirects"), FORWARD, true],
  [conf("eth0", "accept_redirects"), FORWARD, false],
  [FORWARD, FORWARD, false],
  ["net.ipv4.tcp_sack", FORWARD, false],
])("the kernel changes %s when %s is written: %s", (key, written, moves) => {
  expect(movesWith(key, written)).toBe(moves);
});

test("what moves others is written before them", () => {
  const keys = [conf("eth0"), "net.ipv4.tcp_sack", conf("default"), conf("all"), FORWARD];
  const writes = keys.map((key) => ({ key, from: "0", to: "1" }));
  expect(writes.toSorted(widestFirst).map((w) => w.key)).toEqual([
    conf("all"),
    FORWARD,
    conf("default"),
    conf("eth0"),
    "net.ipv4.tcp_sack",
  ]);
});

describe("a value that needs memory", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lbshield-sysctl-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const write = (bytes: number) => {
    const key = join(folder, "value");
    const { run } = valueStep({ key, from: "1", to: "2", memory: { bytes, of: "7 entries of it's size" } });
    const env = { ...process.env, LBS: folder };
    return { ...spawnSync("sh", ["-c", run], { env, encoding: "utf8" }), key };
  };

  test("is written where it fits", () => {
    const { status, key } = write(2 ** 20);
    expect([status, readFileSync(key, "utf8")]).toEqual([0, "2"]);
  });

  test("is refused where it does not, with the arithmetic", () => {
    const { status, stderr, key } = write(2 ** 50);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(
      /^7 entries of it's size take 1073741824 MiB, more than three quarters of the [0-9]+ MiB of memory that the host has$/m,
    );
    expect(() => readFileSync(key)).toThrow("no such file");
  });
});

test.each([
  ["net.a", true],
  ["kernel.ostype", true],
  ["/sys/module/m/parameters/p", true],
  ["module nf_conntrack", false],
  ["nft", false],
  ["conntrack", false],
])("%s names a value: %s", (id, is) => {
  expect(isSysctlKey(id)).toBe(is);
});

test.each([
  ["/sys/module/ip_vs/parameters/x", /modprobe ip_vs .* modinfo -p ip_vs .* x\?/],
  ["net.ipv4.conf.eth0/100.rp_filter", /an interface eth0\.100 on the host/],
  ["net.ipv4.conf.all.nothing", /sysctl -a/],
  ["net.ipv4.vs.conntrack", /ip_vs/],
  ["net.netfilter.nf_conntrack_dccp_loose", /nf_conntrack.*DCCP/],
  ["net.core.netdev_max_backlog", /network namespace/],
])("what to do when there is no %s", (key, remedy) => {
  expect(absentRemedy(key)).toMatch(remedy);
});

test.each([
  ["net.a", "Permission denied", /container or network namespace/],
  ["/sys/module/m/parameters/p", "Permission denied", /modprobe\.d/],
  ["/sys/module/m/parameters/p", "Read-only file system", /container or network namespace/],
  ["/sys/module/m/parameters/p", "printf: write error: Operation not supported", /network namespace/],
  ["net.a", "Invalid argument", /range/],
  ["net.a", "Cannot allocate memory", /lower/],
  ["net.a", "of memory that the host has", /memoryBudget/],
  ["net.a", "something else", /^undefined$/],
])("what to do when the kernel says of %s: %s", (key, said, remedy) => {
  expect(String(refusedRemedy(key, said))).toMatch(remedy);
});
