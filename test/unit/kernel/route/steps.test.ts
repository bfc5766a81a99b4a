import fc from "fast-check";

import {
  type Route,
  type RouteObject,
  type RouteObjects,
  routeEqual,
  routeId,
} from "../../../../provider/kernel/route/objects";
import { routeSteps } from "../../../../provider/kernel/route/steps";
import { routeState } from "../../../support/arbitrary-route";

const state = (...objects: readonly RouteObject[]): RouteObjects => new Map(objects.map((o) => [routeId(o), o]));
const NONE = state();

const MARK: RouteObject = { kind: "ip-rule", family: 4, pref: 50, fwmark: 111, table: 100 };
const LOCAL: Route = { kind: "route", family: 4, table: 100, type: "local", destination: "default", dev: "lo" };
const NETWORK: Route = { kind: "route", family: 4, table: 1, type: "unicast", destination: "10.0.0.0/24", dev: "eth0" };
const GATEWAY: Route = { ...NETWORK, destination: "default", via: "10.0.0.1" };

/** The commands of ip alone, without what they may fail with. */
const plain = (script: string) => script.replace(/\{ said=\$\((.*?) 2>&1\).*?esac; \}/g, "$1");
const runs = (from: RouteObjects, to: RouteObjects) => routeSteps(from, to).map((s) => plain(s.run));
const backs = (from: RouteObjects, to: RouteObjects) => routeSteps(from, to).map((s) => plain(s.back));

test("a route comes before the rule that leads to it, and goes after it", () => {
  expect(runs(NONE, state(MARK, LOCAL))).toEqual([
    "ip -4 route add local default table 100 protocol 76 dev lo",
    "ip -4 rule add pref 50 fwmark 0x6f lookup 100 protocol 76",
  ]);
  expect(runs(state(MARK, LOCAL), NONE)).toEqual([
    "ip -4 rule del pref 50 fwmark 0x6f lookup 100 protocol 76",
    "ip -4 route del default table 100 protocol 76",
  ]);
  expect(backs(state(MARK, LOCAL), NONE)).toEqual([
    "ip -4 rule add pref 50 fwmark 0x6f lookup 100 protocol 76",
    "ip -4 route replace local default table 100 protocol 76 dev lo",
  ]);
});

test("a network comes before the gateway that it holds; a gateway is made sure of when all else is back", () => {
  expect(runs(NONE, state(GATEWAY, NETWORK))).toEqual([
    "ip -4 route add unicast 10.0.0.0/24 table 1 protocol 76 dev eth0",
    "ip -4 route add unicast default table 1 protocol 76 via 10.0.0.1 dev eth0",
  ]);
  const gateway = "ip -4 route replace unicast default table 1 protocol 76 via 10.0.0.1 dev eth0";
  expect(runs(state(GATEWAY, NETWORK), NONE)).toEqual([
    ":",
    "ip -4 route del default table 1 protocol 76",
    "ip -4 route del 10.0.0.0/24 table 1 protocol 76",
  ]);
  expect(backs(state(GATEWAY, NETWORK), NONE)).toEqual([
    gateway,
    `{ ${gateway} 2>/dev/null || :; }`,
    "ip -4 route replace unicast 10.0.0.0/24 table 1 protocol 76 dev eth0",
  ]);
});

test("what somebody else made goes and comes back as theirs", () => {
  const from = state({ ...LOCAL, protocol: 3, scope: 254 });
  expect(runs(from, NONE)).toEqual(["ip -4 route del default table 100 protocol 3"]);
  expect(backs(from, NONE)).toEqual(["ip -4 route replace local default table 100 protocol 3 dev lo"]);
});

test("what is not a plain word is quoted", () => {
  const [step] = routeSteps(NONE, state({ ...LOCAL, dev: "a;b'c" }));
  expect(step?.run).toBe(`ip -4 route add local default table 100 protocol 76 dev 'a;b'\\''c'`);
});

test("nothing to do is no step", () => {
  fc.assert(
    fc.property(routeState, (a) => {
      expect(routeSteps(a, a)).toEqual([]);
    }),
  );
});

/** The objects after each step. */
function* moments(from: RouteObjects, to: RouteObjects): Generator<RouteObjects> {
  const now = new Map(from);
  for (const { id, run } of routeSteps(from, to)) {
    const o = to.get(id);
    if (/^ip -[46] (?:rule|route) (?:add|replace) /.test(run) && o !== undefined) now.set(id, o);
    else if (run !== ":") now.delete(id);
    yield now;
  }
  expect(now).toEqual(to);
}

const has = (now: RouteObjects, o: RouteObject) => routeEqual(now.get(routeId(o)), o);

test("at no moment does a rule lead to a table that lacks its routes", () => {
  fc.assert(
    fc.property(routeState, routeState, (from, to) => {
      for (const now of moments(from, to))
        for (const rule of now.values()) {
          if (rule.kind !== "ip-rule") continue;
          const inTable = ([, o]: readonly [string, RouteObject]) =>
            o.kind === "route" && o.family === rule.family && o.table === rule.table;
          if (has(to, rule) && !from.has(routeId(rule)))
            for (const [, route] of [...to].filter(inTable)) expect(has(now, route)).toBe(true);
          else for (const [id] of [...from].filter(inTable)) expect(now.has(id) || to.has(routeId(rule))).toBe(true);
        }
    }),
  );
});

test("at no moment is a pref that has a rule before and after without one, unless it is the same turned round", () => {
  const prefs = (some: RouteObjects) =>
    [...some.values()].flatMap((o) =>
      o.kind === "ip-rule" ? [{ ...o, at: `${o.family.toString()} ${o.pref.toString()}` }] : [],
    );
  fc.assert(
    fc.property(routeState, routeState, (from, to) => {
      for (const now of moments(from, to))
        for (const old of prefs(from)) {
          const next = prefs(to).find((o) => o.at === old.at);
          if (next === undefined || routeId({ ...next, not: true }) === routeId({ ...old, not: true })) continue;
          expect(prefs(now).map((o) => o.at)).toContain(old.at);
        }
    }),
  );
});
