/**
 * Policy rules and routes, as plain values. `routeId` names one as the kernel tells them apart, `routeText` is the
 * rest, both in ip's own words. Two are equal when both agree.
 */

/** ip-rule(8). A packet that fits all selectors is looked up in a table; finding nothing there, it goes on to the next rule. */
export interface IpRule {
  readonly kind: "ip-rule";
  readonly family: 4 | 6;
  /** Rules are tried in ascending order; those of one pref in the order in which they were added. */
  readonly pref: number;
  /** Turns the selectors round, all together. */
  readonly not?: boolean;
  /** An address or a network as ip writes it: `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`. */
  readonly from?: string;
  readonly to?: string;
  /** The bits of the packet's mark that `fwmask` names; all of them without it. A mark of 0 needs a mask. */
  readonly fwmark?: number;
  readonly fwmask?: number;
  readonly iif?: string;
  readonly oif?: string;
  /** Always there in ours. Others' rules may do something else, which stands in `rest`. */
  readonly table?: number;
  /** What is listed and not known here, word for word. */
  readonly rest?: string;
  /** Who made it, as listed. Ours have `PROTOCOL`. */
  readonly protocol?: number;
}

/** By their number in the kernel (rtnetlink(7), rtm_type). Ours are unicast, local, blackhole, unreachable, prohibit, throw. */
export const ROUTE_TYPES = [
  "unspec",
  "unicast",
  "local",
  "broadcast",
  "anycast",
  "multicast",
  "blackhole",
  "unreachable",
  "prohibit",
  "throw",
  "nat",
  "xresolve",
] as const;

/** ip-route(8). */
export interface Route {
  readonly kind: "route";
  readonly family: 4 | 6;
  readonly table: number;
  readonly type: (typeof ROUTE_TYPES)[number];
  /** An address, a network or `default`. Others' may go on with `tos` or `from`, which tell routes apart, too. */
  readonly destination: string;
  readonly via?: string;
  /** Unicast and local routes need it: where ip may choose, it lists another route than was asked for. */
  readonly dev?: string;
  /** The source address of the host's own packets; one of its addresses. */
  readonly src?: string;
  /** The smallest wins. Without it 0 for IPv4 and 1024 for IPv6. */
  readonly metric?: number;
  /** IPv4 only, as a number. Without it what ip takes: host for local, link for a bare device, else global. */
  readonly scope?: number;
  /** The gateway is a neighbour on `dev`, whatever the addresses there say. */
  readonly onlink?: boolean;
  readonly mtu?: number;
  readonly advmss?: number;
  /** What is listed and not known here, word for word. */
  readonly rest?: string;
  /** Who made it, as listed. Ours have `PROTOCOL`. */
  readonly protocol?: number;
}

export type RouteObject = IpRule | Route;

/** The objects of a host by their id. */
export type RouteObjects = ReadonlyMap<string, RouteObject>;

/** Our number among the makers of rules and routes: what ip removes by it is never somebody else's. */
export const PROTOCOL = 76;

/** A word and its value, if there is one. */
export const words = (word: string, value: string | number | undefined): string[] =>
  value === undefined ? [] : [word, value.toString()];

const hex = (n: number): string => `0x${n.toString(16)}`;

/** What a packet must be for this rule, without `not`. */
export function selectors(o: IpRule): string[][] {
  const mask = o.fwmask === undefined || o.fwmask === 0xffffffff ? "" : `/${hex(o.fwmask)}`;
  const mark = o.fwmark === undefined ? undefined : `${hex(o.fwmark)}${mask}`;
  return [words("from", o.from), words("to", o.to), words("fwmark", mark), words("iif", o.iif), words("oif", o.oif)];
}

/**
 * The kernel keeps two rules that differ in their table alone, so the table is part of the name; of two routes that
 * differ in anything but table, destination and metric, it keeps one.
 */
export function routeId(o: RouteObject): string {
  const ip = `ip -${o.family.toString()}`;
  switch (o.kind) {
    case "ip-rule": {
      const rest = [...words("lookup", o.table), ...(o.rest ? [o.rest] : [])];
      return [ip, "rule pref", o.pref, ...(o.not ? ["not"] : []), ...selectors(o).flat(), ...rest].join(" ");
    }
    case "route": {
      const metric = o.metric ?? (o.family === 6 ? 1024 : 0);
      return [ip, "route", o.destination, "table", o.table, ...words("metric", metric || undefined)].join(" ");
    }
    default:
      return o satisfies never;
  }
}

/** Rules have no more than their name. */
export function routeText(o: RouteObject): string {
  if (o.kind === "ip-rule") return "";
  return [
    o.type,
    ...[...words("via", o.via), ...words("dev", o.dev), ...words("src", o.src)],
    ...(o.scope === usualScope(o) ? [] : words("scope", o.scope)),
    ...[...words("mtu", o.mtu), ...words("advmss", o.advmss), ...(o.onlink ? ["onlink"] : [])],
    ...(o.rest ? [o.rest] : []),
  ].join(" ");
}

const [LINK, HOST] = [253, 254];

/** The scope that ip gives a route (iproute2, iproute_modify()). For routes of others we do not guess. */
export function usualScope(o: Route): number | undefined {
  if (o.family === 6 || o.rest !== undefined) return undefined;
  if (o.type === "local") return HOST;
  return o.type === "unicast" && o.via === undefined ? LINK : 0;
}

export const routeEqual = (a: RouteObject | undefined, b: RouteObject | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && routeId(a) === routeId(b) && routeText(a) === routeText(b));
