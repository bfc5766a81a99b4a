import { canonicalValue, sysctl, sysctlPath, sysctlServes } from "../../../../provider/kernel/sysctl/sysctl";

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

test("a key's dots are the folders of /proc/sys", () => {
  expect(sysctlPath("net.netfilter.nf_conntrack_tcp_loose")).toBe("/proc/sys/net/netfilter/nf_conntrack_tcp_loose");
});

test.each([
  ["1\n", "1"],
  ["4096\t131072\t6291456\n", "4096 131072 6291456"],
  [" a   b ", "a b"],
])("the kernel's %j is read as %j", (text, value) => {
  expect(canonicalValue(text)).toBe(value);
});
