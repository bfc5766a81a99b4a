/**
 * The part of table `inet lbshield` that all resources share: base chains that dispatch through verdict maps. A packet
 * costs the same number of lookups whether the table serves one rule or a thousand. docs/nft-layout.md draws it.
 */
import { type Layout } from "../engine/desired";
import { type Element, type NftObject, type NftSet, chain } from "../kernel/nftables/objects";

/**
 * The tiers of a dispatch, most specific first; the first that has the packet's key decides. Interface before address
 * alone, exact ports before ranges.
 */
export const TIERS = ["if", "if-range", "exact", "range"] as const;
export type Tier = (typeof TIERS)[number];

export const DISPATCHES = ["prerouting", "input"] as const;
export type Dispatch = (typeof DISPATCHES)[number];

export const tierMap = (dispatch: Dispatch, tier: Tier): string =>
  tier === "exact" ? `${dispatch}4` : `${dispatch}4-${tier}`;

/** Addresses with a protected service: scopes what the output hook does to packets of our own making. */
export const PROTECTED = "protected4";

const byInterface = (tier: Tier): boolean => tier === "if" || tier === "if-range";

const map = (name: string, tier: Tier): NftSet => ({
  kind: "map",
  name,
  key: `type ${byInterface(tier) ? "ifname . " : ""}ipv4_addr . inet_service : verdict`,
  flags: tier.endsWith("range") ? ["interval"] : [],
});

const lookups = (dispatch: Dispatch): string[] =>
  TIERS.map((t) => `${byInterface(t) ? "iifname . " : ""}ip daddr . tcp dport vmap @${tierMap(dispatch, t)}`);

/**
 * What SYNPROXY needs to dispatch.
 *
 * The SYN test masks four flags: `tcp flags syn` would also match the server's SYN-ACK, and `== syn` without a mask
 * would miss SYNs that negotiate ECN. Input stands at -5, so that an operator's own `ct state invalid drop` at priority
 * 0 does not come first, whatever was loaded last. The proxy's SYN-ACK (the only one with window 0) must not be
 * tracked: a client that reuses its port would get the sequence offset of the old connection and hang.
 */
const SYNPROXY_OBJECTS: readonly NftObject[] = [
  ...DISPATCHES.flatMap((d) => TIERS.map((t) => map(tierMap(d, t), t))),
  { kind: "set", name: PROTECTED, key: "type ipv4_addr", flags: [] },
  chain("prerouting", ["tcp flags & (fin|syn|rst|ack) == syn jump prerouting-dispatch"], {
    type: "filter",
    hook: "prerouting",
    priority: -300,
    policy: "accept",
  }),
  chain("prerouting-dispatch", lookups("prerouting")),
  chain("input", ["meta l4proto tcp ct state invalid,untracked jump input-dispatch"], {
    type: "filter",
    hook: "input",
    priority: -5,
    policy: "accept",
  }),
  chain("input-dispatch", lookups("input")),
  chain("output", [`tcp flags & (fin|syn|rst|ack) == (syn|ack) tcp window 0 ip saddr @${PROTECTED} notrack`], {
    type: "filter",
    hook: "output",
    priority: -305,
    policy: "accept",
  }),
];

export const SYNPROXY_LAYOUT: Layout = { name: "synproxy", objects: SYNPROXY_OBJECTS };

export const LAYOUTS: readonly Layout[] = [SYNPROXY_LAYOUT];

/** The key of an element in a tier's map. */
export function tierElement(dispatch: Dispatch, key: TierKey, value: string): Element {
  const ranged = key.port.includes("-");
  const tier = key.iface === undefined ? (ranged ? "range" : "exact") : ranged ? "if-range" : "if";
  const iface = key.iface === undefined ? "" : `"${key.iface}" . `;
  return {
    kind: "element",
    of: tierMap(dispatch, tier),
    key: `${iface}${key.address} . ${key.port}`,
    value: `goto ${value}`,
  };
}

export interface TierKey {
  readonly iface?: string;
  readonly address: string;
  /** A port, or a range as nft writes it: `8000-8080`. */
  readonly port: string;
}

const DISPATCH_KEY = /^(?:"([^"]+)" \. )?([0-9.]+) \. ([0-9]+(?:-[0-9]+)?)$/;

/** Reads back what `tierElement` wrote; undefined for an element of another shape. */
export function readTierElement(e: Element): TierKey | undefined {
  const m = DISPATCH_KEY.exec(e.key);
  if (!m?.[2] || !m[3]) return undefined;
  return { ...(m[1] === undefined ? {} : { iface: m[1] }), address: m[2], port: m[3] };
}
