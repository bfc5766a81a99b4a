import fc from "fast-check";

import { KeyIndex } from "../../../provider/engine/keys";
import { keysOverlap } from "../../../provider/engine/overlap";

/** What the last of some keys of one map meets. */
function met(...keys: readonly string[]): string[] {
  const index = new KeyIndex<string>();
  return keys.map((key) => index.enter("map", key, key)).at(-1) ?? [];
}

describe("a key meets", () => {
  test.each<[string, string[], string[]]>([
    ["an equal one", ["192.0.2.1 . 80", "192.0.2.1 . 80"], ["192.0.2.1 . 80"]],
    ["no other port", ["192.0.2.1 . 80", "192.0.2.1 . 81"], []],
    ["no other address", ["192.0.2.1 . 80", "192.0.2.2 . 80"], []],
    ["no other interface", ['"a-1" . 192.0.2.1 . 80', '"a-2" . 192.0.2.1 . 80'], []],
    ["a range that overlaps", ["192.0.2.1 . 80-90", "192.0.2.1 . 90-99"], ["192.0.2.1 . 80-90"]],
    [
      "all ranges that overlap",
      ["192.0.2.1 . 1-5", "192.0.2.1 . 8-9", "192.0.2.1 . 5-8"],
      ["192.0.2.1 . 1-5", "192.0.2.1 . 8-9"],
    ],
    ["no range beside it", ["192.0.2.1 . 80-90", "192.0.2.1 . 91-99"], []],
    ["no range of another address", ["192.0.2.1 . 80-90", "192.0.2.2 . 80-90"], []],
    ["a range around it", ["192.0.2.1 . 80-90", "192.0.2.1 . 85"], ["192.0.2.1 . 80-90"]],
    ["one within its range", ["192.0.2.1 . 85", "192.0.2.1 . 80-90"], ["192.0.2.1 . 85"]],
    ["ranges of addresses", ["192.0.2.1-192.0.2.9 . 80", "192.0.2.9-192.0.2.10 . 80-81"], ["192.0.2.1-192.0.2.9 . 80"]],
    ["a network around it", ["192.0.2.0/24 . 80", "192.0.2.7 . 80"], ["192.0.2.0/24 . 80"]],
    ["no network beside it", ["192.0.2.0/24 . 80", "192.0.3.0/24 . 80"], []],
    ["IPv6 as well", ["2001:db8::/64 . 80", "2001:db8::1-2001:db8::9 . 80-90"], ["2001:db8::/64 . 80"]],
    ["all addresses", ["0.0.0.0/0 . 0-65535", "192.0.2.1 . 80"], ["0.0.0.0/0 . 0-65535"]],
    [
      "clients within a network",
      ["10.0.0.0/8 . 192.0.2.1 . 80", "10.1.1.1 . 192.0.2.1 . 80"],
      ["10.0.0.0/8 . 192.0.2.1 . 80"],
    ],
    ["no other clients", ["10.0.0.0/8 . 192.0.2.1 . 80", "11.0.0.0/8 . 192.0.2.1 . 80"], []],
    ["a name with a hyphen as it is", ['"a-b" . 192.0.2.1 . 80', '"a-b" . 192.0.2.1 . 80'], ['"a-b" . 192.0.2.1 . 80']],
  ])("%s", (_name, keys, expected) => {
    expect(met(...keys)).toEqual(expected);
  });
});

test("keys of two maps do not meet", () => {
  const index = new KeyIndex<string>();
  expect(index.enter("one", "192.0.2.1 . 80", "a")).toEqual([]);
  expect(index.enter("other", "192.0.2.1 . 80", "b")).toEqual([]);
});

test("what has left is not met, and only who entered can leave", () => {
  const index = new KeyIndex<string>();
  for (const key of ["192.0.2.1 . 80", "192.0.2.1 . 90-99"]) {
    index.enter("map", key, "a");
    index.leave("map", key, "b");
    expect(index.enter("map", key, "b")).toEqual(["a"]);
    index.leave("map", key, "a");
    expect(index.enter("map", key, "b")).toEqual([]);
  }
});

test("it finds what comparing with each would find", () => {
  const port = fc.integer({ min: 1, max: 12 });
  const address = fc.integer({ min: 1, max: 3 }).map((n) => `192.0.2.${n.toString()}`);
  const range = fc.tuple(port, port).map(([a, b]) => `${Math.min(a, b).toString()}-${Math.max(a, b).toString()}`);
  const addresses = fc.tuple(address, address).map(([a, b]) => (a < b ? `${a}-${b}` : `${b}-${a}`));
  const key = fc
    .tuple(
      fc.constantFrom('"eth0" . ', '"wan-1" . '),
      fc.oneof({ weight: 4, arbitrary: address }, addresses),
      fc.oneof(port.map(String), range),
    )
    .map(([iface, a, p]) => `${iface}${a} . ${p}`);
  fc.assert(
    fc.property(fc.array(key, { maxLength: 30 }), (keys) => {
      const index = new KeyIndex<string>();
      const entered: string[] = [];
      for (const one of keys) {
        const expected = entered.filter((other) => keysOverlap(one, other));
        expect(index.enter("map", one, one).toSorted()).toEqual(expected.toSorted());
        if (expected.length === 0) entered.push(one);
      }
    }),
    { numRuns: 300 },
  );
});
