import { validate } from "../../../../provider/validate";
import { UNKNOWN } from "../../../../provider/wire";
import { loadBalancer } from "../../../../provider/resources/load-balancer/model";
import { PARTS, PROPERTIES } from "../../../../provider/resources/load-balancer/parts";

const RULE = { chain: "input", match: { destinations: ["192.0.2.1"], ports: [80] } };
const rules = (synproxyRules: unknown) => ({ synproxyRules });
const check = (given: unknown) => validate(loadBalancer, given, { secret: () => false });
const problems = (given: unknown) => check(given).problems;

const NAME_RULE = "a name here has letters, digits, _ and -, at most 32, the first a letter or a digit";
const RULES_SAY = "synproxyRules has for each name the arguments of a SynproxyRule: { web: { ... } }";
const RULE_SAYS = 'a SynproxyRule is an object such as { chain: "input", match: { destinations, ports } }';

describe("a LoadBalancer is refused with", () => {
  test.each<[string, unknown, string]>([
    ["nothing in it", {}, "nothing is declared: give at least one of conntrack, synproxyRules"],
    [
      "a bad value in a part",
      rules({ web: { ...RULE, options: { mss: 70000 } } }),
      "synproxyRules.web.options.mss: 70000: mss is a whole number from 88 to 65495",
    ],
    [
      "a bad value in a list of a part",
      rules({ dmz: RULE, web: { ...RULE, match: { destinations: ["192.0.2.1"], ports: [80, 0] } } }),
      "synproxyRules.web.match.ports[1]: 0: a port is a whole number from 1 to 65535, or a range like 8000-8080",
    ],
    [
      "a part with less than it needs",
      rules({ web: { chain: "input" } }),
      "synproxyRules.web.match: is missing: match says which connections are protected: { destinations, ports, interfaces, sources }",
    ],
    ["a part that tunes nothing", { conntrack: {} }, "conntrack: nothing is tuned: give at least one value"],
    [
      "a property that a part has not",
      rules({ web: { ...RULE, sauce: 1 } }),
      'synproxyRules.web: has no property "sauce"',
    ],
    ["a property that it has not itself", { conntrack: { tcpLoose: false }, rules: {} }, 'has no property "rules"'],
    ["a text for a part", rules({ web: "x" }), `synproxyRules.web: "x": ${RULE_SAYS}`],
    ["null for a part", rules({ web: null }), `synproxyRules.web: null: ${RULE_SAYS}`],
    ["a list for a part", rules({ web: [RULE] }), `synproxyRules.web: a list: ${RULE_SAYS}`],
    [
      "a text for the one part",
      { conntrack: "x" },
      'conntrack: "x": a ConntrackTuning is an object such as { tcpLoose: false }',
    ],
    ["a list of parts", rules([RULE]), `synproxyRules: a list: ${RULES_SAY}`],
    ["a text for parts", rules("x"), `synproxyRules: "x": ${RULES_SAY}`],
    ["null for parts", rules(null), `synproxyRules: null: ${RULES_SAY}`],
    ["a name with a dot", rules({ "a.b": RULE }), `synproxyRules.a.b: "a.b": ${NAME_RULE}`],
    ["a name with a slash", rules({ "a/b": RULE }), `synproxyRules.a/b: "a/b": ${NAME_RULE}`],
    ["a name with a space", rules({ "a b": RULE }), `synproxyRules.a b: "a b": ${NAME_RULE}`],
    ["a name with other letters", rules({ été: RULE }), `synproxyRules.été: "été": ${NAME_RULE}`],
    ["a name that Pulumi would not show", rules({ __web: RULE }), `synproxyRules.__web: "__web": ${NAME_RULE}`],
    ["no name", rules({ "": RULE }), `synproxyRules.: "": ${NAME_RULE}`],
    [
      "a name of 33 characters",
      rules({ ["x".repeat(33)]: RULE }),
      `synproxyRules.${"x".repeat(33)}: "${"x".repeat(33)}": ${NAME_RULE}`,
    ],
  ])("%s", (_name, given, message) => {
    expect(problems(given)).toEqual([message]);
  });

  test("problems of several parts, all at once", () => {
    const bad = { ...RULE, options: { mss: 1, ecn: true } };
    expect(
      problems({ conntrack: { tcpLoose: 1 }, synproxyRules: { a: bad, "b b": RULE, c: bad } }).map(
        (p) => p.split(":")[0],
      ),
    ).toEqual([
      "conntrack.tcpLoose",
      "synproxyRules.a.options.mss",
      "synproxyRules.a.options.ecn",
      "synproxyRules.b b",
      "synproxyRules.c.options.mss",
      "synproxyRules.c.options.ecn",
    ]);
  });
});

describe("a LoadBalancer may have", () => {
  test.each<[string, object]>([
    ["no rule", rules({})],
    ["a name of 32 characters", rules({ ["x".repeat(32)]: RULE })],
    ["a name of digits", rules({ "0": RULE })],
    ["a name with everything", rules({ "a_B-9": RULE })],
    ["one part alone", { conntrack: { tcpLoose: false } }],
  ])("%s", (_name, given) => {
    expect(problems(given)).toEqual([]);
  });
});

test("every part is told from other things in words of its own", () => {
  for (const property of PROPERTIES) {
    const given = PARTS[property].many ? { [property]: { web: 5 } } : { [property]: 5 };
    expect(problems(given)).toEqual([
      expect.stringContaining(`5: a ${PARTS[property].type.type} is an object such as {`),
    ]);
  }
});

describe("the canonical form", () => {
  test("has properties and names in one order", () => {
    const { value } = check({
      synproxyRules: { b: RULE, a: RULE, B: RULE, "10": RULE },
      conntrack: { tcpLoose: false },
    });
    expect(Object.keys(value)).toEqual(["conntrack", "synproxyRules"]);
    expect(Object.keys(value.synproxyRules as object)).toEqual(["10", "B", "a", "b"]);
  });

  test("is taken by each part beside an unknown one, and within it", () => {
    const { value, problems } = check({
      conntrack: { timeouts: { udp: "1m", icmp: UNKNOWN } },
      synproxyRules: {
        a: { chain: "input", match: { destinations: ["192.0.2.1"], ports: ["443", 80] } },
        b: { chain: "input", match: { destinations: [UNKNOWN], ports: ["443", 80] } },
        c: UNKNOWN,
      },
    });
    expect(problems).toEqual([]);
    expect(value).toEqual({
      conntrack: { timeouts: { udp: 60, icmp: UNKNOWN } },
      synproxyRules: {
        a: {
          chain: "input",
          match: { destinations: ["192.0.2.1"], ports: [80, 443] },
          options: { mss: 1460, timestamp: false, sackPerm: false },
        },
        b: { chain: "input", match: { destinations: [UNKNOWN], ports: [80, 443] } },
        c: UNKNOWN,
      },
    });
  });
});
