/** The lines of a declaration as the host shows them: what a drift run compares with the declared ones. */
import { type NftObject, byId, nftEqual, nftId, nftText } from "../kernel/nftables/objects";
import { type KernelObject, objectId, sysctlsOf, toolsOf } from "../kernel/object";
import { sysctlServes } from "../kernel/sysctl/sysctl";
import { isToolObject, toolEqual, toolId } from "../kernel/tools";
import { type Declaration, LINE_TOOLS, type Layout, type Lines, asLines, layoutText, ownerOf } from "./desired";
import { type Observed, type Snapshot } from "./snapshot";

/** What many reads of one look ask for, worked out once. */
interface Index {
  readonly byOwner: ReadonlyMap<string, readonly NftObject[]>;
  /** Nobody of ours made them, and they are no part of a layout. */
  readonly strangers: readonly string[];
  /** What those that the ledger knows need of the layout. */
  readonly needs: readonly string[];
  /** What differs from it, by needs. */
  readonly layouts: Map<string, string>;
}

const indexes = new WeakMap<Snapshot, Index>();

function indexOf(seen: Snapshot, layout: Layout): Index {
  const known = indexes.get(seen);
  if (known) return known;
  const byOwner = new Map<string, NftObject[]>();
  const declared = new Set([...seen.records.values()].flatMap((r) => r.wanted.map((w) => objectId(w.object))));
  const needs = [...new Set([...seen.records.values()].flatMap((r) => r.needs))];
  const strangers: string[] = [];
  for (const [id, o] of seen.nft) {
    const owner = ownerOf(o);
    if (owner === undefined) {
      strangers.push(id);
      continue;
    }
    const own = byOwner.get(owner) ?? [];
    own.push(o);
    byOwner.set(owner, own);
  }
  // What stands for objects whose record is lost is left alone.
  const orphans = [...byOwner.keys()].some((owner) => !seen.records.has(owner));
  const standing = new Set([...needs, ...(orphans ? layout.needsOf(seen.nft) : [])]);
  for (const o of layout.objectsFor(standing)) declared.add(nftId(o));
  const index = {
    byOwner,
    strangers: strangers.filter((id) => !declared.has(id)),
    needs,
    layouts: new Map<string, string>(),
  };
  indexes.set(seen, index);
  return index;
}

/** Nothing on the host is this resource's: no record in the ledger, no object of its name. */
export const isGone = (name: string, seen: Snapshot, layout: Layout): boolean =>
  !seen.records.has(name) && !indexOf(seen, layout).byOwner.has(name);

/** The part of a snapshot that belongs to a declaration: its own objects and what it claims. */
export function restrictTo({ name, wanted }: Declaration, seen: Snapshot, layout: Layout): Observed {
  const own = indexOf(seen, layout).byOwner.get(name) ?? [];
  const some = <T>(ids: readonly string[], all: ReadonlyMap<string, T>): Map<string, T> =>
    new Map(
      ids.flatMap((id): [string, T][] => {
        const found = all.get(id);
        return found === undefined ? [] : [[id, found]];
      }),
    );
  return {
    nft: byId(own),
    sysctl: some(
      sysctlsOf(wanted).map((s) => s.key),
      seen.sysctl,
    ),
    objects: some(toolsOf(wanted).map(toolId), seen.objects),
  };
}

/** What is missing has no line; what somebody added to an object of ours, or under our name, is shown. */
export function observedLines(declaration: Declaration, seen: Snapshot, layout: Layout): Lines {
  const { name, wanted } = declaration;
  const found = wanted.flatMap(({ object }): KernelObject[] => {
    if (isToolObject(object)) {
      const there = seen.objects.get(toolId(object));
      return toolEqual(object, there) ? [object] : present(there);
    }
    if (object.kind !== "sysctl") return present(seen.nft.get(nftId(object)));
    const value = seen.sysctl.get(object.key);
    if (value === undefined) return [];
    return [sysctlServes(object, value) ? object : { ...object, value: whoSays(object.key, value, seen) }];
  });
  const ids = new Set(wanted.map(({ object }) => objectId(object)));
  const own = indexOf(seen, layout).byOwner.get(name) ?? [];
  const added = own.filter((o) => !ids.has(nftId(o)));
  const shared = declaration.needs.length > 0 ? observedLayout(declaration.needs, seen, layout) : undefined;
  const unknown = seen.records.has(name) ? "" : "; the host's ledger does not know it";
  const lines = asLines([...found, ...added], shared === undefined ? undefined : `${shared}${unknown}`);
  return withBoot(lines, seen);
}

/** What would not come back after a restart is drift, for each that it would be lost to. */
function withBoot(lines: Lines, { restart }: Snapshot): Lines {
  const tool = LINE_TOOLS.find((t) => lines[t] !== undefined);
  if (tool === undefined || restart === undefined || restart.wrong.length === 0) return lines;
  return { ...lines, [tool]: { ...lines[tool], [BOOT_LINE]: `lost: ${restart.wrong.join("; ")}` } };
}

const BOOT_LINE = "after a restart";

/** A value that is not ours, and the file that it may come from. */
function whoSays(key: string, value: string, { files }: Snapshot): string {
  const other = files?.of(key);
  return other?.value === value ? `${value}, as ${other.file} says` : value;
}

const present = <T>(o: T | undefined): T[] => (o === undefined ? [] : [o]);

function observedLayout(needs: readonly string[], seen: Snapshot, layout: Layout): string {
  const known = indexOf(seen, layout).layouts;
  const key = needs.join("\n");
  const text = known.get(key) ?? describeLayout(needs, seen, layout);
  known.set(key, text);
  return text;
}

/** `layout ...` when all is in place; otherwise what differs, in words. */
function describeLayout(needs: readonly string[], seen: Snapshot, layout: Layout): string {
  // Somebody flushed the ruleset: one word for it instead of one for each chain and map.
  if (seen.nft.size === 0) return `${layoutText(needs)}; the table is missing`;
  const index = indexOf(seen, layout);
  const wrong = layout.objectsFor(new Set([...index.needs, ...needs])).flatMap((o) => {
    const found = seen.nft.get(nftId(o));
    if (found === undefined) return [`${nftId(o)} is missing`];
    return nftEqual(found, o) ? [] : [`${nftId(o)} is: ${nftText(found)}`];
  });
  return [layoutText(needs), ...wrong, ...index.strangers.map((id) => `${id} is not ours`)].join("; ");
}
