/** Whom a rule asks, what it makes of the answer, and what it says of declared options. No host is reached here. */
import { type Announced, type Question } from "../../../../provider/learn";
import { LOAD_BALANCER } from "../../../../provider/resources/load-balancer";
import { SYNPROXY_RULE } from "../../../../provider/resources/synproxy-rule";
import { compile } from "../../../../provider/resources/synproxy-rule/compile";
import { asks, taught } from "../../../../provider/resources/synproxy-rule/learn";
import { synproxyRule } from "../../../../provider/resources/synproxy-rule/model";

const MATCH = { destinations: ["192.0.2.1", "192.0.2.2"], ports: [443, 80] };
const parse = (args: object) => synproxyRule.parse({ chain: "input", match: MATCH, options: "learn", ...args });
const servers = (args: object) =>
  asks(parse(args)).flatMap((q) => q.servers.map(({ address, port }) => `${address} ${port.toString()}`));
const problems = (args: object) =>
  synproxyRule
    .safeParse({ chain: "input", match: MATCH, options: "learn", ...args })
    .error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];

const ANNOUNCED: Announced = { mss: 1440, wscale: 9, timestamp: true, sackPerm: true };

test.each<[string, object, string[]]>([
  ["the first address and port", {}, ["192.0.2.1 80"]],
  ["the first port of a range", { match: { ...MATCH, ports: ["8000-8010"] } }, ["192.0.2.1 8000"]],
  ["the first single address", { match: { ...MATCH, destinations: ["192.0.2.0/30", "192.0.2.9"] } }, ["192.0.2.9 80"]],
  [
    "one of each family",
    { match: { ...MATCH, destinations: ["2001:db8::1", "192.0.2.1"] } },
    ["192.0.2.1 80", "2001:db8::1 80"],
  ],
  ["another port of the balancer", { action: { redirect: 8080 } }, ["192.0.2.1 8080"]],
  ["another machine", { action: { dnat: { to: "10.1.1.1" } } }, ["10.1.1.1 80"]],
  [
    "the first of several, and its first port",
    { action: { dnat: { to: "10.1.1.1-10.1.1.9:81-90" } } },
    ["10.1.1.1 81"],
  ],
  ["another port of the same address", { action: { dnat: { to: ":81" } } }, ["192.0.2.1 81"]],
  [
    "a machine, whatever the match says",
    { match: {}, action: { dnat: { to: "[2001:db8::5]:81" } } },
    ["2001:db8::5 81"],
  ],
])("it asks %s", (_name, args, expected) => {
  expect(servers(args)).toEqual(expected);
});

const UNKNOWN =
  'options: "learn": it is not known which server to ask: name a single address in match.destinations and a port in match.ports, or both in action.dnat.to; or say the options';
const NOBODY = `options: "learn": this rule's action lets nobody through to a server: leave options out`;
const LATE =
  "true: with serverFirst there is no timestamp: the server drops the proxy's first ACK for its timestamp echo, and its first words come a second late; leave timestamp out, or serverFirst if clients speak first";

test.each<[string, object, string[]]>([
  ["no destinations", { match: { ports: [80] } }, [UNKNOWN]],
  ["a network", { match: { destinations: ["192.0.2.0/24"], ports: [80] } }, [UNKNOWN]],
  ["no ports", { match: { destinations: ["192.0.2.1"] } }, [UNKNOWN]],
  ["all ports but some", { match: { destinations: ["192.0.2.1"], notPorts: [80] } }, [UNKNOWN]],
  ["an action that drops", { action: "drop" }, [NOBODY]],
  ["a trap", { action: { trap: { set: "scanners", timeout: 60 } } }, [NOBODY]],
  ["serverFirst with timestamp", { serverFirst: true, options: { timestamp: true } }, [`options.timestamp: ${LATE}`]],
  [
    "serverFirst with a profile's timestamp",
    { serverFirst: true, profiles: { lan: { timestamp: true } }, sourceProfiles: { "10.0.0.0/8": "lan" } },
    [`profiles.lan.timestamp: ${LATE}`],
  ],
])("refused: %s", (_name, args, expected) => {
  expect(problems(args)).toEqual(expected);
});

test("nobody is asked about default options, or where no server is known", () => {
  expect(servers({ options: {} })).toEqual([]);
  expect(servers({ options: { mss: 1460 } })).toEqual([]);
  expect(servers({ options: { mss: 1400 }, match: {} })).toEqual([]);
  expect(servers({ options: { mss: 1400 } })).toEqual(["192.0.2.1 80"]);
  expect(servers({ options: { timestamp: true }, action: "reject" })).toEqual([]);
});

test.each<[string, object, Announced, object, string]>([
  [
    "all of it",
    {},
    ANNOUNCED,
    { mss: 1440, wscale: 9, timestamp: true, sackPerm: true },
    "mss 1440 wscale 9 timestamp sack-perm",
  ],
  [
    "no scale",
    {},
    { mss: 1440, timestamp: true, sackPerm: false },
    { mss: 1440, wscale: 0, timestamp: true, sackPerm: false },
    "mss 1440 wscale 0 timestamp",
  ],
  [
    "no timestamp",
    {},
    { ...ANNOUNCED, timestamp: false },
    { mss: 1440, timestamp: false, sackPerm: false },
    "mss 1440",
  ],
  ["the server first", { serverFirst: true }, ANNOUNCED, { mss: 1440, timestamp: false, sackPerm: false }, "mss 1440"],
  [
    "a segment that nft would not take",
    {},
    { ...ANNOUNCED, mss: 48 },
    { mss: 88, wscale: 9, timestamp: true, sackPerm: true },
    "mss 88 wscale 9 timestamp sack-perm",
  ],
])("what it makes of an answer: %s", (_name, args, announced, options, words) => {
  const model = parse(args);
  expect(taught(model, announced)).toEqual({ ...model, options });
  expect(asks(model)[0]?.means(announced)).toBe(words);
  // As a program would have written it: canonical.
  expect(synproxyRule.parse(taught(model, announced))).toEqual(taught(model, announced));
});

test("until then its line says so; and what is no answer teaches nothing", () => {
  const model = parse({});
  const lines = compile("synproxy/acme/prod/web/", model).wanted.flatMap(({ object }) =>
    object.kind === "chain" && object.name.endsWith("/input") ? object.rules.map((rule) => rule[0]) : [],
  );
  expect(lines[0]).toEqual({ is: "foreign", text: "synproxy (learned from the server on apply)" });
  for (const learned of [undefined, null, {}, { mss: "1460" }, "learn"]) expect(taught(model, learned)).toBe(model);
  const declared = parse({ options: { mss: 1300 } });
  expect(taught(declared, ANNOUNCED)).toBe(declared);
});

describe("declared options are told of", () => {
  const [A, B] = [
    { address: "192.0.2.1", port: 80, interfaces: [] },
    { address: "2001:db8::1", port: 80, interfaces: [] },
  ];
  const warnings = (options: object, ...known: Parameters<Question["differs"]>[0]) =>
    asks(parse({ options }))[0]?.differs(known) ?? [];
  const told = (name: string, ours: number, theirs: number, cost: string) =>
    `options.${name}: ${ours.toString()} is announced for 192.0.2.1:80, which itself announces ${theirs.toString()}: ${cost}; say ${theirs.toString()}, or options: "learn"`;

  test.each<[string, object, string[]]>([
    ["the same", { mss: 1440, timestamp: true, wscale: 9 }, []],
    [
      "a larger mss",
      { mss: 1460, timestamp: true, wscale: 9 },
      [told("mss", 1460, 1440, "larger segments are fragmented, or lost where the path is narrower")],
    ],
    ["a smaller mss", { mss: 1300 }, [told("mss", 1300, 1440, "smaller segments cost throughput")]],
    [
      "a larger scale",
      { mss: 1440, timestamp: true, wscale: 10 },
      [told("wscale", 10, 9, "clients take its window for larger than it is, and overrun it")],
    ],
    [
      "a smaller scale",
      { mss: 1440, timestamp: true },
      [
        told(
          "wscale",
          7,
          9,
          "clients take its window for smaller than it is, and uploads are slow (0 against 10: 17.6 s for 20 MB instead of 0.12 s)",
        ),
      ],
    ],
  ])("%s", (_name, options, expected) => {
    expect(warnings(options, [A, ANNOUNCED])).toEqual(expected);
  });

  test("no answer is no difference, and one family that agrees is enough", () => {
    expect(warnings({ mss: 1300 })).toEqual([]);
    expect(
      warnings({ mss: 1400, timestamp: true, wscale: 8 }, [A, ANNOUNCED], [B, { ...ANNOUNCED, mss: 1400, wscale: 8 }]),
    ).toEqual([]);
  });
});

test("a LoadBalancer asks for each part by its name, and fills in each", () => {
  const rule = { chain: "input", match: MATCH };
  const other = { chain: "input", match: { destinations: ["192.0.2.7"], ports: [25] }, serverFirst: true };
  const model = LOAD_BALANCER.model.parse({
    conntrack: { accounting: true },
    synproxyRules: { web: { ...rule, options: "learn" }, mail: { ...other, options: "learn" }, plain: rule },
  });
  expect(LOAD_BALANCER.asks?.(model).map(({ path, learns }) => [path.join("."), learns])).toEqual([
    ["synproxyRules.mail", true],
    ["synproxyRules.web", true],
  ]);
  const filled = LOAD_BALANCER.taught?.(model, { synproxyRules: { web: ANNOUNCED } });
  expect(filled?.synproxyRules?.web?.options).toEqual(ANNOUNCED);
  expect(filled?.synproxyRules?.mail?.options).toBe("learn");
  expect(filled?.synproxyRules?.plain).toBe(model.synproxyRules?.plain);
  expect(LOAD_BALANCER.taught?.(model, undefined)).toBe(model);
  expect(SYNPROXY_RULE.asks?.(model.synproxyRules!.plain!)).toEqual([]);
});
