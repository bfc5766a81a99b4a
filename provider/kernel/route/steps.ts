/**
 * From some rules and routes to others, one command of ip at a time. Routes come before the rules that lead to them and
 * go after them, and a new rule comes before the old one goes: there is no moment without either.
 */
import { quote } from "../quote";
import { type Step } from "../step";
import {
  type IpRule,
  PROTOCOL,
  type Route,
  type RouteObject,
  type RouteObjects,
  routeEqual,
  routeId,
  routeText,
} from "./objects";

/** `from` and `to` hold what may be changed, and nothing else. A rule that comes back comes last among those of its pref. */
export function routeSteps(from: RouteObjects, to: RouteObjects): Step[] {
  const had = [...from.values()];
  const gone = had.filter((o) => !to.has(routeId(o)));
  const kept = had.filter((o) => to.has(routeId(o)));
  const next = [...to.values()].filter((o) => !routeEqual(from.get(routeId(o)), o));

  const addRule = (o: IpRule): Step => ({ id: routeId(o), run: ip("add", o), back: removeRule(o, had) });
  const dropRule = (o: IpRule): Step => ({ id: routeId(o), run: removeRule(o, kept), back: ensureRule(o) });
  const putRoute = (o: Route): Step => {
    const old = from.get(routeId(o));
    if (old?.kind !== "route") return { id: routeId(o), run: ip("add", o), back: removeRoute(o, had) };
    return { id: routeId(o), run: ip("replace", o), back: restore(old) };
  };
  const dropRoute = (o: Route): Step => ({ id: routeId(o), run: removeRoute(o, had), back: restore(o) });

  const isTwin = (o: IpRule) => rulesOf(next).some((n) => deletes(n, o) && deletes(o, n));
  // The kernel asks all rules and routes for the way to a gateway: it is made sure of once all of them are back.
  const sureOf = routesOf(had).filter((o) => leadsOn(o) && !routeEqual(o, to.get(routeId(o))));
  return [
    ...sureOf.map((o) => ({ id: routeId(o), run: ":", back: ip("replace", o) })),
    ...nearFirst(routesOf(next)).map(putRoute),
    ...rulesOf(gone).filter(isTwin).map(dropRule),
    ...rulesOf(next).map(addRule),
    ...rulesOf(gone)
      .filter((o) => !isTwin(o))
      .map(dropRule),
    ...nearFirst(routesOf(gone)).toReversed().map(dropRoute),
  ];
}

const rulesOf = (some: readonly RouteObject[]): IpRule[] => some.filter((o) => o.kind === "ip-rule");
const routesOf = (some: readonly RouteObject[]): Route[] => some.filter((o) => o.kind === "route");

const leadsOn = (o: Route): boolean => routeText(o).includes(" via ");
const nearFirst = (some: readonly Route[]): Route[] => some.toSorted((a, b) => Number(leadsOn(a)) - Number(leadsOn(b)));

/** The command for an object, whose id begins as the command does: `ip -4 rule pref 50 ...`. */
function ip(verb: "add" | "del" | "replace", o: RouteObject): string {
  const [tool = "", family = "", what = "", ...key] = routeId(o).split(" ");
  const maker = ["protocol", (o.protocol ?? PROTOCOL).toString()];
  const [type = "", ...more] = routeText(o).split(" ");
  // What is not known here comes last: a list of gateways must.
  const all = o.kind === "ip-rule" || verb === "del" ? [...key, ...maker] : [type, ...key, ...maker, ...more];
  return [tool, family, what, verb, ...all].map(quote).join(" ");
}

/** The command may fail with these words. */
const allowing = (command: string, ...fine: string[]): string =>
  `{ said=$(${command} 2>&1) || case $said in ${fine.map((text) => `*"${text}"*`).join(" | ")}) ;; *) printf "%s\\n" "$said" >&2; false ;; esac; }`;

const remove = (o: RouteObject): string =>
  allowing(ip("del", o), "No such ", "table does not exist", "Cannot find device", "not supported");

const ensureRule = (o: IpRule): string => allowing(ip("add", o), "File exists");

/**
 * The kernel deletes the first rule that has all that we name, whatever else it has. So those among the others that it
 * might take instead are removed before, from the narrowest on, and come back.
 */
function removeRule(o: IpRule, others: readonly RouteObject[]): string {
  const hit = rulesOf(others)
    .filter((other) => other !== o && deletes(o, other))
    .toSorted((a, b) => limits(b).length - limits(a).length);
  return [...hit.map(remove), remove(o), ...hit.map(ensureRule)].join(" && ");
}

/** Would deleting the one delete the other? The kernel (rule_find()) does not look at `not`. */
const deletes = (o: IpRule, other: IpRule): boolean =>
  o.family === other.family &&
  o.pref === other.pref &&
  (o.table ?? other.table) === other.table &&
  limits(o).every((limit) => limits(other).includes(limit));

const limits = (o: IpRule): string[] =>
  (["from", "to", "fwmark", "fwmask", "iif", "oif", "rest"] as const).flatMap((key) =>
    o[key] ? [`${key} ${o[key].toString()}`] : [],
  );

/** A gateway may not be reached yet; it is made sure of in the end. */
const restore = (o: Route): string => (leadsOn(o) ? `{ ${ip("replace", o)} 2>/dev/null || :; }` : ip("replace", o));

/** To the kernel, an IPv4 metric of 0 is any metric when it deletes: then we look first whether it is there. */
function removeRoute(o: Route, others: readonly RouteObject[]): string {
  const { destination, table } = o;
  const anyMetric =
    o.family === 4 &&
    !o.metric &&
    routesOf(others).some((r) => r.family === 4 && r.table === table && r.destination === destination && r.metric);
  if (!anyMetric) return remove(o);
  const show = `ip -4 route show exact ${destination.split(" ").map(quote).join(" ")} table ${table.toString()} metric 0`;
  return `{ [ -z "$(${show} 2>/dev/null)" ] || ${remove(o)}; }`;
}
