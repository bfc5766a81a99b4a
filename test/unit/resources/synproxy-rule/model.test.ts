import {
  type SynproxyRuleArgs,
  type SynproxyRuleModel,
  families,
  synproxyRule,
} from "../../../../provider/resources/synproxy-rule/model";
import { UNKNOWN } from "../../../../provider/wire";
import { validate } from "../../../../provider/validate";

const parse = (part: object) =>
  synproxyRule.parse({ chain: "input", match: { destinations: ["192.0.2.1"], ports: [80] }, ...part });
const match = (part: object) => parse({ match: { destinations: ["192.0.2.1"], ports: [80], ...part } }).match;

test("without options the proxy announces mss 1460 and nothing else", () => {
  const expected = { mss: 1460, timestamp: false, sackPerm: false };
  expect(parse({}).options).toEqual(expected);
  expect(parse({ options: {} }).options).toEqual(expected);
  expect(parse({ options: undefined }).options).toEqual(expected);
});

test("with timestamp it announces a window scale, 7 unless another is given", () => {
  expect(parse({ options: { timestamp: true } }).options).toEqual({
    mss: 1460,
    wscale: 7,
    timestamp: true,
    sackPerm: false,
  });
  expect(parse({ options: { timestamp: true, wscale: 0 } }).options).toMatchObject({ wscale: 0 });
});

test.each([
  ["88", { mss: 88 }],
  ["65495", { mss: 65495 }],
])("mss may be %s", (_name, options) => {
  expect(parse({ options }).options).toMatchObject(options);
});

test.each([
  [
    [443, 80],
    [80, 443],
  ],
  [["443", 443, "0443"], [443]],
  [["80-80"], [80]],
  [
    [9, 10, 80],
    [9, 10, 80],
  ], // by number, not by text
  [["1-65535", 80], ["1-65535"]],
  [["8000-8010", "8005-8020"], ["8000-8020"]],
  [["8000-8010", "8011-8020"], ["8000-8020"]], // they touch
  [
    ["8000-8010", "8012-8020"],
    ["8000-8010", "8012-8020"],
  ],
  [
    ["8000-8010", 8011],
    ["8000-8010", 8011],
  ], // a single port stays in the hash map
  [
    [80, 81, 82],
    [80, 81, 82],
  ],
  [
    ["8000-8010", 8000, 8010, 7999],
    [7999, "8000-8010"],
  ],
  [
    [1, 65535],
    [1, 65535],
  ],
])("ports %j are %j", (given, canonical) => {
  expect(match({ ports: given }).ports).toEqual(canonical);
});

test("destinations are sorted as numbers, each once", () => {
  expect(match({ destinations: ["192.0.2.10", "192.0.2.9", "10.0.0.1", "192.0.2.9"] }).destinations).toEqual([
    "10.0.0.1",
    "192.0.2.9",
    "192.0.2.10",
  ]);
});

test("interfaces are sorted, each once; without any there is no such property", () => {
  expect(match({ interfaces: ["eth1", "bond0.100", "eth1"] }).interfaces).toEqual(["bond0.100", "eth1"]);
  expect(match({})).not.toHaveProperty("interfaces");
});

describe("one canonical form of a match:", () => {
  test.each<[string, object, object]>([
    [
      "IPv4 first, sorted as numbers",
      { destinations: ["2001:db8::10", "192.0.2.10", "192.0.2.9", "2001:db8::9"] },
      { destinations: ["192.0.2.9", "192.0.2.10", "2001:db8::9", "2001:db8::10"] },
    ],
    ["IPv6 as nft writes it", { destinations: ["2001:DB8:0:0::0001"] }, { destinations: ["2001:db8::1"] }],
    ["a network of one address is that address", { destinations: ["192.0.2.1/32"] }, { destinations: ["192.0.2.1"] }],
    [
      "a range that is a network is that network",
      { destinations: ["192.0.2.0-192.0.2.255"] },
      { destinations: ["192.0.2.0/24"] },
    ],
    [
      "what touches is joined, what is within is left out",
      { destinations: ["192.0.2.0/25", "192.0.2.128/25", "192.0.2.7"] },
      { destinations: ["192.0.2.0/24"] },
    ],
    [
      "a negation beside what it is taken from",
      { destinations: ["192.0.2.0/30"], notDestinations: ["192.0.2.1"] },
      { destinations: ["192.0.2.0", "192.0.2.2/31"] },
    ],
    [
      "a negation alone stays one",
      { destinations: undefined, notDestinations: ["192.0.2.1", "192.0.2.0"] },
      { notDestinations: ["192.0.2.0/31"] },
    ],
    ["ports without some", { ports: ["80-90"], notPorts: [80, "85-99"] }, { ports: ["81-84"] }],
    ["a negation of ports alone", { ports: undefined, notPorts: [23, 22] }, { notPorts: ["22-23"] }],
    ["interfaces without some", { interfaces: ["b", "a"], notInterfaces: ["b"] }, { interfaces: ["a"] }],
    ["a negation of interfaces alone", { notInterfaces: ["b", "a", "b"] }, { notInterfaces: ["a", "b"] }],
    [
      "sources as destinations",
      { sources: ["10.0.0.0/24"], notSources: ["10.0.0.0/25"] },
      { sources: ["10.0.0.128/25"] },
    ],
  ])("%s", (_name, given, expected) => {
    const { destinations, ports, ...others } = match(given) as Record<string, unknown>;
    const given80 = "ports" in given || "notPorts" in given;
    const found = { ...others, ...(destinations ? { destinations } : {}), ...(given80 && ports ? { ports } : {}) };
    const named = "destinations" in given ? {} : { destinations: ["192.0.2.1"] };
    expect(found).toEqual({ ...named, ...expected });
  });

  test("each list has it, beside one that is not known yet", () => {
    const given = {
      destinations: [UNKNOWN],
      ports: ["443", 80, "81-82", "82-83"],
      notSources: ["10.0.0.1", "10.0.0.0"],
    };
    const { value, problems } = validate(synproxyRule, { chain: "input", match: given }, { secret: () => false });
    expect(problems).toEqual([]);
    expect(value.match).toEqual({
      destinations: [UNKNOWN],
      ports: [80, "81-83", 443],
      notSources: ["10.0.0.0/31"],
    });
  });
});

describe("a rule is for the protocols that its addresses are of:", () => {
  const of = (part: object): string => families(parse(part)).join(" and ");
  test.each<[object, string]>([
    [{}, "4"],
    [{ match: { ports: [80] } }, "4 and 6"],
    [{ match: { ports: [80] }, family: "ipv6" }, "6"],
    [{ match: { destinations: ["192.0.2.1", "2001:db8::1"], ports: [80] } }, "4 and 6"],
    [{ match: { notDestinations: ["2001:db8::1"], ports: [80] } }, "6"],
    [{ match: { ports: [80], sources: ["10.0.0.0/8"] } }, "4"],
    [{ match: { ports: [80] }, action: { dnat: { to: "[2001:db8::1]:80" } } }, "6"],
    [{ match: { ports: [80] }, action: { dnat: { to: "::1" } } }, "6"],
    [{ match: { ports: [80] }, action: { dnat: { to: ":8080" } } }, "4 and 6"],
  ])("%j: %s", (part, expected) => {
    expect(of(part)).toBe(expected);
  });
});

describe("the canonical form of", () => {
  test.each<[string, object, object]>([
    ["a rate", { rateLimit: "30/min" }, { rateLimit: { rate: "30/minute", burst: 30, per: "rule" } }],
    ["a small rate: nft's own burst", { rateLimit: "2/s" }, { rateLimit: { rate: "2/second", burst: 5, per: "rule" } }],
    ["a large rate", { rateLimit: "9999999/s" }, { rateLimit: { rate: "9999999/second", burst: 1e6, per: "rule" } }],
    [
      "a rate with its burst",
      { protectAbove: { rate: "10/s", burst: 1 } },
      { protectAbove: { rate: "10/second", burst: 1 } },
    ],
    ["a number of connections", { connectionLimit: 5 }, { connectionLimit: { max: 5, per: "rule" } }],
    [
      "a limit for networks",
      { connectionLimit: { max: 5, per: { ipv4: 24 } } },
      { connectionLimit: { max: 5, per: { ipv4: 24, ipv6: 64 } } },
    ],
    ["a log", { log: true }, { log: { rate: "10/second", burst: 5, level: "info" } }],
    [
      "a log of its own words",
      { logHandshake: { prefix: "web ", rate: "1/day", level: "debug" } },
      { logHandshake: { prefix: "web ", rate: "1/day", burst: 5, level: "debug" } },
    ],
    [
      "a trap",
      { action: { trap: { set: "scanners", timeout: "1h30m" } } },
      { action: { trap: { set: "scanners", timeout: 5400 } } },
    ],
    [
      "a target",
      { action: { dnat: { to: "10.0.0.0/30:080-90" } } },
      { action: { dnat: { to: "10.0.0.0-10.0.0.3:80-90", persistent: false } } },
    ],
    ["a mark", { mark: "0x00000010" }, { mark: 16 }],
    ["sets", { denySources: ["b", "a", "b"] }, { denySources: ["a", "b"] }],
    [
      "profiles",
      {
        profiles: { wan: { mss: 1300 }, lan: { mss: 8960 } },
        sourceProfiles: { "10.1.0.0-10.1.255.255": "lan", "10.2.0.0/16": "wan" },
      },
      {
        profiles: {
          lan: { mss: 8960, timestamp: false, sackPerm: false },
          wan: { mss: 1300, timestamp: false, sackPerm: false },
        },
        sourceProfiles: { "10.1.0.0/16": "lan", "10.2.0.0/16": "wan" },
      },
    ],
    ["a drain", { onDelete: "drain", drainTimeout: "5m" }, { onDelete: "drain", drainTimeout: 300 }],
  ])("%s", (_name, given, expected) => {
    expect(parse(given)).toMatchObject(expected);
  });

  test("networks with profiles does not depend on their order", () => {
    const of = (names: string[]) =>
      JSON.stringify(
        parse({ profiles: { lan: {} }, sourceProfiles: Object.fromEntries(names.map((n) => [n, "lan"])) }),
      );
    expect(of(["10.1.0.0/16", "10.2.0.0/16"])).toBe(of(["10.2.0.0/16", "10.1.0.0/16"]));
  });
});

/** What is told of a rule that cannot be. */
function problemsOf(part: object): string[] {
  const given = { chain: "input", match: { destinations: ["192.0.2.1"], ports: [80] }, ...part };
  return [...validate(synproxyRule, given, { secret: () => false }).problems];
}

describe("a rule is refused with", () => {
  const on = (part: object): object => ({ match: { destinations: ["192.0.2.1"], ports: [80], ...part } });
  const PROFILES = { lan: { mss: 8960 }, wan: { mss: 1300 } };
  const RATE = 'a rate is a text like "2000/second", "30/minute", "10/hour" or "5/day"';
  const TARGET =
    'where to is an address or a range of them ("10.1.1.1", "10.1.1.1-10.1.1.10"), with or without ports ' +
    '("10.1.1.1:8080", "[2001:db8::1]:8080-8090"), or ports alone (":8080")';
  const ACTION =
    'action is "accept", "drop", "reject", { redirect: 8080 }, { dnat: { to } } or { trap: { set, timeout } }';
  const NO_CHANGE =
    "a connection cannot change from one protocol to the other; the rule's addresses are of another family";
  const dnat = (to: unknown, more: object = {}): object => ({ action: { dnat: { to, ...more } } });

  test.each<[string, object, string | string[]]>([
    [
      "redirect on forward",
      { chain: "forward", action: { redirect: 8080 } },
      'action.redirect: 8080: redirect leads to a port of the balancer itself, which chain "forward" is not about; use chain "input", or dnat',
    ],
    [
      "redirect to port 0",
      { action: { redirect: 0 } },
      "action.redirect: 0: redirect is a whole number from 1 to 65535",
    ],
    ["an action that there is none of", { action: "mirror" }, `action: "mirror": ${ACTION}`],
    ["two actions", { action: { redirect: 80, dnat: { to: ":8080" } } }, `action: an object: ${ACTION}`],
    ["DNAT to nowhere", dnat(""), `action.dnat.to: "": ${TARGET}`],
    ["DNAT to a name", dnat("backend"), `action.dnat.to: "backend": ${TARGET}`],
    [
      "DNAT to IPv6 and a port without brackets",
      dnat("2001:db8::1:99999"),
      `action.dnat.to: "2001:db8::1:99999": ${TARGET}`,
    ],
    ["DNAT to port 0", dnat("10.0.0.1:0"), `action.dnat.to: "10.0.0.1:0": ${TARGET}; ports are 1 to 65535`],
    ["DNAT to ports backwards", dnat(":90-80"), 'action.dnat.to: ":90-80": the range of ports ends before it begins'],
    ["DNAT of IPv4 to IPv6", dnat("2001:db8::1"), `action.dnat.to: "2001:db8::1": ${NO_CHANGE}`],
    [
      "DNAT of both to IPv4",
      { ...on({ destinations: ["192.0.2.1", "2001:db8::1"] }), ...dnat("10.0.0.1") },
      `action.dnat.to: "10.0.0.1": ${NO_CHANGE}`,
    ],
    [
      "a destination without a client of its family",
      on({ destinations: ["192.0.2.1", "2001:db8::1"], sources: ["10.0.0.0/8"] }),
      'match.destinations: "2001:db8::1": this rule is for IPv4: give what it is combined with for IPv6 as well, or leave it out',
    ],
    [
      "DNAT of one family to the other",
      { match: { ports: [80] }, family: "ipv6", ...dnat("10.0.0.1") },
      `action.dnat.to: "10.0.0.1": ${NO_CHANGE}`,
    ],
    [
      "persistent without addresses",
      dnat(":8080", { persistent: true }),
      "action.dnat.persistent: true: there is but one server, as only the port changes",
    ],
    [
      "a trap without a timeout",
      { action: { trap: { set: "scanners" } } },
      'action.trap.timeout: is missing: a duration is a number of seconds or a text like "90s", "2m", "1h30m" or "5d"',
    ],
    [
      "a set whose name nft does not take",
      { denySources: ["a b"] },
      'denySources[0]: "a b": a set has letters, digits, _ and -, at most 32, the first a letter or a digit',
    ],
    ["no sets", { denySources: [] }, "denySources: []: an empty list denies nothing; leave denySources out"],
    [
      "a negation that leaves no address",
      on({ notDestinations: ["192.0.2.0/24"] }),
      "match: nothing is left to match: notDestinations leaves none of them",
    ],
    [
      "a negation of all addresses",
      { match: { notDestinations: ["0.0.0.0/0"] } },
      "match: nothing is left to match: notDestinations leaves none of them",
    ],
    [
      "a negation that leaves no port",
      on({ notPorts: ["1-100"] }),
      "match: nothing is left to match: notPorts leaves none of them",
    ],
    [
      "a negation of all ports",
      on({ ports: undefined, notPorts: ["1-65535"] }),
      "match: nothing is left to match: notPorts leaves none of them",
    ],
    [
      "a negation that leaves no interface",
      on({ interfaces: ["eth0"], notInterfaces: ["eth0", "eth1"] }),
      "match: nothing is left to match: notInterfaces leaves none of them",
    ],
    [
      "a negation that leaves no client",
      on({ sources: ["10.0.0.1"], notSources: ["10.0.0.0/8"] }),
      "match: nothing is left to match: notSources leaves none of them",
    ],
    [
      "clients of the other family",
      on({ sources: ["2001:db8::/32"] }),
      [
        'match.destinations: "192.0.2.1": this rule is for no protocol at all: give what it is combined with for IPv4 as well, or leave it out',
        'match.sources: "2001:db8::/32": this rule is for no protocol at all: give what it is combined with for IPv6 as well, or leave it out',
      ],
    ],
    [
      "a family that the addresses are not of",
      { family: "ipv6" },
      'match.destinations: "192.0.2.1": this rule is for no protocol at all: give what it is combined with for IPv4 as well, or leave it out',
    ],
    ["a family of another name", { family: "ip" }, 'family: "ip": family is "ipv4", "ipv6" or "both"'],
    [
      "a source's profile that is not there",
      { profiles: { lan: {} }, sourceProfiles: { "10.0.0.0/8": "lan", "11.0.0.0/8": "wan" } },
      'sourceProfiles: "wan": profiles has none of this name (there are: lan)',
    ],
    [
      "a profile of a name that every object has",
      { sourceProfiles: { "10.0.0.0/8": "constructor" } },
      'sourceProfiles: "constructor": profiles has none of this name (there are: none)',
    ],
    [
      "a profile that nobody gets",
      { profiles: PROFILES, sourceProfiles: { "10.0.0.0/8": "lan" } },
      'profiles: "wan": no entry of sourceProfiles uses this profile',
    ],
    [
      "networks that overlap",
      { profiles: PROFILES, sourceProfiles: { "10.0.0.0/8": "lan", "10.1.0.0/16": "wan" } },
      'sourceProfiles: "10.1.0.0/16": overlaps another network, so it is not clear which profile a client gets (10.0.0.0/8)',
    ],
    [
      "one network in two spellings",
      { profiles: PROFILES, sourceProfiles: { "10.0.0.1": "lan", "10.0.0.1/32": "wan" } },
      'sourceProfiles: "10.0.0.1": this network is there twice',
    ],
    [
      "a profile for what is no network",
      { profiles: { lan: {} }, sourceProfiles: { office: "lan" } },
      'sourceProfiles: "office": is not an address (203.0.113.10), a network (203.0.113.0/24) or a range (203.0.113.10-203.0.113.20)',
    ],
    [
      "a profile for clients of the other family",
      { profiles: { lan: {} }, sourceProfiles: { "2001:db8::/32": "lan" } },
      'sourceProfiles: "2001:db8::/32": this rule is not for IPv6',
    ],
    [
      "a profile with a wrong option",
      { profiles: { lan: { mss: 1 } }, sourceProfiles: { "10.0.0.0/8": "lan" } },
      "profiles.lan.mss: 1: mss is a whole number from 88 to 65495",
    ],
    ["protectAbove before drop", { protectAbove: "9/s", action: "drop" }, ABOVE("this rule's action; leave it out")],
    [
      "protectAbove before reject",
      { protectAbove: "9/s", action: "reject" },
      ABOVE("this rule's action; leave it out"),
    ],
    [
      "protectAbove before a trap",
      { protectAbove: "9/s", action: { trap: { set: "a", timeout: 1 } } },
      ABOVE("this rule's action; leave it out"),
    ],
    ...[{ connectionLimit: 1 }, { rateLimit: "1/s" }, { log: true }].map((limit): [string, object, string] => [
      `protectAbove beside ${Object.keys(limit).join("")}`,
      { protectAbove: "9/s", ...limit },
      ABOVE(
        "connectionLimit, rateLimit and log, which are for connections that the proxy opens; leave it or those out",
      ),
    ]),
    ["a rate of nothing", { rateLimit: "0/s" }, `rateLimit: "0/s": rateLimit: ${RATE}`],
    ["a rate without a unit", { rateLimit: "5" }, `rateLimit: "5": rateLimit: ${RATE}`],
    ["a rate per week", { protectAbove: "5/week" }, `protectAbove: "5/week": protectAbove: ${RATE}`],
    [
      "a burst of nothing",
      { protectAbove: { rate: "5/s", burst: 0 } },
      "protectAbove.burst: 0: burst is a whole number from 1 to 1000000",
    ],
    ...["protectAbove", "rateLimit", "log"].map((limit): [string, object, string] => [
      `a burst of ${limit} that takes for ever`,
      { [limit]: { rate: "4/day", burst: 1_000_000 } },
      `${limit}.burst: 1000000: at this rate so many take more than 584 years, which the kernel does not count`,
    ]),
    [
      "no connections at all",
      { connectionLimit: { max: 0 } },
      "connectionLimit.max: 0: max is a whole number from 1 to 4294967295",
    ],
    [
      "a limit for networks of length 0",
      { connectionLimit: { max: 1, per: { ipv4: 0 } } },
      "connectionLimit.per.ipv4: 0: ipv4 is a whole number from 1 to 32",
    ],
    ...['a"b', "a\\b", "a\nb", "a$b"].map((prefix): [string, object, string] => [
      `the log prefix ${JSON.stringify(prefix)}`,
      { log: { prefix } },
      `log.prefix: ${JSON.stringify(prefix)}: prefix has no quotes, backslashes, dollars and control characters`,
    ]),
    [
      "a log prefix that the kernel does not take",
      { log: { prefix: "ä".repeat(51) } },
      `log.prefix: "${"ä".repeat(51)}": prefix has at most 100 bytes`,
    ],
    [
      "a log level of another name",
      { log: { level: "loud" } },
      'log.level: "loud": level is one of emerg, alert, crit, err, warn, notice, info, debug',
    ],
    ["two bits as a mark", { mark: 3 }, "mark: 3: mark is one bit of 32, such as 0x10000000"],
    ["no bit as a mark", { mark: 0 }, "mark: 0: mark is one bit of 32, such as 0x10000000"],
    ["bit 33 as a mark", { mark: "0x100000000" }, 'mark: "0x100000000": mark is one bit of 32, such as 0x10000000'],
    ["a word as a mark", { mark: "red" }, 'mark: "red": mark is one bit of 32, such as 0x10000000'],
    ["a drain's time without a drain", { drainTimeout: 60 }, 'drainTimeout: 60: needs onDelete: "drain"'],
    [
      "a drain of two days",
      { onDelete: "drain", drainTimeout: "2d" },
      'drainTimeout: "2d": a drain takes 1 to 86400 s here',
    ],
    ["another way to go", { onDelete: "wait" }, 'onDelete: "wait": onDelete is "drain" or "immediate"'],
  ])("%s", (_name, part, message) => {
    expect(problemsOf(part)).toEqual([message].flat());
  });
});

function ABOVE(past: string): string {
  return `protectAbove: "9/second": below the rate connections would go past ${past}`;
}

test("the types say what the model takes, and gives", () => {
  const args: SynproxyRuleArgs = { chain: "forward", match: {}, action: { dnat: { to: ":80" } }, mark: "0x1" };
  const model: SynproxyRuleModel = synproxyRule.parse(args);
  expect(model).toEqual({
    chain: "forward",
    match: {},
    action: { dnat: { to: ":80", persistent: false } },
    mark: 1,
    options: { mss: 1460, timestamp: false, sackPerm: false },
  });
});
