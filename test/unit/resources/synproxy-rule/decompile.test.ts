import { type NftObject, byId, chain } from "../../../../provider/kernel/nftables/objects";
import { isNft } from "../../../../provider/kernel/object";
import { compile } from "../../../../provider/resources/synproxy-rule/compile";
import { decompile } from "../../../../provider/resources/synproxy-rule/decompile";
import { synproxyRule } from "../../../../provider/resources/synproxy-rule/model";

const PREFIX = "synproxy/acme/prod/web/";
const model = synproxyRule.parse({
  chain: "input",
  match: { destinations: ["192.0.2.1", "192.0.2.2"], ports: [80, "8000-8010"] },
  options: { timestamp: true },
});
const { chain: hook, match, options } = model;
const objects: readonly NftObject[] = compile(PREFIX, model).wanted.flatMap(({ object, shared }) =>
  isNft(object) && !shared ? [object] : [],
);
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
      { options },
    ],
    ["a key has another shape", [...objects, element("input4", "192.0.2.9")], model],
    [
      "there is no key",
      [input("synproxy mss 1460", "drop")],
      { options: { mss: 1460, timestamp: false, sackPerm: false } },
    ],
    ["the proxy's chain is gone", objects.filter((o) => o.kind !== "chain"), { chain: hook, match }],
    ["the proxy's rule is gone", [...objects, input("drop")], { chain: hook, match }],
    [
      "there is a rule before it",
      [...objects, input("counter accept", "synproxy mss 1460", "drop")],
      { chain: hook, match },
    ],
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
});
