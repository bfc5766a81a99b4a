import {
  type NftObject,
  byId,
  chain,
  hookText,
  nftEqual,
  nftId,
  nftText,
  verdictChain,
} from "../../../../provider/kernel/nftables/objects";

test.each<[NftObject, string, string]>([
  [chain("input-dispatch", ["drop"]), "chain input-dispatch", "drop"],
  [
    chain("in", ["notrack", "accept"], { type: "filter", hook: "input", priority: -5, policy: "accept" }),
    "chain in",
    "type filter hook input priority -5; policy accept; notrack; accept",
  ],
  [chain("empty", []), "chain empty", ""],
  [{ kind: "set", name: "s", key: "type ipv4_addr", flags: [] }, "set s", "type ipv4_addr"],
  [
    { kind: "map", name: "m", key: "type ipv4_addr : verdict", flags: ["interval", "timeout"] },
    "map m",
    "type ipv4_addr : verdict; flags interval,timeout",
  ],
  [{ kind: "element", of: "s", key: "10.0.0.1" }, "element s { 10.0.0.1 }", ""],
  [{ kind: "element", of: "m", key: "10.0.0.1 . 80", value: "goto x" }, "element m { 10.0.0.1 . 80 }", "goto x"],
  [{ kind: "foreign", name: "ct helper sip", text: "l3proto ip" }, "ct helper sip", "l3proto ip"],
])("%j is told by its id and its text", (object, id, text) => {
  expect(nftId(object)).toBe(id);
  expect(nftText(object)).toBe(text);
});

test("a hook on a device names it", () => {
  expect(hookText({ type: "filter", hook: "ingress", device: "eth0", priority: -500, policy: "drop" })).toBe(
    'type filter hook ingress device "eth0" priority -500; policy drop',
  );
});

describe("two objects are equal when id and text are", () => {
  const one = chain("c", ["ct state new,invalid drop"]);
  test.each<[string, NftObject | undefined, boolean]>([
    ["itself", one, true],
    ["its other spelling", chain("c", ["ct state { invalid, new } drop"]), true],
    ["another name", chain("d", ["ct state new,invalid drop"]), false],
    ["another rule", chain("c", ["ct state new drop"]), false],
    ["another kind with its text", { kind: "foreign", name: "counter c", text: nftText(one) }, false],
    ["nothing", undefined, false],
  ])("with %s", (_name, other, equal) => {
    expect(nftEqual(one, other)).toBe(equal);
    expect(nftEqual(other, one)).toBe(equal);
  });
});

test("objects are found by their id", () => {
  const a = chain("a", []);
  const b: NftObject = { kind: "element", of: "m", key: "1", value: "drop" };
  expect(byId([a, b])).toEqual(
    new Map<string, NftObject>([
      ["chain a", a],
      ["element m { 1 }", b],
    ]),
  );
});

test.each([
  ["goto a/b/c/d/input", "a/b/c/d/input"],
  ["jump x", "x"],
  ["accept", undefined],
  [undefined, undefined],
])("the verdict %p leads to chain %p", (value, expected) => {
  expect(verdictChain({ kind: "element", of: "m", key: "k", ...(value === undefined ? {} : { value }) })).toBe(
    expected,
  );
});
