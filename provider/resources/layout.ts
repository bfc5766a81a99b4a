/**
 * The part of table `inet lbshield` that all resources share: base chains that dispatch through verdict maps. A packet
 * costs the same number of look-ups whether the table serves one rule or a thousand. It has no more maps than the
 * resources that stand need; each names those, and what else it needs, by the names below. docs/nft-layout.md draws it.
 */
import { type Family, FAMILIES, parseAddresses } from "../addresses";
import { type Layout } from "../engine/desired";
import {
  type Chain,
  type Element,
  type Hook,
  type NftObject,
  type NftObjects,
  chain,
} from "../kernel/nftables/objects";
import { printRule } from "../kernel/nftables/rule";

/**
 * The tiers of a dispatch, most specific first; the first that has the packet's key decides. Sources before interfaces,
 * interfaces before addresses alone, exact ones before ranges, and last what holds for any address or port.
 */
export const TIERS = ["if-src", "src", "if", "if-range", "exact", "range", "wide"] as const;
export type Tier = (typeof TIERS)[number];

/**
 * What leads to a rule's chain: a client's SYN, the same where it goes past the proxy (`dnat`), what the proxy answers, and
 * the proxy's own SYN to the server. For that one each rule has a key, so that a less specific rule does not get it.
 */
export const DISPATCHES = ["prerouting", "dnat", "input", "forward", "own"] as const;
export type Dispatch = (typeof DISPATCHES)[number];

export const tierMap = (dispatch: Dispatch, family: Family, tier: Tier): string =>
  `${dispatch}${family.toString()}${tier === "exact" ? "" : `-${tier}`}`;

/** Addresses with a protected service: scopes what the output hook does to packets of our own making. */
export const protectedSet = (family: Family): string => `protected${family.toString()}`;
/** Needed where the protected addresses are not known one by one. */
export const PROTECTED_ANY = "protected-any";

/** The bit of the packet mark that the proxy's own SYN bears through the host. */
export const DEFAULT_MARK = 0x1000_0000;
export const needMark = (mark: number): string => `mark=0x${mark.toString(16).padStart(8, "0")}`;

/** A rule of this name tells its connections apart by what it has seen at input. */
export const needSeen = (family: Family, prefix: string): string => `seen${family.toString()} ${prefix}`;
export const seenSet = (prefix: string, family: Family): string => `${prefix}seen${family.toString()}`;
/** The whole connection: a client may have one port in use for several servers. */
export const seenKey = (family: Family): string => `${IP[family]} saddr . tcp sport . ${IP[family]} daddr . tcp dport`;

/**
 * Where the proxy's SYN goes as it was sent: NAT to where it goes anyway, so that the operator's own finds nothing left to
 * do.
 */
export const OWN_ACCEPT = "own-accept";

const byInterface = (tier: Tier): boolean => tier.startsWith("if");
const bySource = (tier: Tier): boolean => tier.endsWith("src");
export const isExact = (tier: Tier): boolean => tier === "exact" || tier === "if";

const IP = { 4: "ip", 6: "ip6" } as const;

function map(dispatch: Dispatch, family: Family, tier: Tier): NftObject {
  const address = `ipv${family.toString()}_addr`;
  const parts = [byInterface(tier) ? "ifname" : [], bySource(tier) ? address : [], address, "inet_service"].flat();
  return {
    kind: "map",
    name: tierMap(dispatch, family, tier),
    key: `type ${parts.join(" . ")} : verdict`,
    flags: isExact(tier) ? [] : ["interval"],
  };
}

function lookup(dispatch: Dispatch, family: Family, tier: Tier): string {
  const ip = IP[family];
  const parts = [byInterface(tier) ? "iifname" : [], bySource(tier) ? `${ip} saddr` : [], `${ip} daddr`, "tcp dport"];
  return `${parts.flat().join(" . ")} vmap @${tierMap(dispatch, family, tier)}`;
}

const SYN = "tcp flags & (fin|syn|rst|ack) == syn";
const UNTRACKED = "meta l4proto tcp ct state invalid,untracked";

/**
 * The base chain before each dispatch. Input and forward stand at -5, so that an operator's own `ct state invalid drop`
 * at priority 0 does not come first, whatever was loaded last. NAT of the proxy's SYN stands before everybody's.
 */
const BASES: Readonly<Record<Dispatch, { readonly name: string; readonly hook: Hook; readonly match: string }>> = {
  prerouting: { name: "prerouting", hook: hook("filter", "prerouting", -300), match: SYN },
  dnat: { name: "nat-prerouting", hook: hook("nat", "prerouting", -105), match: SYN },
  input: { name: "input", hook: hook("filter", "input", -5), match: UNTRACKED },
  forward: { name: "forward", hook: hook("filter", "forward", -5), match: UNTRACKED },
  own: { name: "own-output", hook: hook("nat", "output", -105), match: SYN },
};

function hook(type: Hook["type"], at: Hook["hook"], priority: number): Hook {
  return { type, hook: at, priority, policy: "accept" };
}

/**
 * The SYN test masks four flags: `tcp flags syn` would also match the server's SYN-ACK, and `== syn` without a mask would
 * miss SYNs that negotiate ECN.
 */
function dispatchChains(dispatch: Dispatch, needs: ReadonlySet<string>, mark: string): NftObject[] {
  const tiers = FAMILIES.flatMap((family) =>
    TIERS.filter((tier) => needs.has(tierMap(dispatch, family, tier))).map((tier) => ({ family, tier })),
  );
  if (dispatch !== "own" && tiers.length === 0) return [];
  const ours = dispatch === "own" ? `meta mark & ${mark} != 0x00000000 ` : "";
  const { name, hook: at, match } = BASES[dispatch];
  return [
    ...tiers.map(({ family, tier }) => map(dispatch, family, tier)),
    chain(name, [`${ours}${match} jump ${dispatch}-dispatch`], at),
    chain(`${dispatch}-dispatch`, [
      ...(dispatch === "own" ? seenRules(needs) : []),
      ...tiers.map(({ family, tier }) => lookup(dispatch, family, tier)),
      ...(dispatch === "own" ? [`goto ${OWN_ACCEPT}`] : []),
    ]),
    ...(dispatch === "own" ? [chain(OWN_ACCEPT, ["dnat ip to ip daddr", "dnat ip6 to ip6 daddr"])] : []),
  ];
}

const SEEN = /^seen([46]) (.+)$/;

const seenRules = (needs: ReadonlySet<string>): string[] =>
  [...needs].toSorted().flatMap((need) => {
    const [, digit, prefix = ""] = SEEN.exec(need) ?? [];
    if (digit === undefined) return [];
    const family = Number(digit) as Family;
    return [`${seenKey(family)} @${seenSet(prefix, family)} goto ${prefix}own`];
  });

/**
 * What happens to packets of the proxy's own making. Its SYN to the server carries conntrack's template here, before
 * conntrack: `ct state new` is true for it alone, and IPVS, which sends a forwarded SYN through output a second time, has
 * an original direction. The bit is added: marks of others stay. Its SYN-ACK to the client, the only one with window 0,
 * must not be tracked: a client that reuses its port would get the sequence offset of the old connection and hang.
 */
function outputChains(needs: ReadonlySet<string>, mark: string): NftObject[] {
  const synAck = "tcp flags & (fin|syn|rst|ack) == (syn|ack) tcp window 0";
  const scopes = needs.has(PROTECTED_ANY)
    ? [`${synAck} notrack`]
    : FAMILIES.filter((f) => needs.has(protectedSet(f))).map(
        (f) => `${synAck} ${IP[f]} saddr @${protectedSet(f)} notrack`,
      );
  return [
    ...FAMILIES.filter((f) => needs.has(protectedSet(f))).map((f): NftObject => ({
      kind: "set",
      name: protectedSet(f),
      key: `type ipv${f.toString()}_addr`,
      flags: [],
    })),
    chain("output", [`${SYN} ct state new jump own-syn`, ...scopes], hook("filter", "output", -305)),
    chain("own-syn", ["ct direction original return", `meta mark set meta mark | ${mark}`]),
  ];
}

function makeObjects(needs: ReadonlySet<string>): readonly NftObject[] {
  const mark = [...needs].find((need) => need.startsWith("mark="))?.slice(5);
  if (mark === undefined) return [];
  return [...DISPATCHES.flatMap((dispatch) => dispatchChains(dispatch, needs, mark)), ...outputChains(needs, mark)];
}

const made = new Map<string, readonly NftObject[]>();

/** It is asked for each change: what was made for the same needs is made once. */
function objectsFor(needs: ReadonlySet<string>): readonly NftObject[] {
  const key = [...needs].toSorted().join("\n");
  const known = made.get(key) ?? makeObjects(needs);
  made.set(key, known);
  return known;
}

/** A table whose ledger is lost tells by its own objects what it was made for. */
function needsOf(nft: NftObjects): string[] {
  const names = [...nft.values()].flatMap((o) => (o.kind === "map" || o.kind === "set" ? [o.name] : []));
  const output = rulesOf(nft.get("chain output"));
  const marking = ["own-syn", "own-output"].map((name) => rulesOf(nft.get(`chain ${name}`))).join("\n");
  const mark = /0x[0-9a-f]*[1-9a-f][0-9a-f]*/.exec(marking)?.[0];
  const seen = [...rulesOf(nft.get("chain own-dispatch")).matchAll(/@(\S+)seen([46]) goto/g)].map(
    ([, prefix = "", family]) => needSeen(Number(family) as Family, prefix),
  );
  return [
    ...names,
    ...seen,
    ...(mark === undefined ? (nft.size > 0 ? [needMark(DEFAULT_MARK)] : []) : [needMark(Number(mark))]),
    ...(output.includes("window 0 notrack") ? [PROTECTED_ANY] : []),
  ];
}

const rulesOf = (o: NftObject | undefined): string =>
  o?.kind === "chain" ? (o satisfies Chain).rules.map(printRule).join("\n") : "";

export const LAYOUT: Layout = { objectsFor, needsOf };

/** The key of an element in a tier's map. */
export function tierElement(dispatch: Dispatch, family: Family, { tier, key }: TierKey, value: string): Element {
  return { kind: "element", of: tierMap(dispatch, family, tier), key, value };
}

export interface TierKey {
  readonly tier: Tier;
  readonly key: string;
}

export interface KeyParts {
  readonly iface?: string;
  readonly source?: string;
  readonly destination: string;
  /** A port, or a range as nft writes it: `8000-8080`. */
  readonly port: string;
}

/** `wide`: it holds for any address or port, or for all but some. */
export function tierKey(parts: KeyParts, wide: boolean): TierKey {
  const { iface, source, destination, port } = parts;
  const exact = !/[-/]/.test(`${destination}${port}`);
  const tier: Tier =
    source !== undefined
      ? iface === undefined
        ? "src"
        : "if-src"
      : iface !== undefined
        ? exact
          ? "if"
          : "if-range"
        : wide
          ? "wide"
          : exact
            ? "exact"
            : "range";
  const key = [iface === undefined ? [] : `"${iface}"`, source ?? [], destination, port].flat().join(" . ");
  return { tier, key };
}

const MAP = new RegExp(`^(${DISPATCHES.join("|")})([46])(?:-(${TIERS.join("|")}))?$`);

/** Reads back what `tierElement` wrote; undefined for an element of another shape. */
export function readTierElement(
  e: Element,
): (KeyParts & { dispatch: Dispatch; family: Family; tier: Tier }) | undefined {
  const [, dispatch, family, tier = "exact"] = MAP.exec(e.of) ?? [];
  if (dispatch === undefined) return undefined;
  const parts = splitKey(e.key);
  const iface = byInterface(tier as Tier) ? parts.shift()?.replace(/^"(.*)"$/, "$1") : undefined;
  const source = bySource(tier as Tier) ? parts.shift() : undefined;
  const [destination, port, ...more] = parts;
  if (destination === undefined || port === undefined || more.length > 0) return undefined;
  if (!/^[0-9]+(?:-[0-9]+)?$/.test(port) || typeof parseAddresses(destination) === "string") return undefined;
  return {
    dispatch: dispatch as Dispatch,
    family: Number(family) as Family,
    tier: tier as Tier,
    ...(iface === undefined ? {} : { iface }),
    ...(source === undefined ? {} : { source }),
    destination,
    port,
  };
}

/** A name in quotes may hold what else separates parts. */
const splitKey = (key: string): string[] => key.match(/"[^"]*"|[^ "]+(?= |$)/g)?.filter((part) => part !== ".") ?? [];
