import { kernelModule } from "../../../../provider/kernel/module/module";
import { compile } from "../../../../provider/resources/conntrack-tuning/compile";
import { decompile } from "../../../../provider/resources/conntrack-tuning/decompile";
import { INTERFACE_VALUES, TIMEOUTS, VALUES, propertyOf } from "../../../../provider/resources/conntrack-tuning/keys";
import { type ConntrackTuningArgs, conntrackTuning } from "../../../../provider/resources/conntrack-tuning/model";

const wanted = (args: ConntrackTuningArgs) => compile("k/a/b/c/", conntrackTuning.parse(args)).wanted;

const values = (args: ConntrackTuningArgs) =>
  wanted(args).map(({ object, shared }) =>
    object.kind === "sysctl" && shared ? `${object.key}=${object.value}` : object,
  );

test.each<[ConntrackTuningArgs, string]>([
  [{ max: "1Mi" }, "net.netfilter.nf_conntrack_max=1048576"],
  [{ buckets: 262144 }, "net.netfilter.nf_conntrack_buckets=262144"],
  [{ expectMax: "4Ki" }, "net.netfilter.nf_conntrack_expect_max=4096"],
  [{ tcpLoose: false }, "net.netfilter.nf_conntrack_tcp_loose=0"],
  [{ tcpLoose: true }, "net.netfilter.nf_conntrack_tcp_loose=1"],
  [{ tcpBeLiberal: true }, "net.netfilter.nf_conntrack_tcp_be_liberal=1"],
  [{ tcpIgnoreInvalidRst: true }, "net.netfilter.nf_conntrack_tcp_ignore_invalid_rst=1"],
  [{ tcpMaxRetrans: 0 }, "net.netfilter.nf_conntrack_tcp_max_retrans=0"],
  [{ dccpLoose: false }, "net.netfilter.nf_conntrack_dccp_loose=0"],
  [{ accounting: true }, "net.netfilter.nf_conntrack_acct=1"],
  [{ flowTimestamps: true }, "net.netfilter.nf_conntrack_timestamp=1"],
  [{ events: "auto" }, "net.netfilter.nf_conntrack_events=2"],
  [{ events: false }, "net.netfilter.nf_conntrack_events=0"],
  [{ checksum: false }, "net.netfilter.nf_conntrack_checksum=0"],
  [{ helper: false }, "net.netfilter.nf_conntrack_helper=0"],
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
  [{ sack: false }, "net.ipv4.tcp_sack=0"],
  [{ ecn: "incoming" }, "net.ipv4.tcp_ecn=2"],
  [{ windowScaling: true }, "net.ipv4.tcp_window_scaling=1"],
  [{ maxSynBacklog: "64Ki" }, "net.ipv4.tcp_max_syn_backlog=65536"],
  [{ somaxconn: 65535 }, "net.core.somaxconn=65535"],
  [{ synackRetries: 2 }, "net.ipv4.tcp_synack_retries=2"],
  [{ ipNonlocalBind: true }, "net.ipv4.ip_nonlocal_bind=1"],
  [{ interfaces: { eth0: { rpFilter: "loose" } } }, "net.ipv4.conf.eth0.rp_filter=2"],
  [{ interfaces: { all: { rpFilter: "off" } } }, "net.ipv4.conf.all.rp_filter=0"],
  [{ interfaces: { "eth0.100": { routeLocalnet: true } } }, "net.ipv4.conf.eth0/100.route_localnet=1"],
  [{ interfaces: { lo: { arpIgnore: 1 } } }, "net.ipv4.conf.lo.arp_ignore=1"],
  [{ timeouts: { tcpEstablished: "5d" } }, "net.netfilter.nf_conntrack_tcp_timeout_established=432000"],
  [{ timeouts: { udpStream: 120 } }, "net.netfilter.nf_conntrack_udp_timeout_stream=120"],
  [{ timeouts: { flowtableTcp: "1m" } }, "net.netfilter.nf_flowtable_tcp_timeout=60"],
  [{ extra: { "net.ipv4.tcp_fin_timeout": 30 } }, "net.ipv4.tcp_fin_timeout=30"],
  [{ extra: { "net.ipv4.ip_local_port_range": "10000\t60999" } }, "net.ipv4.ip_local_port_range=10000 60999"],
])("%j is the value %s, shared with whoever wants it too", (args, expected) => {
  expect(values(args)).toEqual([expected]);
});

test("a parameter is a value of a module, which is loaded first", () => {
  expect(wanted({ modules: { ip_vs: {}, nf_conntrack: { acct: true, tstamp: "N", other: 7 } } })).toEqual(
    [
      { kind: "module", name: "ip_vs" },
      { kind: "module", name: "nf_conntrack" },
      { kind: "sysctl", key: "/sys/module/nf_conntrack/parameters/acct", value: "Y", accepts: ["1"] },
      { kind: "sysctl", key: "/sys/module/nf_conntrack/parameters/other", value: "7" },
      { kind: "sysctl", key: "/sys/module/nf_conntrack/parameters/tstamp", value: "N", accepts: ["0"] },
    ].map((object) => ({ object, shared: true })),
  );
});

test("only what is named is claimed", () => {
  expect(values({ tcpLoose: false, timeouts: { udp: 30, icmp: "1m" } })).toHaveLength(3);
});

test("what the kernel changes along with ip_forward is claimed as well, and any value of it will do", () => {
  const follows = { kind: "sysctl", key: "net.ipv4.conf.all.accept_redirects" };
  expect(wanted({ ipForward: true }).map((w) => w.object)[1]).toEqual({ ...follows, value: "0", accepts: ["1"] });
  expect(wanted({ ipForward: false }).map((w) => w.object)[1]).toEqual({ ...follows, value: "1", accepts: ["0"] });
  expect(values({ ipForward: true, interfaces: { all: { acceptRedirects: true } } })).toEqual([
    "net.ipv4.ip_forward=1",
    "net.ipv4.conf.all.accept_redirects=1",
  ]);
});

test("every property has a key of its own, and the model has every one", () => {
  const timeouts = Object.fromEntries(Object.keys(TIMEOUTS).map((name) => [name, 7]));
  const interfaceValues = Object.fromEntries(
    Object.entries(INTERFACE_VALUES).map(([name, value]) => [name, "words" in value ? [...value.words][0]?.[0] : 0]),
  );
  const own = Object.fromEntries(
    Object.entries(VALUES).map(([name, value]) => [name, "words" in value ? [...value.words][0]?.[0] : 7]),
  );
  const args = { ...own, timeouts, interfaces: { eth0: interfaceValues, all: { acceptRedirects: false } } };
  const all = values(args as ConntrackTuningArgs).map(String);
  const count = [TIMEOUTS, INTERFACE_VALUES, VALUES].flatMap((table) => Object.keys(table)).length + 1;
  expect(new Set(all.map((line) => line.split("=")[0])).size).toBe(count);
  expect(all).toHaveLength(count);
});

test.each([
  ["net.netfilter.nf_conntrack_max", "max"],
  ["net.nf_conntrack_max", "max"],
  ["net.netfilter.nf_conntrack_udp_timeout", "timeouts.udp"],
  ["net.ipv4.conf.all.forwarding", "ipForward"],
  ["net.ipv4.conf.eth0/100.rp_filter", 'interfaces["eth0.100"].rpFilter'],
  ["net.ipv6.conf.eth0.forwarding", undefined],
  ["net.ipv4.tcp_fin_timeout", undefined],
])("the key %s has the property %s", (key, property) => {
  expect(propertyOf(key)).toBe(property);
});

describe("read back", () => {
  const back = (
    found: Record<string, string>,
    declared: ConntrackTuningArgs = { tcpLoose: true },
    modules: readonly string[] = ["m"],
  ) => {
    const objects = new Map(modules.map((name) => [`module ${name}`, kernelModule(name)]));
    return decompile("k/a/b/c/", { sysctl: new Map(Object.entries(found)), objects }, conntrackTuning.parse(declared));
  };

  test.each([
    ["a number that no argument gives is left out", { "net.ipv4.tcp_syncookies": "7" }, {}],
    ["one that is no number too", { "net.netfilter.nf_conntrack_udp_timeout": "-1" }, {}],
    [
      "others stay",
      { "net.netfilter.nf_conntrack_tcp_loose": "1", "net.ipv4.tcp_syncookies": "7" },
      { tcpLoose: true },
    ],
    ["timeouts are seconds", { "net.netfilter.nf_conntrack_udp_timeout": "30" }, { timeouts: { udp: 30 } }],
    ["keys that are not ours are nothing", { "net.ipv4.ip_local_port_range": "1 2" }, {}],
    ["of interfaces only what is declared is told", { "net.ipv4.conf.eth0.rp_filter": "1" }, {}],
  ])("%s", (_name, found, expected) => {
    expect(back(found)).toEqual(expected);
  });

  const BUCKETS = "net.netfilter.nf_conntrack_buckets";
  const MAX = "net.netfilter.nf_conntrack_max";

  test.each(["100352", "106496"])(
    "buckets are as declared when the kernel has made whole pages of them: %s",
    (found) => {
      expect(back({ [BUCKETS]: found }, { buckets: 100_000 })).toEqual({ buckets: 100_352 });
    },
  );

  test("buckets that somebody else has set are told", () => {
    expect(back({ [BUCKETS]: "2048" }, { buckets: 100_000 })).toEqual({ buckets: 2048 });
  });

  test("a budget is a budget while the sizes are those that follow from it", () => {
    const memoryBudget = 512 * 2 ** 20;
    expect(back({ [BUCKETS]: "1818624", [MAX]: "1813504" }, { memoryBudget })).toEqual({ memoryBudget });
    expect(back({ [BUCKETS]: "1818624", [MAX]: "1000" }, { memoryBudget })).toEqual({
      memoryBudget,
      max: 1000,
      buckets: 1_813_504,
    });
  });

  test("a parameter is as declared when the kernel writes it otherwise, else as found", () => {
    const declared = { modules: { m: { flag: true, count: 7 } } };
    const parameters = (flag: string, count: string) => ({
      "/sys/module/m/parameters/flag": flag,
      "/sys/module/m/parameters/count": count,
    });
    expect(back(parameters("Y", "7"), declared)).toEqual({ modules: { m: { flag: true, count: 7 } } });
    expect(back(parameters("1", "8"), declared)).toEqual({ modules: { m: { flag: true, count: 8 } } });
    expect(back(parameters("N", "x"), declared)).toEqual({ modules: { m: { flag: "N", count: "x" } } });
  });

  test("a key that is gone is left out", () => {
    const declared = { extra: { "net.a": 1, "net.b": "2 3" }, interfaces: { eth0: { rpFilter: "loose" as const } } };
    expect(back({ "net.b": "2 3" }, declared)).toEqual({ extra: { "net.b": "2 3" } });
  });

  test("a module without parameters is told while it is there", () => {
    expect(back({}, { modules: { m: {} } })).toEqual({ modules: { m: {} } });
    expect(back({}, { modules: { m: {}, n: {} } })).toEqual({ modules: { m: {} } });
    expect(back({}, { modules: { m: {} } }, [])).toEqual({});
  });
});
