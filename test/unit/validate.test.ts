import { z } from "zod";

import { UNKNOWN } from "../../provider/wire";
import { validate } from "../../provider/validate";
import { reason, wholeNumber } from "../../provider/values";

const model = z.strictObject({
  size: wholeNumber(1, 9, "size").default(5),
  names: z.array(z.string({ error: reason("a name is a text") })).optional(),
  inner: z
    .strictObject({ deep: z.array(z.strictObject({ leaf: z.boolean({ error: reason("a leaf is true or false") }) })) })
    .optional(),
  mood: z
    .string()
    .transform((s) => s.toUpperCase())
    .optional(),
});

const open = { secret: () => false };
const problems = (given: Record<string, unknown>, options: Parameters<typeof validate>[2] = open) =>
  validate(model, given, options).problems;

test("what is good comes back in its canonical form", () => {
  expect(validate(model, { mood: "fine" }, open)).toEqual({ value: { size: 5, mood: "FINE" }, problems: [] });
});

describe("a problem is told by path, value and reason", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ["at the top", { size: 0 }, "size: 0: size is a whole number from 1 to 9"],
    ["in a list", { names: ["a", 7] }, "names[1]: 7: a name is a text"],
    [
      "deep down",
      { inner: { deep: [{ leaf: true }, { leaf: "no" }] } },
      'inner.deep[1].leaf: "no": a leaf is true or false',
    ],
    ["that is missing", { inner: { deep: [{}] } }, "inner.deep[0].leaf: is missing: a leaf is true or false"],
    ["that is null", { size: null }, "size: null: size is a whole number from 1 to 9"],
    ["that is an object", { size: { a: 1 } }, "size: an object: size is a whole number from 1 to 9"],
    ["of a property that is not there", { sizes: 1 }, 'has no property "sizes"'],
    ["of two that are not there", { sizes: 1, nam: 2 }, 'has no property "sizes", "nam"'],
    ["of one that is not there, further down", { inner: { deep: [], peel: 1 } }, 'inner: has no property "peel"'],
  ])("%s", (_name, given, message) => {
    expect(problems(given)).toEqual([message]);
  });

  test("that begins where the model stands in a larger one", () => {
    expect(problems({ size: 0, sizes: 1 }, { ...open, at: "connection.proxy" })).toEqual([
      "connection.proxy.size: 0: size is a whole number from 1 to 9",
      'connection.proxy: has no property "sizes"',
    ]);
  });

  test("with all others at once", () => {
    expect(problems({ size: 0, names: [1, "a", 2], inner: { deep: "x" } })).toHaveLength(4);
  });
});

describe("of alternatives that are not met", () => {
  const short = z.union(
    [
      z.enum(["on", "off"]),
      z.strictObject({ level: wholeNumber(1, 9, "level") }),
      z.strictObject({ color: z.strictObject({ red: wholeNumber(0, 255, "red") }) }),
    ],
    { error: reason("a light is on, off, { level } or { color }") },
  );
  const told = (light: unknown) => validate(z.strictObject({ light: short }), { light }, open).problems;

  test.each<[unknown, string]>([
    [{ level: "x" }, 'light.level: "x": level is a whole number from 1 to 9'],
    [{ color: { red: 256 } }, "light.color.red: 256: red is a whole number from 0 to 255"],
    [{ color: {} }, "light.color.red: is missing: red is a whole number from 0 to 255"],
    [{ level: 5, colour: 1 }, 'light: has no property "colour"'],
    ["dim", 'light: "dim": a light is on, off, { level } or { color }'],
    [{}, "light: an object: a light is on, off, { level } or { color }"],
    [{ level: 5, color: { red: 5 } }, "light: an object: a light is on, off, { level } or { color }"],
  ])("the one that was meant is told of, where it is plain: %j", (light, message) => {
    expect(told(light)).toEqual([message]);
  });
});

describe("a secret", () => {
  const secret = (...paths: string[]) => ({ secret: (path: readonly PropertyKey[]) => paths.includes(path.join(".")) });

  test("is not shown, whatever it is", () => {
    for (const value of ["hunter2", 7777, ["hunter2"], { a: "hunter2", b: ["x"] }, { a: { b: "hunter2" } }])
      expect(problems({ size: value }, secret("size"))).toEqual(["size: [secret]: size is a whole number from 1 to 9"]);
  });

  test("is told to be missing when it is", () => {
    expect(problems({ inner: { deep: [{}] } }, secret("inner.deep.0.leaf"))).toEqual([
      "inner.deep[0].leaf: is missing: a leaf is true or false",
    ]);
  });

  test("does not hide what is none", () => {
    expect(problems({ size: 77, names: ["a", 55] }, secret("size"))).toEqual([
      "size: [secret]: size is a whole number from 1 to 9",
      "names[1]: 55: a name is a text",
    ]);
  });
});

describe("a value that is not known yet", () => {
  test.each<[string, Record<string, unknown>]>([
    ["at the top", { size: UNKNOWN }],
    ["as a list", { names: UNKNOWN }],
    ["in a list", { names: ["a", UNKNOWN] }],
    ["as an object", { inner: UNKNOWN }],
    ["deep down", { inner: { deep: [{ leaf: UNKNOWN }] } }],
  ])("is no problem %s", (_name, given) => {
    expect(problems(given)).toEqual([]);
  });

  test("does not hide another's problem", () => {
    expect(problems({ names: [UNKNOWN, 7], size: 0, inner: { deep: [{ leaf: UNKNOWN }, { leaf: 1 }] } })).toEqual([
      "size: 0: size is a whole number from 1 to 9",
      "names[1]: 7: a name is a text",
      "inner.deep[1].leaf: 1: a leaf is true or false",
    ]);
  });

  test("stays as it is, while what is known beside it takes its canonical form", () => {
    expect(validate(model, { size: UNKNOWN, mood: "fine" }, open).value).toEqual({ size: UNKNOWN, mood: "FINE" });
  });
});
