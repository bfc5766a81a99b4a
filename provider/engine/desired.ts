/** What is wanted of a host: the compiled form of resources, with no resource in it. */
import { type NftObject, verdictChain } from "../kernel/nftables/objects";
import { type KernelObject, type Wanted, objectId, objectText } from "../kernel/object";

/** Only this table is ever written to. */
export const TABLE = { family: "inet", name: "lbshield" } as const;
export const TABLE_REF = `${TABLE.family} ${TABLE.name}`;

/** Chains, sets and maps that resources of one sort share. They are there while one such resource is. */
export interface Layout {
  readonly name: string;
  readonly objects: readonly NftObject[];
}

export interface Compiled {
  /** The layouts it stands on, by name. */
  readonly layouts: readonly string[];
  readonly wanted: readonly Wanted[];
}

/** A resource's share of a host. */
export interface Declaration extends Compiled {
  /** The name on the host, `kind/project/stack/name`: unique there. */
  readonly name: string;
  /** The name and port by which its host is reached. */
  readonly via?: string;
  /** As people know it, e.g. `SynproxyRule web (acme/prod)`. */
  readonly label: string;
}

/** The host's own lines, keyed by object: what a preview shows, and what a drift run compares. */
export interface Lines {
  readonly nft?: Readonly<Record<string, string>>;
  readonly sysctl?: Readonly<Record<string, string>>;
}

export const LAYOUT_LINE = `table ${TABLE_REF}`;
export const layoutText = (layouts: readonly string[]): string => `layout ${layouts.join(", ")}`;

/** The lines that a declaration puts on its host. */
export function desiredLines({ layouts, wanted }: Compiled): Lines {
  const objects = wanted.map((w) => w.object);
  return asLines(objects, layouts.length > 0 ? layoutText(layouts) : undefined);
}

export function asLines(objects: readonly KernelObject[], layout: string | undefined): Lines {
  const record = (some: readonly KernelObject[]): Record<string, string> =>
    Object.fromEntries(
      some.map((o): [string, string] => [objectId(o), shownText(o)]).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  const sysctl = objects.filter((o) => o.kind === "sysctl");
  const nft = objects.filter((o) => o.kind !== "sysctl");
  return {
    ...(nft.length > 0 || layout !== undefined
      ? { nft: { ...(layout === undefined ? {} : { [LAYOUT_LINE]: layout }), ...record(nft) } }
      : {}),
    ...(sysctl.length > 0 ? { sysctl: record(sysctl) } : {}),
  };
}

/** An element of a set has no text of its own: being there is all. */
const shownText = (o: KernelObject): string => objectText(o) || "in the set";

/**
 * Whose an nft object is, by its name alone: chains are `OWNER/part`, and an element belongs to the chain it leads to.
 * Undefined for what is shared, and for what nobody of ours made.
 */
export function ownerOf(o: NftObject): string | undefined {
  switch (o.kind) {
    case "chain":
      return chainOwner(o.name);
    case "element":
      return chainOwner(verdictChain(o) ?? "");
    case "set":
    case "map":
    case "foreign":
      return undefined;
    default:
      return o satisfies never;
  }
}

const chainOwner = (name: string): string | undefined => {
  const owner = name.slice(0, Math.max(0, name.lastIndexOf("/")));
  return isOwner(owner) ? owner : undefined;
};

/** kind/project/stack/name, where the name may have slashes itself. */
const isOwner = (name: string): boolean => name.split("/").length >= 4;

/** `acme/prod` of `synproxy/acme/prod/web`. */
export const stackOf = (name: string): string => name.split("/").slice(1, 3).join("/");
