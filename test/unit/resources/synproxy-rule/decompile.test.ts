import { type NftObject, byId, chain } from "../../../../provider/kernel/nftables/objects";
import { isNft } from "../../../../provider/kernel/object";
import { compile } from "../../../../provider/resources/synproxy-rule/compile";
import { decompile } from "../../../../provider/resources/synproxy-rule/decompile";
import { type SynproxyRuleArgs, synproxyRule } from "../../../../provider/resources/synproxy-rule/model";

const PREFIX = "synproxy/acme/prod/web/";
const parse = (args: Partial<SynproxyRuleArgs>) =>
  synproxyRule.parse({ chain: "input", match: { destinations: ["192.0.2.1"], ports: [80] }, ...args });
const objectsOf = (rule: ReturnType<typeof parse>): readonly NftObject[] =>
  compile(PREFIX, rule).wanted.flatMap(({ object, shared }) => (isNft(object) && !shared ? [object] : []));

const model = parse({
  match: { destinations: ["192.0.2.1", "192.0.2.2"], ports: [80, "8000-8010"] },
  options: { timestamp: true },
});
const { chain: hook, match, options } = model;
const objects = objectsOf(model);
const read = (...some: readonly NftObject[]) => decompile(PREFIX, byId(some));
const input = (...rules: string[]) => chain(`${PREFIX}input`, rules);
const element = (of: string, key: string): NftObject => ({ kind: "element", of, key, value: `goto ${PREFIX}input` });

test("all that belongs to a rule is the rule", () => {
  expect(read(...objects)).toEqual(model);
});

describe("what no arguments would produce is left out", () => {
  test.each<[string, readonly NftObject[], object]>([
    [
      "the keys are no combination",
      objects.filter((o) => !(o.kind === "element" && o.key === "192.0.2.1 . 80")),
      { chain: hook, options },
    ],
    [
      "a key has another shape",
      [...objects, element("input4", "192.0.2.9"), element("input4", "192.0.2.9 . x")],
      model,
    ],
    [
      "there is no key",
      [input("synproxy mss 1460", "drop")],
      { chain: hook, options: { mss: 1460, timestamp: false, sackPerm: false } },
    ],
    ["the proxy's chain is gone", objects.filter((o) => o.kind !== "chain"), {}],
    ["the proxy's rule is gone", [...objects, input("drop")], { chain: hook, match }],
    ["there is a rule behind it", [...objects, input("synproxy mss 1460", "drop", "accept")], { chain: hook, match }],
    [
      "there is more in its rule",
      [...objects, input("ct state new synproxy mss 1460", "drop")],
      { chain: hook, match },
    ],
  ])("when %s", (_name, some, expected) => {
    expect(read(...some)).toEqual(expected);
  });
});

describe("what a hand has changed is read as the arguments that it amounts to", () => {
  test("another option", () => {
    expect(read(...objects, input("synproxy mss 1400", "drop"))).toMatchObject({
      options: { mss: 1400, timestamp: false, sackPerm: false },
    });
  });

  test("another address with every port", () => {
    const more = [element("input4", "192.0.2.9 . 80"), element("input4-range", "192.0.2.9 . 8000-8010")];
    expect(read(...objects, ...more).match?.destinations).toEqual(["192.0.2.1", "192.0.2.2", "192.0.2.9"]);
  });

  test("a port less", () => {
    expect(read(...objects.filter((o) => !(o.kind === "element" && o.key.endsWith(" . 80")))).match?.ports).toEqual([
      "8000-8010",
    ]);
  });

  const own = (...rules: string[]) => chain(`${PREFIX}own`, rules);
  const prerouting = (...rules: string[]) => chain(`${PREFIX}prerouting`, rules);
  test.each<[string, Partial<SynproxyRuleArgs>, NftObject, object]>([
    [
      "another server",
      { action: { dnat: { to: "10.1.1.1" } } },
      own("dnat ip to 10.1.1.2"),
      { action: { dnat: { to: "10.1.1.2", persistent: false } } },
    ],
    ["no action any more", { action: "drop" }, own("dnat ip to ip daddr"), {}],
    ["another action", { action: "drop" }, own("dnat ip to ip daddr", "accept"), { action: "accept" }],
    ["another port", { action: { redirect: 80 } }, own("meta l4proto tcp dnat to :81"), { action: { redirect: 81 } }],
    [
      "another set and time",
      { action: { trap: { set: "a", timeout: 60 } } },
      own("update @trap4-b { ip saddr timeout 1h } drop", "drop"),
      { action: { trap: { set: "b", timeout: 3600 } } },
    ],
    [
      "another limit",
      { connectionLimit: 5, action: "drop" },
      own("ct count over 6 drop", "drop"),
      { connectionLimit: { max: 6, per: "rule" }, action: "drop" },
    ],
    [
      "a limit for networks",
      { rateLimit: { rate: "5/s", per: "source" }, action: "drop" },
      own(`update @${PREFIX}rate4 { ip saddr & 255.255.0.0 limit rate over 5/second } drop`, "drop"),
      { rateLimit: { rate: "5/second", burst: 5, per: { ipv4: 16, ipv6: 64 } }, action: "drop" },
    ],
    [
      "another log",
      { log: true, action: "drop" },
      own('limit rate 1/second log prefix "x" level err', "drop"),
      { log: { prefix: "x", rate: "1/second", burst: 5, level: "err" }, action: "drop" },
    ],
    [
      "another rate",
      { protectAbove: "5/s" },
      prerouting("limit rate over 6/second burst 9 packets notrack"),
      { protectAbove: { rate: "6/second", burst: 9 } },
    ],
    ["no rate any more", { protectAbove: "5/s" }, prerouting("notrack"), {}],
    [
      "a set less",
      { denySources: ["a", "b"] },
      prerouting("ip saddr @trap4-b drop", "notrack"),
      { denySources: ["b"] },
    ],
    [
      "another interface where it is not",
      { match: { destinations: ["192.0.2.1"], ports: [80], notInterfaces: ["eth0"] } },
      input('iifname { "eth1", "eth0" } return', "synproxy mss 1460", "drop"),
      { match: { destinations: ["192.0.2.1"], ports: [80], notInterfaces: ["eth0", "eth1"] } },
    ],
  ])("%s", (_name, args, by, expected) => {
    const declared = parse(args);
    const found = decompile(PREFIX, byId([...objectsOf(declared), by]), declared);
    expect(found).toEqual({ ...parse({}), ...expected });
  });

  test("a client's network of another profile", () => {
    const declared = parse({
      profiles: { lan: { mss: 8960 }, wan: { mss: 1300 } },
      sourceProfiles: { "10.0.0.0/8": "lan", "11.0.0.0/8": "wan" },
    });
    const by: NftObject = {
      kind: "element",
      of: `${PREFIX}profiles4`,
      key: "10.0.0.0/8",
      value: `goto ${PREFIX}input-wan`,
    };
    expect(decompile(PREFIX, byId([...objectsOf(declared), by]), declared)).toMatchObject({
      sourceProfiles: { "10.0.0.0/8": "wan", "11.0.0.0/8": "wan" },
    });
  });
});

describe("what can be said in several ways is said as it was declared:", () => {
  test.each<[string, Partial<SynproxyRuleArgs>]>([
    ["all but some addresses", { match: { notDestinations: ["10.0.0.0/8"], ports: [80] } }],
    ["all addresses by name", { match: { destinations: ["0.0.0.0/0", "::/0"], ports: [80] } }],
    ["no address", { match: { ports: [80] } }],
    ["all ports by name", { match: { destinations: ["192.0.2.1"], ports: ["1-65535"] } }],
    ["no port", { match: { destinations: ["192.0.2.1"] } }],
    ["all but some ports", { match: { destinations: ["192.0.2.1"], notPorts: [22] } }],
    ["all but some clients", { match: { destinations: ["192.0.2.1"], notSources: ["10.0.0.0/8"] } }],
    ["a family that goes without saying", { family: "ipv4" }],
    ["a family that does not", { match: { ports: [80] }, family: "ipv6" }],
    ["both families", { match: { ports: [80] }, family: "both" }],
    ["another port as DNAT", { action: { dnat: { to: ":81" } } }],
    ["another port as redirect", { action: { redirect: 81 } }],
    ["its own name in its log", { log: { prefix: "web " } }],
    ["a length for a family that it is not for", { connectionLimit: { max: 5, per: { ipv4: 32, ipv6: 56 } } }],
    ["each client", { connectionLimit: { max: 5, per: "source" } }],
    ["a mark", { mark: 1 }],
    ["how it goes", { onDelete: "drain", drainTimeout: 60 }],
  ])("%s", (_name, args) => {
    const declared = parse(args);
    expect(decompile(PREFIX, byId(objectsOf(declared)), declared)).toEqual(declared);
  });

  test("a rule of which nothing was declared as it is says what it is", () => {
    const declared = parse({ match: { notDestinations: ["0.0.0.0/1"], notPorts: ["1-1023"] } });
    expect(decompile(PREFIX, byId(objectsOf(declared)), parse({})).match).toEqual({
      destinations: ["128.0.0.0/1"],
      ports: ["1024-65535"],
    });
  });
});
