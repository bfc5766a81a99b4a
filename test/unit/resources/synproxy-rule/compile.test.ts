import { desiredLines, layoutText } from "../../../../provider/engine/desired";
import { byId } from "../../../../provider/kernel/nftables/objects";
import { objectId } from "../../../../provider/kernel/object";
import { LAYOUT } from "../../../../provider/resources/layout";
import { compile, nftTime, readTime } from "../../../../provider/resources/synproxy-rule/compile";
import { type SynproxyRuleArgs, synproxyRule } from "../../../../provider/resources/synproxy-rule/model";

const PREFIX = "synproxy/acme/prod/web/";
const MATCH = { destinations: ["192.0.2.1"], ports: [80] };
const compiled = (args: Partial<SynproxyRuleArgs>, prefix = PREFIX) =>
  compile(prefix, synproxyRule.parse({ chain: "input", match: MATCH, ...args }));
const nft = (args: Partial<SynproxyRuleArgs>): Readonly<Record<string, string>> =>
  desiredLines(compiled(args)).nft ?? {};
/** A chain of the rule, as text. */
const chainOf = (name: string, args: Partial<SynproxyRuleArgs>) => nft(args)[`chain ${PREFIX}${name}`];
const keysIn = (map: RegExp, args: Partial<SynproxyRuleArgs>): string[] =>
  Object.keys(nft(args)).flatMap((id) => {
    const [, of = "", key = ""] = /^element (\S+) \{ (.*) \}$/.exec(id) ?? [];
    return map.test(of) ? [`${of}: ${key}`] : [];
  });

test("a rule is two chains, an element in each dispatch, and a protected address", () => {
  expect(nft({})).toEqual({
    "table inet lbshield": "layout input4, mark=0x10000000, own4, prerouting4, protected4",
    [`chain ${PREFIX}prerouting`]: "notrack",
    [`chain ${PREFIX}input`]: "synproxy mss 1460; drop",
    "element prerouting4 { 192.0.2.1 . 80 }": `goto ${PREFIX}prerouting`,
    "element input4 { 192.0.2.1 . 80 }": `goto ${PREFIX}input`,
    "element own4 { 192.0.2.1 . 80 }": "goto own-accept",
    "element protected4 { 192.0.2.1 }": "in the set",
  });
});

test("one that is routed through the balancer has its proxy in forward", () => {
  const lines = nft({ chain: "forward" });
  expect(lines[`chain ${PREFIX}forward`]).toBe("synproxy mss 1460; drop");
  expect(lines).toHaveProperty(["element forward4 { 192.0.2.1 . 80 }"], `goto ${PREFIX}forward`);
  expect(Object.keys(lines).join()).not.toContain("input");
});

test.each<[SynproxyRuleArgs["options"], string]>([
  [undefined, "synproxy mss 1460; drop"],
  [{ mss: 1400 }, "synproxy mss 1400; drop"],
  [{ timestamp: true }, "synproxy mss 1460 wscale 7 timestamp; drop"],
  [{ timestamp: true, wscale: 0 }, "synproxy mss 1460 wscale 0 timestamp; drop"],
  [{ timestamp: true, wscale: 14, sackPerm: true }, "synproxy mss 1460 wscale 14 timestamp sack-perm; drop"],
])("options %j are the statement %s", (options, text) => {
  expect(chainOf("input", { options })).toBe(text);
});

describe("the keys are every combination, each in the map of its tier:", () => {
  test.each<[string, SynproxyRuleArgs["match"], string[]]>([
    [
      "addresses and ports",
      { destinations: ["192.0.2.1", "192.0.2.2"], ports: [80, "8000-8010"] },
      [
        "input4: 192.0.2.1 . 80",
        "input4: 192.0.2.2 . 80",
        "input4-range: 192.0.2.1 . 8000-8010",
        "input4-range: 192.0.2.2 . 8000-8010",
      ],
    ],
    [
      "both families",
      { destinations: ["192.0.2.1", "2001:db8::1", "2001:db8:1::/48"], ports: [80] },
      ["input4: 192.0.2.1 . 80", "input6: 2001:db8::1 . 80", "input6-range: 2001:db8:1::/48 . 80"],
    ],
    [
      "interfaces",
      { destinations: ["192.0.2.1"], ports: [80, "8000-8010"], interfaces: ["eth0", "eth1"] },
      [
        'input4-if: "eth0" . 192.0.2.1 . 80',
        'input4-if: "eth1" . 192.0.2.1 . 80',
        'input4-if-range: "eth0" . 192.0.2.1 . 8000-8010',
        'input4-if-range: "eth1" . 192.0.2.1 . 8000-8010',
      ],
    ],
    [
      "clients",
      { destinations: ["192.0.2.1"], ports: [80], sources: ["10.0.0.0/8", "192.168.0.1"] },
      ["input4-src: 10.0.0.0/8 . 192.0.2.1 . 80", "input4-src: 192.168.0.1 . 192.0.2.1 . 80"],
    ],
    [
      "clients on an interface",
      { destinations: ["192.0.2.1"], ports: [80], sources: ["10.0.0.0/8"], interfaces: ["eth0"] },
      ['input4-if-src: "eth0" . 10.0.0.0/8 . 192.0.2.1 . 80'],
    ],
    ["any address", { ports: [80] }, ["input4-wide: 0.0.0.0/0 . 80", "input6-wide: ::/0 . 80"]],
    ["any port", { destinations: ["192.0.2.1"] }, ["input4-wide: 192.0.2.1 . 0-65535"]],
    [
      "all but some addresses",
      { notDestinations: ["128.0.0.0/1", "0.0.0.0/8"], ports: [80] },
      ["input4-wide: 1.0.0.0-127.255.255.255 . 80"],
    ],
    [
      "all but some ports",
      { destinations: ["192.0.2.1"], notPorts: [22, "1000-65535"] },
      ["input4-wide: 192.0.2.1 . 0-21", "input4-wide: 192.0.2.1 . 23-999"],
    ],
    [
      "some but some of them",
      { destinations: ["192.0.2.0/30"], notDestinations: ["192.0.2.1"], ports: ["80-82"], notPorts: [81, 82] },
      ["input4: 192.0.2.0 . 80", "input4-range: 192.0.2.2/31 . 80"],
    ],
    [
      "all but some clients",
      { destinations: ["2001:db8::1"], ports: [80], notSources: ["8000::/1", "::/2"] },
      ["input6-src: 4000::/2 . 2001:db8::1 . 80"],
    ],
    // Told by its own chain: there is no range of names.
    ["all but some interfaces", { ...MATCH, notInterfaces: ["lo"] }, ["input4: 192.0.2.1 . 80"]],
  ])("%s", (_name, match, expected) => {
    expect(keysIn(/^input/, { match })).toEqual(expected);
    // A SYN is found in prerouting by the same keys.
    const asInput = expected.map((key) => key.replace("input", "prerouting"));
    expect(keysIn(/^prerouting/, { match })).toEqual(asInput);
  });
});

describe("the proxy's own SYN", () => {
  test("of each rule has a key, so that no less specific one gets it", () => {
    const match = { ...MATCH, sources: ["10.0.0.0/8"] };
    expect(nft({ match })).toHaveProperty(["element own4-src { 10.0.0.0/8 . 192.0.2.1 . 80 }"], "goto own-accept");
    expect(nft({ match, action: "accept" })).toHaveProperty(
      ["element own4-src { 10.0.0.0/8 . 192.0.2.1 . 80 }"],
      `goto ${PREFIX}own`,
    );
  });

  test.each<[string, Partial<SynproxyRuleArgs>, string | undefined]>([
    ["goes where it was sent to", {}, undefined],
    ["is accepted", { action: "accept" }, "dnat ip to ip daddr; accept"],
    ["is dropped", { action: "drop" }, "drop"],
    ["is rejected", { action: "reject" }, "meta l4proto tcp reject with tcp reset"],
    ["is redirected", { action: { redirect: 8080 } }, "meta l4proto tcp dnat to :8080"],
    ["goes to another port", { action: { dnat: { to: ":8080-8090" } } }, "meta l4proto tcp dnat to :8080-8090"],
    ["goes to another server", { action: { dnat: { to: "10.1.1.1" } } }, "dnat ip to 10.1.1.1"],
    [
      "goes to one of several, the same for a client",
      { action: { dnat: { to: "10.1.1.1-10.1.1.10", persistent: true } } },
      "dnat ip to 10.1.1.1-10.1.1.10 persistent",
    ],
    [
      "goes to a network of servers, on a port",
      { action: { dnat: { to: "10.1.1.0/24:80" } } },
      "meta l4proto tcp dnat ip to 10.1.1.0-10.1.1.255:80",
    ],
    [
      "goes to an IPv6 server",
      { match: { destinations: ["2001:db8::1"] }, action: { dnat: { to: "[2001:db8:1::1]:80" } } },
      "meta l4proto tcp dnat ip6 to [2001:db8:1::1]:80",
    ],
    [
      "is trapped, also where the set is full",
      { action: { trap: { set: "scanners", timeout: "90m" } } },
      "update @trap4-scanners { ip saddr timeout 1h30m } drop; drop",
    ],
    [
      "is logged",
      { log: { prefix: "web ", rate: "9/minute", burst: 7, level: "debug" } },
      'limit rate 9/minute burst 7 packets log prefix "web " level debug; dnat ip to ip daddr',
    ],
    [
      "is logged by the rule's name",
      { log: true, action: "drop" },
      'limit rate 10/second burst 5 packets log prefix "web " level info; drop',
    ],
    [
      "is one of so many",
      { connectionLimit: 9, action: "accept" },
      "ct count over 9 drop; dnat ip to ip daddr; accept",
    ],
    [
      "is one of so many of its client",
      { connectionLimit: { max: 9, per: "source" }, action: { redirect: 81 } },
      `add @${PREFIX}count4 { ip saddr ct count over 9 } drop; meta l4proto tcp dnat to :81`,
    ],
    [
      "is one of so many of its network",
      { connectionLimit: { max: 9, per: { ipv4: 20 } }, action: { redirect: 81 } },
      `add @${PREFIX}count4 { ip saddr & 255.255.240.0 ct count over 9 } drop; meta l4proto tcp dnat to :81`,
    ],
    [
      "is one of so many in a time",
      { rateLimit: "9/s", action: { redirect: 81 } },
      "limit rate over 9/second burst 9 packets drop; meta l4proto tcp dnat to :81",
    ],
    [
      "is one of so many in a time, of its IPv6 network",
      {
        match: { destinations: ["2001:db8::1"] },
        rateLimit: { rate: "9/s", per: { ipv6: 48 } },
        action: { redirect: 81 },
      },
      `update @${PREFIX}rate6 { ip6 saddr & ffff:ffff:ffff:: limit rate over 9/second burst 9 packets } drop; meta l4proto tcp dnat to :81`,
    ],
    [
      "of both families is let through of both",
      { match: { ports: [80] }, action: "accept" },
      "dnat ip to ip daddr; dnat ip6 to ip6 daddr; accept",
    ],
  ])("%s", (_name, args, text) => {
    expect(chainOf("own", args)).toBe(text);
  });

  test("is logged before limits, and only what they let through as a connection", () => {
    const text = chainOf("own", { log: true, logHandshake: true, connectionLimit: 9, rateLimit: "9/s" }) ?? "";
    expect(text.split("; ").map((rule) => rule.replace(/ (level|burst).*/, ""))).toEqual([
      "limit rate 10/second",
      "ct count over 9 drop",
      "limit rate over 9/second",
      "limit rate 10/second",
      "dnat ip to ip daddr",
    ]);
    expect(text.indexOf('prefix "web to server "')).toBeLessThan(text.indexOf('prefix "web "'));
  });
});

describe("a rule by interface", () => {
  const match = { ...MATCH, interfaces: ["eth0"] };

  test("has no key for the proxy's own SYN, which has no interface", () => {
    expect(keysIn(/^own/, { match })).toEqual([]);
    expect(nft({ match })).not.toHaveProperty([`set ${PREFIX}seen4`]);
  });

  test("remembers at input whose the SYN will be, if it does anything with it", () => {
    const lines = nft({ match, action: { redirect: 81 } });
    expect(lines[`set ${PREFIX}seen4`]).toBe(
      "type ipv4_addr . inet_service . ipv4_addr . inet_service; size 65535; timeout 1s; flags dynamic,timeout",
    );
    expect(lines[`chain ${PREFIX}input`]).toBe(
      `tcp flags & (syn|ack) == ack update @${PREFIX}seen4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 1s } synproxy mss 1460; synproxy mss 1460; drop`,
    );
    expect(compiled({ match, action: { redirect: 81 } }).needs).toContain(`seen4 ${PREFIX}`);
  });

  test("of both families remembers each", () => {
    const of: Partial<SynproxyRuleArgs> = { match: { ports: [80], interfaces: ["eth0"] }, log: true };
    expect(chainOf("input", of)?.match(/seen[46] \{ ip6? saddr/g)).toEqual(["seen4 { ip saddr", "seen6 { ip6 saddr"]);
  });

  test("by all but some comes back from them, and from nothing else", () => {
    const of = { match: { ...MATCH, notInterfaces: ["lo", "eth1"] } };
    expect(chainOf("prerouting", of)).toBe('iifname { "eth1", "lo" } return; notrack; accept');
    expect(chainOf("input", of)).toBe('iifname { "eth1", "lo" } return; synproxy mss 1460; drop');
    expect(nft(of)).toHaveProperty(["element input4 { 192.0.2.1 . 80 }"], `jump ${PREFIX}input`);
    expect(chainOf("input", { match: { ...MATCH, notInterfaces: ["lo"] } })).toMatch(/^iifname "lo" return; /);
  });
});

describe("a rule that does not name each of its addresses", () => {
  test.each<[SynproxyRuleArgs["chain"], SynproxyRuleArgs["match"], string]>([
    ["input", { ports: [80] }, "fib daddr type != local return; notrack; accept"],
    ["forward", { ports: [80] }, "fib daddr type local return; notrack; accept"],
    ["forward", { destinations: ["192.0.2.0/24"] }, "fib daddr type local return; notrack; accept"],
    ["input", { notDestinations: ["192.0.2.1"] }, "fib daddr type != local return; notrack; accept"],
    ["input", { destinations: ["192.0.2.1"] }, "notrack"],
  ])("looks in %s whether a packet for %j is its own", (chain, match, text) => {
    expect(chainOf("prerouting", { chain, match })).toBe(text);
  });
});

describe("in prerouting a SYN", () => {
  test.each<[string, Partial<SynproxyRuleArgs>, string]>([
    [
      "goes past the proxy below a rate",
      { protectAbove: "2000/s" },
      "limit rate over 2000/second burst 2000 packets notrack",
    ],
    [
      "of a denied client is not answered",
      { denySources: ["b", "a"] },
      "ip saddr @trap4-a drop; ip saddr @trap4-b drop; notrack",
    ],
    [
      "is logged as the first step",
      { logHandshake: { prefix: "w " } },
      'limit rate 10/second burst 5 packets log prefix "w SYN " level info; notrack',
    ],
  ])("%s", (_name, args, text) => {
    expect(chainOf("prerouting", args)).toBe(text);
  });

  test("that goes past the proxy is translated there as well", () => {
    const action = { dnat: { to: "10.1.1.1" } };
    expect(keysIn(/^dnat/, { action })).toEqual([]);
    expect(nft({ action, protectAbove: "9/s" })).toHaveProperty(
      ["element dnat4 { 192.0.2.1 . 80 }"],
      `goto ${PREFIX}own`,
    );
    expect(keysIn(/^dnat/, { protectAbove: "9/s" })).toEqual([]);
  });

  test("but not what comes in where the rule is not", () => {
    const args = { match: { ...MATCH, notInterfaces: ["eth1"] }, action: { redirect: 81 }, protectAbove: "9/s" };
    expect(nft(args)).toHaveProperty(["element dnat4 { 192.0.2.1 . 80 }"], `jump ${PREFIX}dnat`);
    expect(chainOf("dnat", args)).toBe(`iifname "eth1" return; goto ${PREFIX}own`);
  });
});

test("clients get the TCP options of their network", () => {
  const args: Partial<SynproxyRuleArgs> = {
    match: { ports: [80] },
    profiles: { lan: { mss: 8960 }, far: { timestamp: true, wscale: 3 } },
    sourceProfiles: { "192.168.0.0/16": "lan", "2001:db8::/32": "far", "198.51.100.1-198.51.100.9": "far" },
    logHandshake: true,
  };
  const lines = nft(args);
  expect(lines).toMatchObject({
    [`chain ${PREFIX}input-lan`]: "synproxy mss 8960; drop",
    [`chain ${PREFIX}input-far`]: "synproxy mss 1460 wscale 3 timestamp; drop",
    [`map ${PREFIX}profiles4`]: "type ipv4_addr : verdict; flags interval",
    [`map ${PREFIX}profiles6`]: "type ipv6_addr : verdict; flags interval",
    [`element ${PREFIX}profiles4 { 192.168.0.0/16 }`]: `goto ${PREFIX}input-lan`,
    [`element ${PREFIX}profiles4 { 198.51.100.1-198.51.100.9 }`]: `goto ${PREFIX}input-far`,
    [`element ${PREFIX}profiles6 { 2001:db8::/32 }`]: `goto ${PREFIX}input-far`,
  });
  expect(lines[`chain ${PREFIX}input`]?.split("; ").slice(1)).toEqual([
    `ip saddr vmap @${PREFIX}profiles4`,
    `ip6 saddr vmap @${PREFIX}profiles6`,
    "synproxy mss 1460",
    "drop",
  ]);
});

test("sets of sources are shared by all who name them", () => {
  const shared = (args: Partial<SynproxyRuleArgs>) =>
    compiled(args).wanted.flatMap((w) => (w.object.kind === "set" && w.shared ? [w.object] : []));
  const [trap] = shared({ action: { trap: { set: "scanners", timeout: 5 } } });
  expect(trap).toEqual({
    kind: "set",
    name: "trap4-scanners",
    key: "type ipv4_addr",
    flags: ["dynamic", "timeout"],
    limits: ["size 65535"],
  });
  expect(shared({ denySources: ["scanners"] })).toEqual([trap]);
  expect(shared({ match: { ports: [80] }, denySources: ["scanners"] }).map((s) => s.name)).toEqual([
    "trap4-scanners",
    "trap6-scanners",
  ]);
});

describe("protected addresses", () => {
  test.each<[string, SynproxyRuleArgs["match"], string[], boolean]>([
    [
      "are known one by one",
      { destinations: ["192.0.2.1", "2001:db8::1"] },
      ["protected4: 192.0.2.1", "protected6: 2001:db8::1"],
      false,
    ],
    ["are any where there is a network", { destinations: ["192.0.2.1", "192.0.3.0/24"] }, [], true],
    ["are any where none is named", { ports: [80] }, [], true],
    ["are any where some are not", { notDestinations: ["192.0.2.1"] }, [], true],
  ])("%s", (_name, match, elements, any) => {
    expect(keysIn(/^protected/, { match })).toEqual(elements);
    expect(compiled({ match }).needs.includes("protected-any")).toBe(any);
  });
});

test("the mark is a need, of which a host has one", () => {
  expect(compiled({}).needs[0]).toBe("mark=0x10000000");
  expect(compiled({ mark: "0x10" }).needs[0]).toBe("mark=0x00000010");
});

test("it claims the values without which SYNPROXY does not work, and the stronger ones serve as well", () => {
  const values = compiled({}).wanted.flatMap(({ object, shared }) =>
    object.kind === "sysctl" ? [{ ...object, shared }] : [],
  );
  const claim = { kind: "sysctl", shared: true };
  expect(values).toEqual([
    { ...claim, key: "net.netfilter.nf_conntrack_tcp_loose", value: "0" },
    { ...claim, key: "net.ipv4.tcp_syncookies", value: "1", accepts: ["2"] },
    { ...claim, key: "net.ipv4.tcp_timestamps", value: "1", accepts: ["2"] },
  ]);
});

test("every map and set that its elements are in is part of its layout or its own", () => {
  const { needs, wanted } = compiled({
    match: { destinations: ["192.0.2.1"], ports: [80, "1-9"], interfaces: ["eth0"] },
    profiles: { lan: {} },
    sourceProfiles: { "10.0.0.0/8": "lan" },
  });
  const own = wanted.flatMap(({ object }) => (object.kind === "map" || object.kind === "set" ? [object] : []));
  const standing = byId([...LAYOUT.objectsFor(new Set(needs)), ...own]);
  const of = wanted.flatMap(({ object }) => (object.kind === "element" ? [object.of] : []));
  for (const name of of) expect(standing.has(`map ${name}`) || standing.has(`set ${name}`)).toBe(true);
  expect(new Set(wanted.map((w) => objectId(w.object))).size).toBe(wanted.length);
  expect(layoutText(needs)).toBe(
    "layout input4-if, input4-if-range, mark=0x10000000, prerouting4-if, prerouting4-if-range, protected4",
  );
});

test.each([
  [1, "1s"],
  [60, "1m"],
  [90, "1m30s"],
  [5400, "1h30m"],
  [86_400, "1d"],
  [2_147_483, "24d20h31m23s"],
])("%i seconds are %s to nft, and back", (seconds, text) => {
  expect(nftTime(seconds)).toBe(text);
  expect(readTime(text)).toBe(seconds);
});

test.each(["", "5", "5x", "1h 30m", "h1"])("%j is no time", (text) => {
  expect(readTime(text)).toBeUndefined();
});
