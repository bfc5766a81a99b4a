/**
 * The objects of an nftables table, as plain values. `nftId` names an object within its table and keys every map of
 * objects; `nftText` is its content in one line. Two objects are equal when both agree.
 */
import { type Rule, parseRule, printRule } from "./rule";

/** Where a base chain is attached. Priorities are numbers: nft lists them by name, and not always the same one. */
export interface Hook {
  readonly type: "filter" | "nat" | "route";
  readonly hook: "ingress" | "prerouting" | "input" | "forward" | "output" | "postrouting";
  readonly device?: string;
  readonly priority: number;
  readonly policy: "accept" | "drop";
}

export interface Chain {
  readonly kind: "chain";
  readonly name: string;
  readonly hook?: Hook;
  readonly rules: readonly Rule[];
}

/** A set or a verdict map, without its elements: these are objects of their own, so that one can change alone. */
export interface NftSet {
  readonly kind: "set" | "map";
  readonly name: string;
  /** What stands behind `typeof` or `type`, with that word. */
  readonly key: string;
  readonly flags: readonly string[];
  /** Its size, and how long its elements stay: `size 65535`, `timeout 1h`, as nft writes them and in that order. */
  readonly limits?: readonly string[];
}

export interface Element {
  readonly kind: "element";
  /** The set or map it is in. */
  readonly of: string;
  readonly key: string;
  /** The verdict, in a map. */
  readonly value?: string;
}

/** Any other named object that somebody put into the table, kept word for word. */
export interface Foreign {
  readonly kind: "foreign";
  /** Its kind and name as nft writes them, e.g. `counter hits`. */
  readonly name: string;
  readonly text: string;
}

export type NftObject = Chain | NftSet | Element | Foreign;

/** The objects of one table by their id. */
export type NftObjects = ReadonlyMap<string, NftObject>;

export function nftId(o: NftObject): string {
  switch (o.kind) {
    case "chain":
    case "set":
    case "map":
      return `${o.kind} ${o.name}`;
    case "element":
      return `element ${o.of} { ${o.key} }`;
    case "foreign":
      return o.name;
    default:
      return o satisfies never;
  }
}

export function nftText(o: NftObject): string {
  switch (o.kind) {
    case "chain":
      return [...(o.hook ? [hookText(o.hook)] : []), ...o.rules.map(printRule)].join("; ");
    case "set":
    case "map":
      return [
        o.key,
        ...(o.limits ?? []),
        ...(o.flags.length > 0 ? [`flags ${o.flags.toSorted().join(",")}`] : []),
      ].join("; ");
    case "element":
      return o.value ?? "";
    case "foreign":
      return o.text;
    default:
      return o satisfies never;
  }
}

export function hookText(h: Hook): string {
  const device = h.device === undefined ? "" : ` device "${h.device}"`;
  return `type ${h.type} hook ${h.hook}${device} priority ${h.priority.toString()}; policy ${h.policy}`;
}

export const nftEqual = (a: NftObject | undefined, b: NftObject | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && nftId(a) === nftId(b) && nftText(a) === nftText(b));

export const byId = (objects: Iterable<NftObject>): Map<string, NftObject> =>
  new Map([...objects].map((o) => [nftId(o), o]));

/** The chain that an element sends packets to, if it does. */
export const verdictChain = (e: Element): string | undefined => /^(?:goto|jump) (.+)$/.exec(e.value ?? "")?.[1];

/** A chain written as text, one rule a string: for layouts that read best as nft. */
export const chain = (name: string, rules: readonly string[], hook?: Hook): Chain => ({
  kind: "chain",
  name,
  rules: rules.map(parseRule),
  ...(hook ? { hook } : {}),
});
