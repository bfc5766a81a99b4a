import { synproxyRule } from "../../../../provider/resources/synproxy-rule/model";

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
