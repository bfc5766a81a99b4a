import fc from "fast-check";

import { UNKNOWN, containsUnknown, isObject, withoutUndefined } from "../../provider/wire";

/** Anything that a program can pass: JSON, with members that are undefined. */
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<unknown>(null, true, 0, "", "text", undefined),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "c"), tie("value"), { maxKeys: 3 }),
  ),
}));

describe("an unknown value", () => {
  test("is what the engine sends for one", () => {
    expect(UNKNOWN).toBe("04da6b54-80e4-46f7-96ec-b56ff0331ba9");
  });

  test.each([
    ["itself", UNKNOWN],
    ["a member", { a: UNKNOWN }],
    ["an item", ["x", UNKNOWN]],
    ["deep inside", { a: [{ b: { c: ["x", [UNKNOWN]] } }] }],
  ])("is found as %s", (_name, v) => {
    expect(containsUnknown(v)).toBe(true);
  });

  test("is found wherever it is put", () => {
    fc.assert(
      fc.property(value, (v) => {
        expect(containsUnknown(v)).toBe(false);
        expect(containsUnknown({ v, w: [v, UNKNOWN] })).toBe(true);
      }),
    );
  });

  test.each([[`${UNKNOWN} `], [[`x${UNKNOWN}`]], [{ [UNKNOWN]: 1 }], [null], [undefined], [0]])("is not %j", (v) => {
    expect(containsUnknown(v)).toBe(false);
  });
});

test.each([
  [{}, true],
  [{ a: 1 }, true],
  [[], false],
  [null, false],
  [undefined, false],
  ["{}", false],
  [1, false],
])("%j is an object: %s", (v, expected) => {
  expect(isObject(v)).toBe(expected);
});

describe("what goes back to the engine", () => {
  test("has no member that is undefined, at any depth", () => {
    expect(withoutUndefined({ a: undefined, b: { c: undefined, d: [{ e: undefined, f: 1 }] } })).toStrictEqual({
      b: { d: [{ f: 1 }] },
    });
    expect(Object.keys(withoutUndefined({ a: undefined }))).toEqual([]);
  });

  test("keeps null, false, 0 and the empty text, list and object", () => {
    const full = { a: null, b: false, c: 0, d: "", e: [], f: {} };
    expect(withoutUndefined(full)).toStrictEqual(full);
  });

  test("is a copy of its own, and equal when there is nothing to take away", () => {
    fc.assert(
      fc.property(value, (v) => {
        const clean = withoutUndefined({ v });
        expect(clean).toEqual({ v }); // toEqual takes undefined for absent
        expect(withoutUndefined(clean)).toStrictEqual(clean);
      }),
    );
  });
});
