/** Law 2 without the kernel, and what makes it hold: one canonical form. */
import fc from "fast-check";

import { type Declaration, desiredLines, ownerOf } from "../../../provider/engine/desired";
import { observedLines, restrictTo } from "../../../provider/engine/observed";
import { type Snapshot } from "../../../provider/engine/snapshot";
import { CONNTRACK_TUNING } from "../../../provider/resources/conntrack-tuning";
import { LAYOUTS } from "../../../provider/resources/layout";
import { RESOURCES } from "../../../provider/resources/registry";
import { type ResourceType } from "../../../provider/resources/resource";
import { SYNPROXY_RULE } from "../../../provider/resources/synproxy-rule";
import { conntrackTuningArgs, synproxyRuleArgs } from "../../support/arbitrary";
import { carryOut, planOf } from "../engine/paper-host";

const CASES: readonly { type: ResourceType; args: fc.Arbitrary<object> }[] = [
  { type: SYNPROXY_RULE, args: synproxyRuleArgs },
  { type: CONNTRACK_TUNING, args: conntrackTuningArgs },
];

test("every resource is tested here", () => {
  expect(CASES.map((c) => c.type)).toEqual(RESOURCES);
});

const declare = (type: ResourceType, args: object): Declaration => ({
  name: `${type.kind}/acme/prod/web`,
  label: type.type,
  ...type.compile(`${type.kind}/acme/prod/web`, type.model.parse(args)),
});

/** A host with a declaration in place, and with another value in what that claims before. */
function hostWith(d: Declaration): Snapshot {
  const keys = d.wanted.flatMap(({ object }) => (object.kind === "sysctl" ? [object.key] : []));
  const before: Snapshot = {
    nft: new Map(),
    sysctl: new Map(keys.map((key): [string, string] => [key, "12345"])),
    records: [],
    originals: new Map(),
  };
  return carryOut(planOf({ put: d }, before, LAYOUTS), before);
}

/** The same value with the members of every object, and of every list, in another order. */
function disordered(value: unknown, random: () => number): unknown {
  const shuffle = <T>(list: readonly T[]): T[] =>
    list
      .map((item) => ({ item, at: random() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ item }) => item);
  if (Array.isArray(value)) return shuffle(value.map((v) => disordered(v, random)));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(shuffle(Object.entries(value).map(([k, v]) => [k, disordered(v, random)] as const)));
}

describe.each(CASES)("$type.type", ({ type, args }) => {
  test("compiled and decompiled, the arguments are what they were", () => {
    fc.assert(
      fc.property(args, (a) => {
        const d = declare(type, a);
        expect(type.decompile(d.name, restrictTo(d, hostWith(d)))).toEqual(type.model.parse(a));
      }),
      { numRuns: 300 },
    );
  });

  test("in place, its lines are the desired ones, one of each tool that it names", () => {
    fc.assert(
      fc.property(args, (a) => {
        const d = declare(type, a);
        expect(observedLines(d, hostWith(d), LAYOUTS)).toEqual(desiredLines(d));
        expect(Object.keys(desiredLines(d))).toEqual(type.lines);
      }),
    );
  });

  test("its canonical form is canonical: to parse it again changes nothing", () => {
    fc.assert(
      fc.property(args, (a) => {
        const model = type.model.parse(a);
        expect(type.model.parse(model)).toEqual(model);
        expect(JSON.stringify(type.model.parse(model))).toBe(JSON.stringify(model));
      }),
      { numRuns: 300 },
    );
  });

  test("the order in which a program lists things is no difference", () => {
    fc.assert(
      fc.property(args, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (a, random) => {
        const other = disordered(a, () => Number(random.next().value)) as object;
        expect(type.model.parse(other)).toEqual(type.model.parse(a));
        expect(type.compile("k/a/b/c", type.model.parse(other))).toEqual(type.compile("k/a/b/c", type.model.parse(a)));
      }),
    );
  });

  test("what it shares belongs to nobody, and what is its own to it alone", () => {
    fc.assert(
      fc.property(args, (a) => {
        const d = declare(type, a);
        for (const { object, shared } of d.wanted)
          if (object.kind !== "sysctl") expect(ownerOf(object)).toBe(shared ? undefined : d.name);
          else expect(shared).toBe(true);
      }),
    );
  });

  test("without anything on the host there are no arguments", () => {
    expect(type.decompile("k/a/b/c", { nft: new Map(), sysctl: new Map() })).toEqual({});
  });
});
