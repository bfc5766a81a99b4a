/**
 * Reads what `ip -N -d` prints: numbers instead of names, so that /etc/iproute2 does not matter. Text and not JSON,
 * because what is not known here can go back to ip as it is.
 */
import { quote } from "../quote";
import { type IpRule, ROUTE_TYPES, type Route, type RouteObject, words } from "./objects";

const [MAIN, LOCAL] = [254, 255];

/**
 * The shell commands that list all rules, the tables that these objects name and, where that is a table which others
 * fill (a router's main table may have a million routes), their very destinations. A part's heading is its command.
 */
export function routeLook(objects: readonly RouteObject[]): string {
  const listed = (o: RouteObject): string[] => {
    const rules = `list -${o.family.toString()} rule`;
    if (o.kind === "ip-rule") return [rules];
    // `ip -6 route show table 254` hides local routes; `table all` does not.
    const which =
      o.table === MAIN || o.table === LOCAL ? `exact ${quote(o.destination)} table all` : `table ${o.table.toString()}`;
    return [rules, `list -${o.family.toString()} route show ${which}`];
  };
  // Without IPv6 there is nothing to list, and a table exists only once it has had a route.
  return `
command -v ip >/dev/null || { echo "ip: not found" >&2; exit 127; }
list() {
  [ "$1" = -4 ] || [ -e /proc/net/if_inet6 ] || return 0
  said=$(ip -N -d "$@" 2>&1) || case $said in
    *"FIB table does not exist"*) said= ;;
    *) printf "%s\\n" "$said" >&2; return 1 ;;
  esac
  printf "= %s\\n%s\\n" "$*" "$said"
}
${[...new Set(objects.flatMap(listed))].map((command) => `${command} || exit`).join("\n")}
`;
}

const [PROTO_KERNEL, PROTO_RA] = [2, 9];

/** What is listed in all parts, without what the kernel makes itself or learns from routers. */
export function parseRoutes(listing: string): RouteObject[] {
  return listing.split(/^= -/m).flatMap((part) => {
    // A route with several gateways goes on behind a tab.
    const [heading = "", ...lines] = part.replace(/\n\t/g, " ").split("\n");
    const family = heading.startsWith("6") ? 6 : 4;
    const table = / table (.+)$/.exec(heading)?.[1];
    return lines
      .filter((line) => line !== "")
      .map((line) => (table === undefined ? parseRule(line, family) : parseRoute(line, family, table)))
      .filter((o) => o.protocol !== PROTO_KERNEL && o.protocol !== PROTO_RA);
  });
}

/** What ip tells about the moment; it is no part of the rule or route. */
const STATUS = /^(?:\[detached\]|\[?unresolved\]?|dead|linkdown|pervasive|(?:rt_)?(?:offload|trap)|offload_failed)$/;

const RULE_WORDS = ["not", "from", "to", "fwmark", "iif", "oif", "lookup", "proto"];
const ROUTE_WORDS = "from tos via dev src metric scope mtu advmss onlink table proto".split(" ");
const FLAGS = ["not", "onlink"];

/** The known words of a line with their values, and whatever else there is. */
function take(line: string, names: readonly string[]): { known: ReadonlyMap<string, string>; rest: string[] } {
  const [known, rest] = [new Map<string, string>(), [] as string[]];
  const all = line.trim().split(/\s+/).values();
  for (const word of all) {
    if (names.includes(word)) known.set(word, FLAGS.includes(word) ? word : (all.next().value ?? ""));
    else if (!STATUS.test(word)) rest.push(word);
  }
  return { known, rest };
}

const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
const joined = (rest: readonly string[]): string | undefined => (rest.length > 0 ? rest.join(" ") : undefined);

/** Without what is undefined. */
const defined = <T extends object>(o: { [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(o).filter(([, value]) => value !== undefined)) as T;

/** `50:	not from all fwmark 0x1/0xff lookup 100 proto 76` */
function parseRule(line: string, family: 4 | 6): IpRule {
  // ip 6.1 lists these two otherwise than it takes them.
  const plain = line.replace("ipproto ipproto-", "ipproto ").replace("lookup [l3mdev-table]", "l3mdev");
  const { known, rest } = take(plain, RULE_WORDS);
  const [pref = "", ...more] = rest;
  const [mark, mask] = known.get("fwmark")?.split("/") ?? [];
  const network = (word: string) => (known.get(word) === "all" ? undefined : known.get(word));
  return defined<IpRule>({
    kind: "ip-rule",
    family,
    pref: parseInt(pref),
    not: known.has("not") || undefined,
    from: network("from"),
    to: network("to"),
    fwmark: number(mark),
    fwmask: number(mask),
    iif: known.get("iif"),
    oif: known.get("oif"),
    table: number(known.get("lookup")),
    rest: joined(more),
    protocol: number(known.get("proto")),
  });
}

/** What belongs together, and has words that mean something else elsewhere. */
const GROUPS = / encap .*?(?= (?:via|dev) )| nexthop .*| via inet6 \S+| (?:mtu|advmss) lock \S+/g;

/** `1 192.0.2.0/24 via 10.0.0.1 dev eth0 proto 76 scope 0 metric 5 onlink` */
function parseRoute(line: string, family: 4 | 6, table: string): Route {
  // A nexthop object says it all; ip tells what is in it, but does not take that back.
  const plain = (line.includes(" nhid ") ? line.replace(/ (?:via|dev) \S+| onlink| (?:nexthop|nh_info) .*/g, "") : line)
    .replace(/ pref medium| error \S+/g, "")
    .replace(/( expires [0-9]+)sec/, "$1");
  const { known, rest } = take(plain.replace(GROUPS, ""), ROUTE_WORDS);
  const [kind = "", network = "", ...more] = rest;
  const type = ROUTE_TYPES[Number(kind)] ?? ROUTE_TYPES.find((name) => name === kind) ?? "unspec";
  // IPv6 has neither scopes nor routes without a device.
  const nowhere = family === 6 && known.get("dev") === "lo" && type !== "local" && type !== "unicast";
  return defined<Route>({
    kind: "route",
    family,
    table: Number(known.get("table") ?? table),
    type,
    destination: [network, ...words("from", known.get("from")), ...words("tos", known.get("tos"))].join(" "),
    via: known.get("via"),
    dev: nowhere ? undefined : known.get("dev"),
    src: known.get("src"),
    metric: number(known.get("metric")),
    scope: family === 6 ? undefined : number(known.get("scope")),
    onlink: known.has("onlink") || undefined,
    mtu: number(known.get("mtu")),
    advmss: number(known.get("advmss")),
    rest: joined([...(plain.match(GROUPS) ?? []).flatMap((group) => take(group, []).rest), ...more]),
    protocol: number(known.get("proto")),
  });
}
