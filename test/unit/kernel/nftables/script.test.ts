import fc from "fast-check";

import {
  type Hook,
  type NftObject,
  type NftObjects,
  byId,
  chain,
  nftEqual,
  nftText,
} from "../../../../provider/kernel/nftables/objects";
import { parseEcho } from "../../../../provider/kernel/nftables/listing";
import { echoedTable, isEchoed, nftScript } from "../../../../provider/kernel/nftables/script";
import { table } from "./arbitrary";
import { FakeTable } from "./fake-table";

const T = "inet lbshield";
const NOTHING: NftObjects = new Map();
const script = (from: Iterable<NftObject>, to: Iterable<NftObject>): string[] =>
  nftScript(T, byId(from), byId(to)).map((line) => line.text);
const texts = (objects: NftObjects) => new Map([...objects].map(([id, o]) => [id, nftText(o)]));

const HOOK: Hook = { type: "filter", hook: "input", priority: -5, policy: "accept" };
const map = (key = "type ipv4_addr : verdict", flags: string[] = []): NftObject => ({
  kind: "map",
  name: "m",
  key,
  flags,
});
const set: NftObject = { kind: "set", name: "s", key: "type ipv4_addr", flags: ["interval"] };
const element = (key: string, value?: string): NftObject => ({
  kind: "element",
  of: value === undefined ? "s" : "m",
  key,
  ...(value === undefined ? {} : { value }),
});
const counter = (text = "packets 0 bytes 0"): NftObject => ({ kind: "foreign", name: "counter hits", text });
const helper: NftObject = { kind: "foreign", name: "ct helper sip", text: "l3proto ip" };

/** A small table in which everything leads to something. */
const WHOLE = [
  map(),
  set,
  counter(),
  helper,
  chain("own", ["notrack"]),
  chain("in", ["ip saddr @s drop", "ip daddr vmap @m"], HOOK),
  element("10.0.0.1", "goto own"),
  element("192.0.2.0/24"),
];

describe("a script has an order in which each line finds what it needs", () => {
  test("objects, then rules, then elements, when all is new", () => {
    expect(script([], WHOLE)).toEqual([
      "add table inet lbshield",
      "add chain inet lbshield own",
      "add chain inet lbshield in { type filter hook input priority -5; policy accept ; }",
      "add map inet lbshield m { type ipv4_addr : verdict ; }",
      "add set inet lbshield s { type ipv4_addr ; flags interval ; }",
      "add counter inet lbshield hits { packets 0 bytes 0 ; }",
      "add ct helper inet lbshield sip { l3proto ip ; }",
      "add rule inet lbshield own notrack",
      "add rule inet lbshield in ip saddr @s drop",
      "add rule inet lbshield in ip daddr vmap @m",
      "add element inet lbshield m { 10.0.0.1 : goto own }",
      "add element inet lbshield s { 192.0.2.0/24 }",
    ]);
  });

  test("elements, then rules, then objects, when things go", () => {
    const left = chain("left", ["accept"]);
    expect(script([...WHOLE, left], [left])).toEqual([
      "delete element inet lbshield m { 10.0.0.1 }",
      "delete element inet lbshield s { 192.0.2.0/24 }",
      "flush chain inet lbshield own",
      "flush chain inet lbshield in",
      "delete chain inet lbshield own",
      "delete chain inet lbshield in",
      "delete map inet lbshield m",
      "delete set inet lbshield s",
      "delete counter inet lbshield hits",
      "delete ct helper inet lbshield sip",
    ]);
  });

  test("a chain is emptied and filled again when one of its rules changes", () => {
    expect(script([chain("c", ["notrack", "accept"])], [chain("c", ["notrack", "drop"])])).toEqual([
      "flush chain inet lbshield c",
      "add rule inet lbshield c notrack",
      "add rule inet lbshield c drop",
    ]);
  });

  test("an element is deleted before it is created with another verdict", () => {
    const two = [map(), chain("a", ["drop"]), chain("b", ["drop"])];
    expect(script([...two, element("10.0.0.1", "goto a")], [...two, element("10.0.0.1", "goto b")])).toEqual([
      "delete element inet lbshield m { 10.0.0.1 }",
      "add element inet lbshield m { 10.0.0.1 : goto b }",
    ]);
  });

  test("an element is added alone", () => {
    expect(script([set], [set, element("10.0.0.1")])).toEqual(["add element inet lbshield s { 10.0.0.1 }"]);
  });

  test("the last object takes the table with it", () => {
    expect(script(WHOLE, [])).toEqual(["delete table inet lbshield"]);
  });
});

describe("what cannot be changed in place makes the table anew, in the same transaction", () => {
  const inChain = (hook: Hook | undefined) => chain("in", ["accept"], hook);
  test.each<[string, NftObject, NftObject]>([
    ["the type of a map", map(), map("type ipv6_addr : verdict")],
    ["the flags of a map", map(), map(undefined, ["interval"])],
    ["the priority of a base chain", inChain(HOOK), inChain({ ...HOOK, priority: 0 })],
    ["the policy of a base chain", inChain(HOOK), inChain({ ...HOOK, policy: "drop" })],
    ["the device of a base chain", inChain({ ...HOOK, device: "eth0" }), inChain({ ...HOOK, device: "eth1" })],
    ["a base chain that becomes an ordinary one", inChain(HOOK), inChain(undefined)],
    ["an ordinary chain that becomes a base chain", inChain(undefined), inChain(HOOK)],
    ["what an object that we do not know holds", counter(), counter("packets 7 bytes 9")],
  ])("%s", (_name, before, after) => {
    const beside = chain("beside", ["drop"]);
    expect(script([before, beside], [after, beside])).toEqual([
      "add table inet lbshield",
      "delete table inet lbshield",
      ...script([], [after, beside]),
    ]);
  });

  test("but not the rules of a base chain", () => {
    expect(script([chain("in", ["accept"], HOOK)], [chain("in", ["drop"], HOOK)])).toEqual([
      "flush chain inet lbshield in",
      "add rule inet lbshield in drop",
    ]);
  });
});

test("equal ends make an empty script, whatever the spelling and the order", () => {
  expect(script(WHOLE, WHOLE.toReversed())).toEqual([]);
  expect(script([chain("c", ["ct state new,invalid drop"])], [chain("c", ["ct state { invalid, new } drop"])])).toEqual(
    [],
  );
  expect(script([], [])).toEqual([]);
  fc.assert(
    fc.property(table, (t) => {
      expect(nftScript(T, t, new Map(t))).toEqual([]);
    }),
  );
});

test("each line names the object that it is for", () => {
  expect(nftScript(T, NOTHING, byId(WHOLE)).map((line) => line.id)).toEqual([
    "table",
    "chain own",
    "chain in",
    "map m",
    "set s",
    "counter hits",
    "ct helper sip",
    "chain own",
    "chain in",
    "chain in",
    "element m { 10.0.0.1 }",
    "element s { 192.0.2.0/24 }",
  ]);
});

describe("run on a table", () => {
  const runOn = (fake: FakeTable, from: NftObjects, to: NftObjects) => {
    fake.run(nftScript(T, from, to).map((line) => line.text));
    expect(fake.objects()).toEqual(texts(to));
  };

  test("the script from one state to another leads from the one to the other", () => {
    fc.assert(
      fc.property(table, table, (from, to) => {
        const fake = new FakeTable(T);
        runOn(fake, NOTHING, from);
        runOn(fake, from, to);
      }),
      { numRuns: 500 },
    );
  });

  test("the reverse, the same function with its ends exchanged, leads back", () => {
    fc.assert(
      fc.property(table, table, (from, to) => {
        const fake = new FakeTable(T);
        runOn(fake, NOTHING, from);
        runOn(fake, from, to);
        runOn(fake, to, from);
      }),
      { numRuns: 200 },
    );
  });

  test("a small change leaves the rest of the table alone", () => {
    fc.assert(
      fc.property(table, (from) => {
        const to = byId([...from.values(), chain("new", ["accept"])]);
        const lines = nftScript(T, from, to).map((line) => line.text);
        expect(lines.filter((text) => text !== `add table ${T}`)).toEqual([
          `add chain ${T} new`,
          `add rule ${T} new accept`,
        ]);
      }),
    );
  });
});

describe("what nft tells of itself (-e)", () => {
  const own = chain("own", ["notrack", "drop"]);
  const plain = [map(), own, element("10.0.0.1", "goto own")];
  const tell = (from: Iterable<NftObject>, to: Iterable<NftObject>) =>
    isEchoed(nftScript(T, byId(from), byId(to)), byId(to));

  test("is enough for chains, rules and elements of plain sets", () => {
    expect(tell([map()], plain)).toBe(true);
    expect(tell(plain, [map()])).toBe(true);
    expect(tell(plain, plain)).toBe(true);
  });

  test("is not, for what has a type, a hook or intervals", () => {
    expect(tell([], [map()])).toBe(false);
    expect(tell([own], [own, chain("in", [], HOOK)])).toBe(false);
    expect(tell([set], [set, element("192.0.2.0/24")])).toBe(false);
    expect(tell(plain, [])).toBe(true);
  });

  test.each<[string, string, NftObject[], string[]]>([
    [
      "all of it",
      `add chain inet lbshield own
add rule inet lbshield own notrack
add rule inet lbshield own drop
add element inet lbshield m { 10.0.0.1 : goto own }
# new generation 3 by process 1 (nft)
`,
      plain,
      [],
    ],
    [
      "a rule is missing",
      "add chain inet lbshield own\nadd rule inet lbshield own notrack\nadd element inet lbshield m { 10.0.0.1 : goto own }",
      plain,
      ["chain own"],
    ],
    [
      "an element is missing",
      "add rule inet lbshield own notrack\nadd rule inet lbshield own drop",
      plain,
      ["element m { 10.0.0.1 }"],
    ],
  ])("%s", (_name, echo, to, differ) => {
    const target = byId(to);
    const lines = nftScript(T, byId([map()]), target);
    const seen = echoedTable(lines, target, parseEcho(echo, T) ?? []);
    expect([...target.keys()].filter((id) => !nftEqual(seen.get(id), target.get(id)))).toEqual(differ);
  });

  test.each(["add table inet lbshield", "add rule ip other own drop", "Segmentation fault"])(
    "not understood: %s",
    (line) => {
      expect(parseEcho(line, T)).toBeUndefined();
    },
  );
});
