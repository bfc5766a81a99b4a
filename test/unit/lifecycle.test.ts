/** Law 8: what cannot be is an error at preview that names property, value and reason. No host is reached here. */
import { get } from "pulumi-lbshield/provider";

import { type Properties, UNKNOWN } from "../../provider/wire";

let hosts = 0;
/** A host that no other test has declared anything for. */
const newHost = () => ({ host: `lb${(++hosts).toString()}` });

async function check(type: "SynproxyRule" | "ConntrackTuning" | "LoadBalancer", args: Properties) {
  const checked = await get(type).check?.({}, { connection: newHost(), owner: "acme/prod/web", ...args });
  const failures = checked?.failures ?? [];
  return { inputs: checked?.inputs ?? {}, problems: failures.map((f) => f.reason) };
}

const MATCH = { destinations: ["192.0.2.1"], ports: [80] };
const checkRule = (args: Properties) => check("SynproxyRule", { chain: "input", match: MATCH, ...args });
const checkTuning = (args: Properties) => check("ConntrackTuning", args);
const checkBalancer = (args: Properties) => check("LoadBalancer", { owner: "acme/prod/lb1", ...args });
const match = (part: Properties): Properties => ({ match: { ...MATCH, ...part } });
const options = (part: Properties): Properties => ({ options: part });
const udp = (timeout: unknown): Properties => ({ timeouts: { udp: timeout } });

const PORT = "a port is a whole number from 1 to 65535, or a range like 8000-8080";
const MSS = "mss is a whole number from 88 to 65495";
const WSCALE = "wscale is a whole number from 0 to 14";
const NO_ADDRESS =
  "is not an address (203.0.113.10), a network (203.0.113.0/24) or a range (203.0.113.10-203.0.113.20)";
const NO_INTERFACE = "is not an interface name (no space, slash, colon, quote or wildcard)";
const TIMESTAMP = "needs timestamp: true, because a SYN cookie keeps it in the timestamp";
const CHAIN = 'chain is "input" (the address is the balancer\'s own) or "forward" (it is routed)';
const MATCH_SAYS = "match says which connections are protected: { destinations, ports, interfaces, sources }";
const DURATION = 'a duration is a number of seconds or a text like "90s", "2m", "1h30m" or "5d"';

describe("a SynproxyRule is refused with", () => {
  test.each<[string, Properties, string]>([
    ["wscale 15", options({ timestamp: true, wscale: 15 }), `options.wscale: 15: ${WSCALE}`],
    ["wscale 256", options({ timestamp: true, wscale: 256 }), `options.wscale: 256: ${WSCALE}`],
    ["wscale -1", options({ timestamp: true, wscale: -1 }), `options.wscale: -1: ${WSCALE}`],
    ["mss 70000", options({ mss: 70000 }), `options.mss: 70000: ${MSS}`],
    ["mss 87", options({ mss: 87 }), `options.mss: 87: ${MSS}`],
    ["mss 1460.5", options({ mss: 1460.5 }), `options.mss: 1460.5: ${MSS}`],
    ["mss as a text", options({ mss: "1460" }), `options.mss: "1460": ${MSS}`],
    ["mss null", options({ mss: null }), `options.mss: null: ${MSS}`],
    ["timestamp as a text", options({ timestamp: "yes" }), 'options.timestamp: "yes": timestamp is true or false'],
    ["wscale without timestamp", options({ wscale: 7 }), `options.wscale: 7: wscale ${TIMESTAMP}`],
    ["wscale 0 without timestamp", options({ wscale: 0 }), `options.wscale: 0: wscale ${TIMESTAMP}`],
    ["wscale and timestamp false", options({ wscale: 7, timestamp: false }), `options.wscale: 7: wscale ${TIMESTAMP}`],
    ["sackPerm without timestamp", options({ sackPerm: true }), `options.sackPerm: true: sackPerm ${TIMESTAMP}`],
    [
      "ecn",
      options({ ecn: true }),
      "options.ecn: SYNPROXY in nftables cannot offer ECN: nft has no word for it and the kernel refuses the flag (EOPNOTSUPP). Clients that ask for ECN are served without it",
    ],
    ["port 0", match({ ports: [0] }), `match.ports[0]: 0: ${PORT}`],
    ["port 65536", match({ ports: [80, 65536] }), `match.ports[1]: 65536: ${PORT}`],
    ["port -1", match({ ports: [-1] }), `match.ports[0]: -1: ${PORT}`],
    ["port 1.5", match({ ports: [1.5] }), `match.ports[0]: 1.5: ${PORT}`],
    ['port ""', match({ ports: [""] }), `match.ports[0]: "": ${PORT}`],
    ['port "80-"', match({ ports: ["80-"] }), `match.ports[0]: "80-": ${PORT}`],
    ['port "-80"', match({ ports: ["-80"] }), `match.ports[0]: "-80": ${PORT}`],
    ['port "0-80"', match({ ports: ["0-80"] }), `match.ports[0]: "0-80": ${PORT}`],
    ['port "80-65536"', match({ ports: ["80-65536"] }), `match.ports[0]: "80-65536": ${PORT}`],
    ['port "90-80"', match({ ports: ["90-80"] }), 'match.ports[0]: "90-80": the range ends before it begins'],
    ['port "http"', match({ ports: ["http"] }), `match.ports[0]: "http": ${PORT}`],
    ['port "80,443"', match({ ports: ["80,443"] }), `match.ports[0]: "80,443": ${PORT}`],
    ["port null", match({ ports: [null] }), `match.ports[0]: null: ${PORT}`],
    [
      "a network with host bits",
      match({ destinations: ["192.0.2.1/24"] }),
      'match.destinations[0]: "192.0.2.1/24": has host bits: the network is 192.0.2.0/24',
    ],
    [
      "an octet of 256",
      match({ destinations: ["192.0.2.256"] }),
      `match.destinations[0]: "192.0.2.256": ${NO_ADDRESS}`,
    ],
    ["an octal octet", match({ destinations: ["192.0.2.010"] }), `match.destinations[0]: "192.0.2.010": ${NO_ADDRESS}`],
    [
      "a host's name",
      match({ destinations: ["lb1.example.net"] }),
      `match.destinations[0]: "lb1.example.net": ${NO_ADDRESS}`,
    ],
    [
      "half a range of addresses",
      match({ destinations: ["192.0.2.1-9"] }),
      'match.destinations[0]: "192.0.2.1-9": is not a range of addresses (203.0.113.10-203.0.113.20)',
    ],
    [
      "an address with a space",
      match({ destinations: ["192.0.2.1 "] }),
      `match.destinations[0]: "192.0.2.1 ": ${NO_ADDRESS}`,
    ],
    [
      "a number as an address",
      match({ destinations: [5] }),
      "match.destinations[0]: 5: an address is a string like 203.0.113.10",
    ],
    [
      "an interface name of 16 characters",
      match({ interfaces: ["sixteen-letters0"] }),
      'match.interfaces[0]: "sixteen-letters0": is too long; the kernel takes interface names of at most 15 bytes',
    ],
    ['interface "eth*"', match({ interfaces: ["eth*"] }), `match.interfaces[0]: "eth*": ${NO_INTERFACE}`],
    ['interface "eth 0"', match({ interfaces: ["eth 0"] }), `match.interfaces[0]: "eth 0": ${NO_INTERFACE}`],
    ['interface "a/b"', match({ interfaces: ["a/b"] }), `match.interfaces[0]: "a/b": ${NO_INTERFACE}`],
    ['interface "eth0:1"', match({ interfaces: ["eth0:1"] }), `match.interfaces[0]: "eth0:1": ${NO_INTERFACE}`],
    ["an interface with a quote", match({ interfaces: ['a"b'] }), `match.interfaces[0]: "a\\"b": ${NO_INTERFACE}`],
    ['interface ".."', match({ interfaces: [".."] }), `match.interfaces[0]: "..": ${NO_INTERFACE}`],
    ["an interface without a name", match({ interfaces: [""] }), `match.interfaces[0]: "": ${NO_INTERFACE}`],
    [
      "a number as an interface",
      match({ interfaces: [7] }),
      "match.interfaces[0]: 7: an interface is named by a string like eth0",
    ],
    [
      "an empty list of destinations",
      match({ destinations: [] }),
      "match.destinations: []: an empty list would match nothing; leave destinations out to match all",
    ],
    [
      "one destination without a list",
      match({ destinations: "192.0.2.1" }),
      'match.destinations: "192.0.2.1": destinations is a list of addresses, networks and ranges',
    ],
    [
      "an empty list of ports",
      match({ ports: [] }),
      "match.ports: []: an empty list would match nothing; leave ports out to match all",
    ],
    ["one port without a list", match({ ports: 80 }), "match.ports: 80: ports is a list of ports and ranges"],
    [
      "an empty list of interfaces",
      match({ interfaces: [] }),
      "match.interfaces: []: an empty list would match nothing; leave interfaces out to match all",
    ],
    [
      "one interface without a list",
      match({ interfaces: "eth0" }),
      'match.interfaces: "eth0": interfaces is a list of interface names',
    ],
    ["no match", { match: undefined }, `match: is missing: ${MATCH_SAYS}`],
    ["match null", { match: null }, `match: null: ${MATCH_SAYS}`],
    ["match as a text", { match: "192.0.2.1:80" }, `match: "192.0.2.1:80": ${MATCH_SAYS}`],
    ["match as a list", { match: [] }, `match: a list: ${MATCH_SAYS}`],
    ['chain "output"', { chain: "output" }, `chain: "output": ${CHAIN}`],
    ["no chain", { chain: undefined }, `chain: is missing: ${CHAIN}`],
    ["an unknown property", { bananas: 1 }, 'has no property "bananas"'],
    ["an unknown property of match", match({ source: "10.0.0.1" }), 'match: has no property "source"'],
    ["unknown properties of options", options({ ttl: 1, tos: 2 }), 'options: has no property "ttl", "tos"'],
  ])("%s", async (_name, args, message) => {
    expect((await checkRule(args)).problems).toEqual([message]);
  });
});

describe("a ConntrackTuning is refused with", () => {
  const range = (given: string) => `timeouts.udp: ${given}: the kernel takes 1 to 2147483 s here`;
  test.each<[string, Properties, string]>([
    ["nothing in it", {}, "nothing is tuned: give at least one value"],
    ["no timeout among its timeouts", { timeouts: {} }, "nothing is tuned: give at least one value"],
    ['duration "5x"', udp("5x"), `timeouts.udp: "5x": ${DURATION}`],
    ['duration ""', udp(""), `timeouts.udp: "": ${DURATION}`],
    ['duration "5 d"', udp("5 d"), `timeouts.udp: "5 d": ${DURATION}`],
    ['duration "1h30"', udp("1h30"), `timeouts.udp: "1h30": ${DURATION}`],
    ['duration "1.5h"', udp("1.5h"), `timeouts.udp: "1.5h": ${DURATION}`],
    ['duration "-5s"', udp("-5s"), `timeouts.udp: "-5s": ${DURATION}`],
    ["duration 1.5", udp(1.5), `timeouts.udp: 1.5: ${DURATION}`],
    ["duration true", udp(true), `timeouts.udp: true: ${DURATION}`],
    ["duration null", udp(null), `timeouts.udp: null: ${DURATION}`],
    ["duration -1", udp(-1), range("-1")],
    ["duration 0", udp(0), range("0")],
    ['duration "0s"', udp("0s"), range('"0s"')],
    ['duration "30d", which is too long', udp("30d"), range('"30d"')],
    ["one second too many", udp(2_147_484), range("2147484")],
    ["a timeout that there is none of", { tcpLoose: false, timeouts: { upd: 30 } }, 'timeouts: has no property "upd"'],
    ["a property that there is none of", { tcpLoose: false, tcpLose: false }, 'has no property "tcpLose"'],
    [
      "timeouts as a text",
      { timeouts: "5d" },
      'timeouts: "5d": timeouts is an object such as { tcpEstablished: "5d" }',
    ],
    ["tcpLoose as a number", { tcpLoose: 0 }, "tcpLoose: 0: tcpLoose is true or false"],
    [
      'logInvalid "dns"',
      { logInvalid: "dns" },
      'logInvalid: "dns": logInvalid is one of off, all, icmp, tcp, udp, dccp, gre, icmpv6, sctp, udplite',
    ],
    ["synCookies as a number", { synCookies: 2 }, 'synCookies: 2: synCookies is true, false or "always"'],
    ['timestamps "always"', { timestamps: "always" }, 'timestamps: "always": timestamps is true, false or "noOffset"'],
  ])("%s", async (_name, args, message) => {
    expect((await checkTuning(args)).problems).toEqual([message]);
  });
});

describe("a connection is refused", () => {
  const to = (part: Properties) => checkTuning({ tcpLoose: false, connection: { ...newHost(), ...part } });
  const PORT_22 = "port is a whole number from 1 to 65535";

  test.each<[string, Properties, string]>([
    ["without host", { host: undefined }, "connection.host: is missing: host is a text"],
    ["with an empty host", { host: "" }, 'connection.host: "": host is empty'],
    ["with port as a text", { port: "22" }, `connection.port: "22": ${PORT_22}`],
    ["with port 0", { port: 0 }, `connection.port: 0: ${PORT_22}`],
    ["with port 65536", { port: 65536 }, `connection.port: 65536: ${PORT_22}`],
    ["with an empty user", { user: "" }, 'connection.user: "": user is empty'],
    ["with a hostKey that is no text", { hostKey: 5 }, "connection.hostKey: 5: hostKey is a text"],
    [
      "with dialErrorLimit -2",
      { dialErrorLimit: -2 },
      "connection.dialErrorLimit: -2: dialErrorLimit is a whole number from -1 to 1000",
    ],
    [
      "with perDialTimeout -1",
      { perDialTimeout: -1 },
      "connection.perDialTimeout: -1: perDialTimeout is a whole number from 0 to 3600",
    ],
    ["with a property of another name", { hostname: "lb1" }, 'connection: has no property "hostname"'],
    ["with a bastion without host", { proxy: {} }, "connection.proxy.host: is missing: host is a text"],
    [
      "with a bastion that is a text",
      { proxy: "bastion" },
      'connection.proxy: "bastion": proxy is the connection of a bastion: { host, user, ... }',
    ],
    [
      "with a secret that is no text, on a bastion behind a bastion",
      { proxy: { host: "b", proxy: { host: "c", password: 1234 } } },
      "connection.proxy.proxy.password: [secret]: password is a text",
    ],
  ])("%s", async (_name, connection, message) => {
    expect((await to(connection)).problems).toEqual([message]);
  });

  test("when there is none", async () => {
    expect((await checkTuning({ tcpLoose: false, connection: undefined })).problems).toEqual([
      'connection: is missing: a connection is an object such as { host: "lb1.example.net", user: "root" }',
    ]);
  });
});

describe("every problem is told at once", () => {
  test("of a rule and of its connection", async () => {
    const { problems } = await checkRule({
      chain: "output",
      match: {
        destinations: ["a", "192.0.2.1", "2001:db8::1/64"],
        ports: [0, "90-80"],
        interfaces: ["eth*"],
        cheese: 1,
      },
      options: { mss: 1, wscale: 15, timestamp: true },
      bananas: 1,
      connection: { port: "22", privateKey: 5 },
    });
    expect(problems.map((p) => p.slice(0, p.indexOf(":")))).toEqual([
      "chain",
      "match.destinations[0]",
      "match.destinations[2]",
      "match.ports[0]",
      "match.ports[1]",
      "match.interfaces[0]",
      "match",
      "options.mss",
      "options.wscale",
      'has no property "bananas"'.slice(0, -1),
      "connection.host",
      "connection.port",
      "connection.privateKey",
    ]);
  });

  test("of options that need timestamp", async () => {
    expect((await checkRule(options({ wscale: 7, sackPerm: true }))).problems).toHaveLength(2);
  });

  test("of a tuning", async () => {
    expect(
      (await checkTuning({ tcpLoose: 1, timeouts: { udp: "5x", icmp: 0, upd: 3 }, bananas: 2 })).problems,
    ).toHaveLength(5);
  });
});

describe("what is good", () => {
  test("takes its canonical form, and shows the lines that the host will have", async () => {
    const connection = newHost();
    const given = { connection, owner: "acme/prod/web", __provider: "shim", chain: "input" };
    const { inputs, problems } = await checkRule({
      ...given,
      match: { destinations: ["192.0.2.2", "192.0.2.1", "192.0.2.2"], ports: ["443", 80, "8000-8010"] },
      nft: null,
      sysctl: null,
    });
    expect(problems).toEqual([]);
    const { nft, sysctl, ...own } = inputs;
    expect(own).toEqual({
      ...given,
      match: { destinations: ["192.0.2.1", "192.0.2.2"], ports: [80, 443, "8000-8010"] },
      options: { mss: 1460, timestamp: false, sackPerm: false },
    });
    expect(nft).toMatchObject({
      "table inet lbshield":
        "layout input4, input4-range, mark=0x10000000, own4, own4-range, prerouting4, prerouting4-range, protected4",
      "chain synproxy/acme/prod/web/input": "synproxy mss 1460; drop",
      "element input4-range { 192.0.2.2 . 8000-8010 }": "goto synproxy/acme/prod/web/input",
    });
    expect(sysctl).toMatchObject({ "net.netfilter.nf_conntrack_tcp_loose": "0" });
  });

  test("has no lines of a tool that it does not use", async () => {
    const { inputs } = await checkTuning({
      tcpLoose: false,
      timeouts: { tcpEstablished: "5d" },
      nft: null,
      sysctl: null,
    });
    expect(inputs).not.toHaveProperty("nft");
    expect(inputs).toMatchObject({
      timeouts: { tcpEstablished: 432_000 },
      sysctl: {
        "net.netfilter.nf_conntrack_tcp_loose": "0",
        "net.netfilter.nf_conntrack_tcp_timeout_established": "432000",
      },
    });
  });

  test("checked again as it came out, comes out as it is", async () => {
    const first = await checkRule({ connection: newHost() });
    const again = await checkRule(first.inputs);
    expect(again).toEqual(first);
  });
});

describe("a secret never appears", () => {
  const SECRET = "hunter2-hunter2";
  const asIs = [SECRET, [SECRET], { a: SECRET }, { a: { b: [SECRET] } }];

  test.each<[string, (value: unknown) => Properties]>([
    ["a chain", (v) => ({ chain: v })],
    ["a match", (v) => ({ match: typeof v === "string" ? v : [v] })],
    ["a destination", (v) => match({ destinations: [v] })],
    ["all destinations", (v) => match({ destinations: v })],
    ["a port", (v) => match({ ports: [v] })],
    ["an interface", (v) => match({ interfaces: [typeof v === "string" ? `${v} ` : v] })],
    ["an option", (v) => options({ mss: v })],
    ["a flag", (v) => options({ sackPerm: v })],
    ["all options", (v) => options(v as Properties)],
  ])("where an argument was one: %s", async (_name, args) => {
    for (const value of asIs) {
      const { problems } = await checkRule({ ...args(value), redact: true });
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.join("\n")).not.toContain(SECRET);
    }
  });

  test.each<[string, Properties, string]>([
    [
      "of the other family",
      { ...match({ destinations: ["192.0.2.77"], sources: ["2001:db8::/32"] }) },
      "this rule is for no protocol at all",
    ],
    ["of DNAT", { action: { dnat: { to: "2001:db8::77" } } }, "a connection cannot change"],
    ["of a rate", { protectAbove: "77/s", log: true }, "below the rate"],
    [
      "of profiles",
      { profiles: { lan: {} }, sourceProfiles: { "10.77.0.0/16": "lan", "10.77.1.0-10.77.1.9": "lan" } },
      "overlaps another network",
    ],
    ["of a drain", { drainTimeout: "77s" }, "needs onDelete"],
  ])("where a value is told in another spelling: %s", async (_name, args, why) => {
    const { problems } = await checkRule({ ...args, redact: true });
    expect(problems.join()).toContain(why);
    expect(problems.join()).not.toContain("77");
  });

  test("but the property and the reason do", async () => {
    expect((await checkRule({ ...match({ ports: [70000] }), redact: true })).problems).toEqual([
      `match.ports[0]: [secret]: ${PORT}`,
    ]);
    expect((await checkTuning({ ...udp("5x"), redact: true })).problems).toEqual([
      `timeouts.udp: [secret]: ${DURATION}`,
    ]);
  });

  test.each(["privateKey", "privateKeyPassword", "password"])(
    "where a connection has its %s of a wrong type",
    async (member) => {
      for (const value of [77777, [SECRET], { a: SECRET }, { a: { b: [SECRET] } }, ""]) {
        const wrong = { ...newHost(), [member]: value, proxy: { host: "bastion", [member]: value } };
        const reason = value === "" ? "is empty" : "is a text";
        expect((await checkTuning({ tcpLoose: false, connection: wrong })).problems).toEqual([
          `connection.${member}: [secret]: ${member} ${reason}`,
          `connection.proxy.${member}: [secret]: ${member} ${reason}`,
        ]);
      }
    },
  );

  test("where its property's name is misspelt", async () => {
    const { problems } = await checkTuning({ tcpLoose: false, connection: { ...newHost(), privatekey: SECRET } });
    expect(problems).toEqual(['connection: has no property "privatekey"']);
  });
});

describe("a value that is not known yet", () => {
  test.each<[string, Properties]>([
    ["chain", { chain: UNKNOWN }],
    ["match", { match: UNKNOWN }],
    ["destinations", match({ destinations: UNKNOWN })],
    ["a destination", match({ destinations: ["192.0.2.1", UNKNOWN] })],
    ["ports", match({ ports: UNKNOWN })],
    ["a port", match({ ports: [UNKNOWN, 80] })],
    ["interfaces", match({ interfaces: UNKNOWN })],
    ["an interface", match({ interfaces: [UNKNOWN] })],
    ["options", { options: UNKNOWN }],
    ["mss", options({ mss: UNKNOWN })],
    ["wscale", options({ wscale: UNKNOWN })],
    ["timestamp", options({ timestamp: UNKNOWN, wscale: 3, sackPerm: true })],
    ["sackPerm", options({ sackPerm: UNKNOWN, timestamp: true })],
    ["owner", { owner: UNKNOWN }],
  ])("leaves a rule's lines unknown: %s", async (_name, args) => {
    const { inputs, problems } = await checkRule(args);
    expect(problems).toEqual([]);
    expect(inputs).toMatchObject({ ...args, nft: UNKNOWN, sysctl: UNKNOWN });
  });

  test.each<[string, Properties]>([
    ["tcpLoose", { tcpLoose: UNKNOWN }],
    ["logInvalid", { logInvalid: UNKNOWN }],
    ["synCookies", { synCookies: UNKNOWN }],
    ["timestamps", { timestamps: UNKNOWN }],
    ["timeouts", { timeouts: UNKNOWN }],
    ["a timeout", udp(UNKNOWN)],
  ])("leaves a tuning's lines unknown, and has no nft: %s", async (_name, args) => {
    const { inputs, problems } = await checkTuning(args);
    expect(problems).toEqual([]);
    expect(inputs).toMatchObject({ ...args, sysctl: UNKNOWN });
    expect(inputs).not.toHaveProperty("nft");
  });

  test.each<[string, Properties]>([
    ["host", { host: UNKNOWN }],
    ["port", { port: UNKNOWN }],
    ["user", { user: UNKNOWN }],
    ["privateKey", { privateKey: UNKNOWN }],
    ["password", { password: UNKNOWN }],
    ["hostKey", { hostKey: UNKNOWN }],
    ["dialErrorLimit", { dialErrorLimit: UNKNOWN }],
    ["the bastion", { proxy: UNKNOWN }],
    ["the bastion's host", { proxy: { host: UNKNOWN } }],
  ])("in the connection leaves the lines as they will be: %s", async (_name, part) => {
    const { inputs, problems } = await checkTuning({ tcpLoose: false, connection: { ...newHost(), ...part } });
    expect(problems).toEqual([]);
    expect(inputs).toMatchObject({ connection: part, sysctl: { "net.netfilter.nf_conntrack_tcp_loose": "0" } });
  });

  test.each<[string, Properties, string]>([
    ["a port beside a destination", match({ destinations: [UNKNOWN], ports: [0] }), `match.ports[0]: 0: ${PORT}`],
    ["a port beside a port", match({ ports: [UNKNOWN, 0] }), `match.ports[1]: 0: ${PORT}`],
    [
      "an empty list beside a list",
      match({ destinations: [], ports: UNKNOWN }),
      "match.destinations: []: an empty list would match nothing; leave destinations out to match all",
    ],
    [
      "a wrong list beside a list",
      match({ destinations: "192.0.2.1", ports: UNKNOWN }),
      'match.destinations: "192.0.2.1": destinations is a list of addresses, networks and ranges',
    ],
    ["an option beside match", { match: UNKNOWN, options: { wscale: 7 } }, `options.wscale: 7: wscale ${TIMESTAMP}`],
    ["an option beside an option", options({ mss: 1, sackPerm: UNKNOWN }), `options.mss: 1: ${MSS}`],
    ["ecn beside mss", options({ ecn: 1, mss: UNKNOWN }), expect.stringMatching(/^options.ecn: /) as string],
    [
      "a connection beside match",
      { match: UNKNOWN, connection: { host: UNKNOWN, port: 0 } },
      "connection.port: 0: port is a whole number from 1 to 65535",
    ],
    [
      "a bastion beside its host",
      { connection: { ...newHost(), proxy: { host: UNKNOWN, user: "" } } },
      'connection.proxy.user: "": user is empty',
    ],
  ])("does not hide another's problem: %s", async (_name, args, message) => {
    expect((await checkRule(args)).problems).toEqual([message]);
  });

  test("does not hide another's problem: a timeout beside a timeout", async () => {
    expect((await checkTuning({ tcpLoose: 1, timeouts: { udp: UNKNOWN, icmp: "5x" } })).problems).toEqual([
      "tcpLoose: 1: tcpLoose is true or false",
      `timeouts.icmp: "5x": ${DURATION}`,
    ]);
  });
});

describe("two resources of one program that cannot both be", () => {
  /** What the second is refused with. */
  async function second(
    first: Properties,
    other: Properties,
    otherType: "SynproxyRule" | "ConntrackTuning" = "SynproxyRule",
  ) {
    const connection = newHost();
    const one = await checkRule({ connection, owner: "acme/prod/web", ...first });
    expect(one.problems).toEqual([]);
    const given = { connection, owner: "acme/prod/api", ...other };
    return (await (otherType === "SynproxyRule" ? checkRule(given) : checkTuning(given))).problems;
  }
  const AS_WELL = "is declared by SynproxyRule web (acme/prod) as well";

  test.each<[string, Properties, Properties, string[]]>([
    ["of the same destination and port", {}, {}, [`192.0.2.1 port 80 ${AS_WELL}`]],
    [
      "that share one of several",
      match({ destinations: ["192.0.2.9", "192.0.2.1"] }),
      match({ ports: [443, 80] }),
      [`192.0.2.1 port 80 ${AS_WELL}`],
    ],
    [
      "whose ranges overlap",
      match({ ports: ["8000-8010"] }),
      match({ ports: ["8010-8020"] }),
      [`192.0.2.1 port 8010-8020 ${AS_WELL}`],
    ],
    [
      "whose ranges contain each other",
      match({ ports: ["1-65535"] }),
      match({ ports: ["8010-8020"] }),
      [`192.0.2.1 port 8010-8020 ${AS_WELL}`],
    ],
    ["with ranges beside each other are none", match({ ports: ["8000-8010"] }), match({ ports: ["8011-8020"] }), []],
    ["of another destination are none", {}, match({ destinations: ["192.0.2.2"] }), []],
    ["a port and a range around it are none: the port goes first", {}, match({ ports: ["1-1000"] }), []],
    ["on an interface and on all are none: the interface goes first", {}, match({ interfaces: ["eth0"] }), []],
    ["on two interfaces are none", match({ interfaces: ["eth1"] }), match({ interfaces: ["eth0"] }), []],
  ])("%s", async (_name, first, other, problems) => {
    expect(await second(first, other)).toEqual(problems);
  });

  test("tcpLoose: true beside a SynproxyRule, which needs it false", async () => {
    expect(await second({}, { tcpLoose: true }, "ConntrackTuning")).toEqual([
      "net.netfilter.nf_conntrack_tcp_loose should be 1, but SynproxyRule web (acme/prod) wants it to be 0",
    ]);
  });

  test.each([{ synCookies: false }, { timestamps: false }])(
    "%j beside a SynproxyRule, which needs it",
    async (args) => {
      expect(await second({}, args, "ConntrackTuning")).toEqual([
        expect.stringMatching(/^net\.ipv4\.tcp_\w+ should be 0, but SynproxyRule web \(acme\/prod\) wants it to be 1$/),
      ]);
    },
  );

  test.each([{ tcpLoose: false }, { synCookies: "always" }, { timestamps: "noOffset" }, { timestamps: true }])(
    "%j agrees with a SynproxyRule",
    async (args) => {
      expect(await second({}, args, "ConntrackTuning")).toEqual([]);
    },
  );

  test("are told in the other order too", async () => {
    const connection = newHost();
    await checkTuning({ connection, owner: "acme/prod/ct", tcpLoose: true });
    expect((await checkRule({ connection })).problems).toEqual([
      "net.netfilter.nf_conntrack_tcp_loose should be 0, but ConntrackTuning ct (acme/prod) wants it to be 1",
    ]);
  });

  test("on two ports of one address are two hosts", async () => {
    const { host } = newHost();
    await checkRule({ connection: { host, port: 22 }, owner: "acme/prod/web" });
    expect((await checkRule({ connection: { host, port: 2222 }, owner: "acme/prod/api" })).problems).toEqual([]);
    expect((await checkRule({ connection: { host }, owner: "acme/prod/api" })).problems).toEqual([
      `192.0.2.1 port 80 ${AS_WELL}`,
    ]);
  });

  test("are one when the program checks one resource twice", async () => {
    const connection = newHost();
    for (const ports of [[80], [80, 81]])
      expect((await checkRule({ connection, ...match({ ports }) })).problems).toEqual([]);
  });
});

describe("a change replaces a resource", () => {
  const replaces = async (before: unknown, now: unknown): Promise<string[]> => {
    const result = await get("SynproxyRule").diff?.(
      "id",
      { connection: before, match: 1 },
      { connection: now, match: 2 },
    );
    return result?.replaces ?? [];
  };
  const lb1 = { host: "lb1" };

  test.each<[string, unknown, unknown, string[]]>([
    ["of the host", lb1, { host: "lb2" }, ["connection"]],
    ["of the port", lb1, { host: "lb1", port: 2222 }, ["connection"]],
    ["but not a port that says the default", lb1, { host: "lb1", port: 22 }, []],
    ["but not another key, user or bastion", lb1, { ...lb1, privateKey: "k", user: "ops", proxy: { host: "b" } }, []],
    ["but not a host that is not known yet", lb1, { host: UNKNOWN }, []],
    ["but not a port that is not known yet", lb1, { host: "lb2", port: UNKNOWN }, []],
    ["but not a connection that is not known yet", lb1, UNKNOWN, []],
    ["but not one of the arguments alone", lb1, lb1, []],
  ])("%s", async (_name, before, now, expected) => {
    expect(await replaces(before, now)).toEqual(expected);
  });
});

test("a connection that is not known yet is no problem", async () => {
  const { problems, inputs } = await checkTuning({ tcpLoose: false, connection: UNKNOWN });
  expect(problems).toEqual([]);
  expect(inputs).toMatchObject({ sysctl: { "net.netfilter.nf_conntrack_tcp_loose": "0" } });
});

test("a property that does not exist is wrong whatever its neighbours will be", async () => {
  const { problems } = await checkRule({ options: { mss: UNKNOWN, bananas: 1 }, match: { ...MATCH, kiwis: UNKNOWN } });
  expect(problems.toSorted()).toEqual(['match: has no property "kiwis"', 'options: has no property "bananas"']);
});

describe("a LoadBalancer", () => {
  const rule = (part: Properties = {}): Properties => ({ chain: "input", match: { ...MATCH, ...part } });

  test("has the lines of its parts, and the canonical form of each", async () => {
    const { inputs, problems } = await checkBalancer({
      synproxyRules: { web: rule({ ports: ["443", 80] }), dmz: rule({ ports: [8080] }) },
      conntrack: { timeouts: { udp: "1m" } },
    });
    expect(problems).toEqual([]);
    expect(inputs).toMatchObject({
      conntrack: { timeouts: { udp: 60 } },
      synproxyRules: {
        web: { match: { ports: [80, 443] }, options: { mss: 1460 } },
        dmz: { match: { ports: [8080] } },
      },
      nft: { "chain lb/acme/prod/lb1/synproxy.web.input": "synproxy mss 1460; drop" },
      sysctl: { "net.netfilter.nf_conntrack_udp_timeout": "60", "net.netfilter.nf_conntrack_tcp_loose": "0" },
    });
    expect(Object.keys(inputs.synproxyRules as object)).toEqual(["dmz", "web"]);
  });

  test("has lines of every tool, even when there are none", async () => {
    expect((await checkBalancer({ synproxyRules: {} })).inputs).toMatchObject({ nft: {}, sysctl: {} });
  });

  test("is refused when parts collide, whether its host is known or not", async () => {
    const collide = { synproxyRules: { a: rule(), b: rule() } };
    const message = "synproxyRules.b: 192.0.2.1 port 80 is declared by synproxyRules.a as well";
    expect((await checkBalancer(collide)).problems).toEqual([message]);
    expect((await checkBalancer({ ...collide, connection: { host: UNKNOWN } })).problems).toEqual([message]);
  });

  test("tells parts that collide without what is secret", async () => {
    const { problems } = await checkBalancer({
      redact: true,
      conntrack: { tcpLoose: true },
      synproxyRules: { a: rule(), b: rule() },
    });
    expect(problems).toEqual([
      "synproxyRules.a: net.netfilter.nf_conntrack_tcp_loose should be [secret], but conntrack wants it to be [secret]",
      "synproxyRules.b: [secret] is declared by synproxyRules.a as well",
    ]);
  });

  test.each<[string, Properties]>([
    ["all rules", { synproxyRules: UNKNOWN }],
    ["a rule", { synproxyRules: { web: UNKNOWN } }],
    ["a value of a rule", { synproxyRules: { web: rule({ destinations: [UNKNOWN] }), dmz: rule() } }],
    ["the tuning", { conntrack: UNKNOWN }],
    ["a timeout", { conntrack: { timeouts: { udp: UNKNOWN } } }],
  ])("leaves its lines unknown where a value is: %s", async (_name, args) => {
    const { inputs, problems } = await checkBalancer(args);
    expect(problems).toEqual([]);
    expect(inputs).toMatchObject({ ...args, nft: UNKNOWN, sysctl: UNKNOWN });
  });

  test("is told of a bad part beside an unknown one", async () => {
    expect((await checkBalancer({ synproxyRules: { a: UNKNOWN, b: rule({ ports: [UNKNOWN, 0] }) } })).problems).toEqual(
      [`synproxyRules.b.match.ports[1]: 0: ${PORT}`],
    );
  });
});
