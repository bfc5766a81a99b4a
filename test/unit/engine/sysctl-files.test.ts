import { SysctlFiles } from "../../../provider/engine/sysctl-files";

const files = (...lines: string[]) => new SysctlFiles(lines);
const KEY = "net.ipv4.tcp_syncookies";

test.each<[string, string[], { file: string; value: string } | undefined]>([
  ["nobody says anything", [], undefined],
  ["one says it", ["/etc/sysctl.d/a.conf:net.ipv4.tcp_syncookies=0"], { file: "/etc/sysctl.d/a.conf", value: "0" }],
  [
    "the later name wins, whatever its folder",
    ["/etc/sysctl.d/10-a.conf:net.ipv4.tcp_syncookies = 0", "/usr/lib/sysctl.d/50-b.conf:net.ipv4.tcp_syncookies = 2"],
    { file: "/usr/lib/sysctl.d/50-b.conf", value: "2" },
  ],
  [
    "of one name, the administrator's is read",
    ["/usr/lib/sysctl.d/50-b.conf:net.ipv4.tcp_syncookies=2", "/etc/sysctl.d/50-b.conf:net.ipv4.tcp_sack=1"],
    undefined,
  ],
  [
    "sysctl.conf is read as 99-sysctl.conf",
    ["/etc/sysctl.conf:net.ipv4.tcp_syncookies=1", "/etc/sysctl.d/60-x.conf:net.ipv4.tcp_syncookies=0"],
    { file: "/etc/sysctl.conf", value: "1" },
  ],
  [
    "slashes, a minus, and the last of two lines",
    ["/etc/sysctl.d/a.conf:-net/ipv4/tcp_syncookies = 0", "/etc/sysctl.d/a.conf:net.ipv4.tcp_syncookies = 2"],
    { file: "/etc/sysctl.d/a.conf", value: "2" },
  ],
  ["a pattern", ["/etc/sysctl.d/a.conf:net.ipv4.*_syncookies = 0"], { file: "/etc/sysctl.d/a.conf", value: "0" }],
  ["a pattern stays within a part", ["/etc/sysctl.d/a.conf:net.*_syncookies = 0"], undefined],
])("%s", (_name, lines, found) => {
  const other = files(...lines).of(KEY);
  expect(other && { file: other.file, value: other.value }).toEqual(found);
});

test("an interface with a dot in its name", () => {
  const some = files("/etc/sysctl.d/a.conf:net/ipv4/conf/eth0.100/rp_filter = 2");
  expect(some.of("net.ipv4.conf.eth0/100.rp_filter")?.value).toBe("2");
});
