/** What is wanted of a host: the compiled form of resources, with no resource in it. */
import { type NftObject, type NftObjects, verdictChain } from "../kernel/nftables/objects";
import { type KernelObject, type Wanted, objectId, objectText } from "../kernel/object";
import { isToolObject, toolName } from "../kernel/tools";

/** Only this table is ever written to. */
export const TABLE = { family: "inet", name: "lbshield" } as const;
export const TABLE_REF = `${TABLE.family} ${TABLE.name}`;

/**
 * Chains, sets and maps that resources share, as those that stand need them: each names its needs. Of needs that are
 * written `NAME=VALUE`, a host can have one value.
 */
export interface Layout {
  objectsFor(needs: ReadonlySet<string>): readonly NftObject[];
  /** What the objects that are there were made for. */
  needsOf(nft: NftObjects): readonly string[];
}

export interface Compiled {
  /** What it needs of the layout. */
  readonly needs: readonly string[];
  readonly wanted: readonly Wanted[];
  /** Where its addresses should be: it does nothing where they are not. */
  readonly places?: readonly Place[];
  /** Who within it wants what, where it is made of parts: `wanted` has all of it. */
  readonly parts?: readonly Part[];
}

/** Addresses that should be the host's own, or should not. */
export interface Place {
  readonly local: boolean;
  readonly addresses: readonly string[];
}

export interface Part {
  /** Where it stands in the arguments, e.g. `synproxyRules.web`. */
  readonly at: string;
  readonly needs?: readonly string[];
  readonly wanted: readonly Wanted[];
}

/** A resource's share of a host. */
export interface Declaration extends Compiled {
  /** The name on the host, `kind/project/stack/name`: unique there. */
  readonly name: string;
  /** The name and port by which its host is reached. */
  readonly via?: string;
  /** Which creation of it this is: Pulumi may replace a resource by one of the same name, and deletes the old one last. */
  readonly creation?: string;
  /** As people know it, e.g. `SynproxyRule web (acme/prod)`. */
  readonly label: string;
}

/** Whose lines there are, by the tool's name. */
export const LINE_TOOLS = ["nft", "sysctl", "modprobe", "ipvsadm", "ip"] as const;
export type LineTool = (typeof LINE_TOOLS)[number];

/** The host's own lines, keyed by object: what a preview shows, and what a drift run compares. */
export type Lines = Readonly<Partial<Record<LineTool, Readonly<Record<string, string>>>>>;

export const LAYOUT_LINE = `table ${TABLE_REF}`;
export const layoutText = (needs: readonly string[]): string => `layout ${needs.toSorted().join(", ")}`;

/** The lines that a declaration puts on its host. */
export function desiredLines({ needs, wanted }: Compiled): Lines {
  const objects = wanted.map((w) => w.object);
  return asLines(objects, needs.length > 0 ? layoutText(needs) : undefined);
}

export function asLines(objects: readonly KernelObject[], layout: string | undefined): Lines {
  const lines = new Map<LineTool, [string, string][]>();
  if (layout !== undefined) lines.set("nft", [[LAYOUT_LINE, layout]]);
  for (const o of objects) {
    const tool = lineTool(o);
    const some = lines.get(tool) ?? [];
    some.push([objectId(o), shownText(o)]);
    lines.set(tool, some);
  }
  const sorted = (some: [string, string][]) =>
    some.toSorted(([a], [b]) => Number(b === LAYOUT_LINE) - Number(a === LAYOUT_LINE) || (a < b ? -1 : 1));
  return Object.fromEntries([...lines].map(([tool, some]) => [tool, Object.fromEntries(sorted(some))]));
}

const lineTool = (o: KernelObject): LineTool =>
  o.kind === "sysctl" ? "sysctl" : isToolObject(o) ? (toolName(o) as LineTool) : "nft";

/** An element of a set has no text of its own: being there is all. */
const shownText = (o: KernelObject): string => objectText(o) || (o.kind === "element" ? "in the set" : "there");

/**
 * Whose an nft object is, by its name alone: chains are `OWNER/part`, and an element belongs to the chain it leads to.
 * Undefined for what is shared, and for what nobody of ours made.
 */
export function ownerOf(o: NftObject): string | undefined {
  const known = owners.get(o);
  if (known !== undefined) return known === "" ? undefined : known;
  const name = ownName(o) ?? "";
  const prefix = name.slice(0, Math.max(0, name.lastIndexOf("/")));
  const owner = isOwner(prefix) ? prefix : "";
  owners.set(o, owner);
  return owner === "" ? undefined : owner;
}

/** It is asked of every object of a table, for every change; nobody's objects have "". */
const owners = new WeakMap<NftObject, string>();

/** The name that says whose an nft object is: that of a chain, and for an element that of the chain it leads to. */
export function ownName(o: NftObject): string | undefined {
  switch (o.kind) {
    case "chain":
      return o.name;
    case "element":
      return verdictChain(o) ?? o.of;
    case "set":
    case "map":
      return o.name;
    case "foreign":
      return undefined;
    default:
      return o satisfies never;
  }
}

/** kind/project/stack/name, where the name may have slashes itself. */
const isOwner = (name: string): boolean => name.split("/").length >= 4;

/** `acme/prod` of `synproxy/acme/prod/web`. */
export const stackOf = (name: string): string => name.split("/").slice(1, 3).join("/");
