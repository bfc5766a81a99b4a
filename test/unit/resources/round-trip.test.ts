/** Law 2 without the kernel, and what makes it hold: one canonical form. */
import fc from "fast-check";

import { type Declaration, desiredLines, ownerOf } from "../../../provider/engine/desired";
import { observedLines, restrictTo } from "../../../provider/engine/observed";
import { type Observed, type Snapshot } from "../../../provider/engine/snapshot";
import { isNft } from "../../../provider/kernel/object";
import { CONNTRACK_TUNING } from "../../../provider/resources/conntrack-tuning";
import { LAYOUT } from "../../../provider/resources/layout";
import { LOAD_BALANCER } from "../../../provider/resources/load-balancer";
import { ownPrefix } from "../../../provider/resources/owner";
import { RESOURCES } from "../../../provider/resources/registry";
import { type ResourceType } from "../../../provider/resources/resource";
import { SYNPROXY_RULE } from "../../../provider/resources/synproxy-rule";
import { conntrackTuningArgs, loadBalancerArgs, synproxyRuleArgs } from "../../support/arbitrary";
import { FRESH, carryOut, planFor } from "../engine/paper-host";

const CASES: readonly { type: ResourceType; args: fc.Arbitrary<object> }[] = [
  { type: SYNPROXY_RULE, args: synproxyRuleArgs },
  { type: CONNTRACK_TUNING, args: conntrackTuningArgs },
  { type: LOAD_BALANCER, args: loadBalancerArgs },
];

const NOTHING: Observed = { nft: new Map(), sysctl: new Map(), objects: new Map<string, never>() };

test("every resource is tested here", () => {
  expect(CASES.map((c) => c.type.type).toSorted()).toEqual(RESOURCES.map((r) => r.type).toSorted());
});

const declare = (type: ResourceType, args: object): Declaration => ({
  name: `${type.kind}/acme/prod/web`,
  label: type.type,
  ...type.compile(`${type.kind}/acme/prod/web/`, type.model.parse(args)),
});

/** A host with a declaration in place, and with another value in what that claims before. */
function hostWith(d: Declaration): Snapshot {
  const keys = d.wanted.flatMap(({ object }) => (object.kind === "sysctl" ? [object.key] : []));
  const before: Snapshot = { ...FRESH, sysctl: new Map(keys.map((key): [string, string] => [key, "12345"])) };
  return carryOut(planFor([{ put: d }], before, LAYOUT), before);
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

test.each(CASES.slice(0, 2))("without anything on the host a $type.type has no arguments", ({ type, args }) => {
  const [a] = fc.sample(args, 1);
  expect(type.decompile("k/a/b/c/", NOTHING, type.model.parse(a))).toEqual({});
});

describe.each(CASES)("$type.type", ({ type, args }) => {
  test("compiled and decompiled, the arguments are what they were", () => {
    fc.assert(
      fc.property(args, (a) => {
        const d = declare(type, a);
        const model = type.model.parse(a);
        expect(type.decompile(ownPrefix(d.name), restrictTo(d, hostWith(d), LAYOUT), model)).toEqual(model);
      }),
      { numRuns: 300 },
    );
  });

  test("in place, its lines are the desired ones, of the tools that it names", () => {
    const tools = new Set<string>();
    fc.assert(
      fc.property(args, (a) => {
        const d = declare(type, a);
        expect(observedLines(d, hostWith(d), LAYOUT)).toEqual(desiredLines(d));
        for (const tool of Object.keys(desiredLines(d))) tools.add(tool);
      }),
    );
    expect([...tools].toSorted()).toEqual(type.lines);
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
        const [b, c] = [type.model.parse(other), type.model.parse(a)];
        expect(JSON.stringify(type.compile("k/a/b/c/", b))).toBe(JSON.stringify(type.compile("k/a/b/c/", c)));
      }),
    );
  });

  test("what it shares belongs to nobody, and what is its own to it alone", () => {
    fc.assert(
      fc.property(args, (a) => {
        const d = declare(type, a);
        for (const { object, shared } of d.wanted)
          if (isNft(object)) expect(ownerOf(object)).toBe(shared ? undefined : d.name);
          else if (object.kind === "sysctl") expect(shared).toBe(true);
      }),
    );
  });
});
