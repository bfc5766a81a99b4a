import { compile } from "../../../../provider/resources/conntrack-tuning/compile";
import { decompile } from "../../../../provider/resources/conntrack-tuning/decompile";
import { TIMEOUTS, VALUES } from "../../../../provider/resources/conntrack-tuning/keys";
import { type ConntrackTuningArgs, conntrackTuning } from "../../../../provider/resources/conntrack-tuning/model";

const values = (args: ConntrackTuningArgs) =>
  compile("k/a/b/c/", conntrackTuning.parse(args)).wanted.map(({ object, shared }) =>
    object.kind === "sysctl" && shared ? `${object.key}=${object.value}` : object,
  );

test.each<[ConntrackTuningArgs, string]>([
  [{ tcpLoose: false }, "net.netfilter.nf_conntrack_tcp_loose=0"],
  [{ tcpLoose: true }, "net.netfilter.nf_conntrack_tcp_loose=1"],
  [{ tcpBeLiberal: true }, "net.netfilter.nf_conntrack_tcp_be_liberal=1"],
  [{ accounting: true }, "net.netfilter.nf_conntrack_acct=1"],
  [{ logInvalid: "off" }, "net.netfilter.nf_conntrack_log_invalid=0"],
  [{ logInvalid: "all" }, "net.netfilter.nf_conntrack_log_invalid=255"],
  [{ logInvalid: "icmp" }, "net.netfilter.nf_conntrack_log_invalid=1"],
  [{ logInvalid: "tcp" }, "net.netfilter.nf_conntrack_log_invalid=6"],
  [{ logInvalid: "udp" }, "net.netfilter.nf_conntrack_log_invalid=17"],
  [{ logInvalid: "icmpv6" }, "net.netfilter.nf_conntrack_log_invalid=58"],
  [{ logInvalid: "sctp" }, "net.netfilter.nf_conntrack_log_invalid=132"],
  [{ synCookies: false }, "net.ipv4.tcp_syncookies=0"],
  [{ synCookies: "always" }, "net.ipv4.tcp_syncookies=2"],
  [{ timestamps: "noOffset" }, "net.ipv4.tcp_timestamps=2"],
  [{ timeouts: { tcpEstablished: "5d" } }, "net.netfilter.nf_conntrack_tcp_timeout_established=432000"],
  [{ timeouts: { udpStream: 120 } }, "net.netfilter.nf_conntrack_udp_timeout_stream=120"],
])("%j is the value %s, shared with whoever wants it too", (args, expected) => {
  expect(values(args)).toEqual([expected]);
});

test("only what is named is claimed", () => {
  expect(values({ tcpLoose: false, timeouts: { udp: 30, icmp: "1m" } })).toHaveLength(3);
});

test("every property has a key of its own, and the model has every timeout", () => {
  const timeouts = Object.fromEntries(Object.keys(TIMEOUTS).map((name) => [name, 7]));
  const wanted = values({ timeouts });
  expect(wanted).toHaveLength(Object.keys(TIMEOUTS).length);
  const keys = [...Object.values(VALUES).map((v) => v.key), ...wanted.map(String)];
  expect(new Set(keys).size).toBe(keys.length);
});

describe("read back", () => {
  test.each([
    ["a number that no argument gives is left out", { "net.ipv4.tcp_syncookies": "7" }, {}],
    ["one that is no number too", { "net.netfilter.nf_conntrack_udp_timeout": "-1" }, {}],
    [
      "others stay",
      { "net.netfilter.nf_conntrack_tcp_loose": "1", "net.ipv4.tcp_syncookies": "7" },
      { tcpLoose: true },
    ],
    ["timeouts are seconds", { "net.netfilter.nf_conntrack_udp_timeout": "30" }, { timeouts: { udp: 30 } }],
    ["keys that are not ours are nothing", { "net.ipv4.ip_forward": "1" }, {}],
  ])("%s", (_name, found, expected) => {
    expect(decompile("k/a/b/c/", new Map(Object.entries(found)))).toEqual(expected);
  });
});
