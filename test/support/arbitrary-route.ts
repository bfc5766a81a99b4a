/**
 * Generated rules and routes for a host whose eth0 is in 10.0.0.0/24 and 2001:db8:a::/64, and whose eth1 has no
 * addresses. Few values, so that two states meet in everything but one thing.
 */
import fc from "fast-check";

import { type IpRule, type Route, type RouteObject, routeId } from "../../provider/kernel/route/objects";

type Family = 4 | 6;

const NET = {
  4: { host: "10.0.0.2", gateways: ["10.0.0.1", "10.0.0.3"], sources: ["10.0.0.2", "192.0.2.0/24"], far: "172.31.0.9" },
  6: {
    host: "2001:db8:a::2",
    gateways: ["2001:db8:a::1", "2001:db8:a::3"],
    sources: ["2001:db8:a::2", "2001:db8:b::/48"],
    far: "2001:db8:f::9",
  },
} as const;

const family = fc.constantFrom<Family>(4, 6);
const table = fc.constantFrom(100, 101, 254);
const device = fc.constantFrom("eth0", "eth1");
const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });

/** Without what is undefined. */
const defined = <T extends object>(o: { [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(o).filter(([, value]) => value !== undefined)) as T;

const rule: fc.Arbitrary<IpRule> = family.chain((f) =>
  fc
    .record({
      pref: fc.integer({ min: 50, max: 54 }),
      not: some(fc.constant(true)),
      from: some(fc.constantFrom(...NET[f].sources)),
      to: some(fc.constantFrom(...NET[f].sources)),
      mark: some(fc.constantFrom({ fwmark: 111 }, { fwmark: 1, fwmask: 0xff }, { fwmark: 0, fwmask: 0x10000000 })),
      iif: some(fc.constantFrom("eth0", "lo", "later0")),
      oif: some(fc.constantFrom("eth1")),
      table,
      rest: some(fc.constantFrom("ipproto 6 dport 80", "suppress_prefixlength 0")),
    })
    .map(({ mark, ...o }) => defined<IpRule>({ kind: "ip-rule", family: f, ...o, ...mark })),
);

const DESTINATIONS = {
  4: ["default", "198.51.100.0/24", "198.51.100.7"],
  6: ["default", "2001:db8:d::/48", "2001:db8:d::7"],
} as const;

const route: fc.Arbitrary<Route> = family.chain((f) => {
  const { gateways, host } = NET[f];
  const metrics = { mtu: some(fc.constantFrom(1280, 1400)), advmss: some(fc.constantFrom(1220, 1360)) };
  const more = {
    ...metrics,
    src: some(fc.constant(host)),
    rest: some(fc.constantFrom("initcwnd 10", "mtu lock 1400")),
  };
  const gateway = fc.record({ dev: fc.constant("eth0"), via: fc.constantFrom(...gateways), ...more });
  const neighbour = fc.record({
    dev: device,
    via: fc.constant(NET[f].far),
    onlink: fc.constant(true),
    ...metrics,
  });
  const link = fc.record({ dev: device, scope: some(fc.constantFrom(253, 254)), ...more });
  const several = fc.constant({
    rest: gateways.map((via, i) => `nexthop via ${via} dev eth0 weight ${(i + 1).toString()}`).join(" "),
  });
  const how: fc.Arbitrary<Partial<{ [K in keyof Route]: Route[K] | undefined }> & Pick<Route, "type">> = fc.oneof(
    fc.record({ type: fc.constant("local" as const), dev: fc.constant("lo") }),
    fc.record({ type: fc.constantFrom("blackhole", "unreachable", "prohibit", "throw") }),
    fc.oneof(gateway, neighbour, link, several).map((o) => ({ type: "unicast" as const, ...o })),
  );
  return fc
    .record({ how, table, destination: fc.constantFrom(...DESTINATIONS[f]), metric: some(fc.constantFrom(5, 6)) })
    .map(({ how: { scope, mtu, ...h }, ...o }) =>
      defined<Route>({
        kind: "route",
        family: f,
        ...o,
        ...h,
        mtu: h.rest?.startsWith("mtu") ? undefined : mtu,
        // With words that are not known, a scope is not guessed.
        scope:
          f === 6
            ? undefined
            : h.rest === undefined
              ? scope
              : (scope ?? (h.rest.includes("via") || "via" in h ? 0 : 253)),
      }),
    );
});

/** A network that only a table of its own knows, and a gateway there: the one cannot be without the other. */
const island: fc.Arbitrary<Route[]> = fc.tuple(family, device).map(([f, dev]) => {
  const [destination, via] = f === 4 ? ["172.30.0.0/24", "172.30.0.1"] : ["2001:db8:e::/64", "2001:db8:e::1"];
  const common = { kind: "route", family: f, table: 102, type: "unicast", dev } as const;
  return [
    { ...common, destination: "default", via },
    { ...common, destination },
  ];
});

const prefOf = (o: RouteObject): string =>
  o.kind === "ip-rule" ? `${o.family.toString()} ${o.pref.toString()}` : routeId(o);

/** One rule a pref: among those of one pref the order is the kernel's own. */
export const routeState: fc.Arbitrary<ReadonlyMap<string, RouteObject>> = fc
  .tuple(
    fc.uniqueArray(rule, { maxLength: 4, selector: prefOf }),
    fc.uniqueArray(route, { maxLength: 6, selector: routeId }),
    fc.uniqueArray(island, { maxLength: 2, selector: ([o]) => o?.family }),
  )
  .map(([rules, routes, islands]) => new Map([...rules, ...routes, ...islands.flat()].map((o) => [routeId(o), o])));
