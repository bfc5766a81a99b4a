/** The lines of a declaration as the host shows them: what a drift run compares with the declared ones. */
import { type NftObject, nftEqual, nftId, nftText } from "../kernel/nftables/objects";
import { type KernelObject, sysctlsOf } from "../kernel/object";
import { sysctlServes } from "../kernel/sysctl/sysctl";
import { type Declaration, type Layout, type Lines, asLines, layoutText, ownerOf } from "./desired";
import { type Observed, type Snapshot } from "./snapshot";

/** Nothing on the host is this resource's: no record in the ledger, no object of its name. */
export const isGone = (name: string, seen: Snapshot): boolean =>
  !seen.records.some((r) => r.name === name) && ![...seen.nft.values()].some((o) => ownerOf(o) === name);

/** The part of a snapshot that belongs to a declaration: its own objects and the values it claims. */
export function restrictTo({ name, wanted }: Declaration, seen: Snapshot): Observed {
  const keys = new Set(sysctlsOf(wanted).map((s) => s.key));
  return {
    nft: new Map([...seen.nft].filter(([, o]) => ownerOf(o) === name)),
    sysctl: new Map([...seen.sysctl].filter(([key]) => keys.has(key))),
  };
}

/** What is missing has no line; what somebody added to an object of ours, or under our name, is shown. */
export function observedLines(declaration: Declaration, seen: Snapshot, layouts: readonly Layout[]): Lines {
  const { name, wanted } = declaration;
  const found = wanted.flatMap(({ object }): KernelObject[] => {
    if (object.kind !== "sysctl") return present(seen.nft.get(nftId(object)));
    const value = seen.sysctl.get(object.key);
    return value === undefined ? [] : [sysctlServes(object, value) ? object : { ...object, value }];
  });
  const ids = new Set(wanted.flatMap(({ object }) => (object.kind === "sysctl" ? [] : [nftId(object)])));
  const added = [...seen.nft].filter(([id, o]) => ownerOf(o) === name && !ids.has(id)).map(([, o]) => o);
  const layout = declaration.layouts.length > 0 ? observedLayout(declaration.layouts, seen, layouts) : undefined;
  return asLines([...found, ...added], layout);
}

const present = (o: NftObject | undefined): NftObject[] => (o ? [o] : []);

/** `layout synproxy` when all is in place; otherwise what differs, in words. */
function observedLayout(names: readonly string[], seen: Snapshot, layouts: readonly Layout[]): string {
  const expected = layouts.filter((l) => names.includes(l.name)).flatMap((l) => l.objects);
  // Somebody flushed the ruleset: one word for it instead of one for each chain and map.
  if (seen.nft.size === 0) return `${layoutText(names)}; the table is missing`;
  const wrong = expected.flatMap((o) => {
    const found = seen.nft.get(nftId(o));
    if (found === undefined) return [`${nftId(o)} is missing`];
    return nftEqual(found, o) ? [] : [`${nftId(o)} is: ${nftText(found)}`];
  });
  const known = new Set([
    ...layouts.flatMap((l) => l.objects.map(nftId)),
    ...seen.records.flatMap((r) => r.wanted.flatMap(({ object }) => (object.kind === "sysctl" ? [] : [nftId(object)]))),
  ]);
  const strangers = [...seen.nft].filter(([id, o]) => ownerOf(o) === undefined && !known.has(id));
  return [layoutText(names), ...wrong, ...strangers.map(([id]) => `${id} is not ours`)].join("; ");
}
