/**
 * From what a host is to what it should be: pure, so that every decision can be tested as a table. A plan holds each
 * step with its reverse; transaction.ts carries it out.
 */
import { type Element, type NftObject, type NftObjects, nftEqual, nftId, nftText } from "../kernel/nftables/objects";
import { type Line, nftScript } from "../kernel/nftables/script";
import { type Wanted, sysctlsOf } from "../kernel/object";
import { type Sysctl, sysctlServes } from "../kernel/sysctl/sysctl";
import { type Declaration, type Layout, TABLE_REF, ownerOf, stackOf } from "./desired";
import { type LedgerRecord, claimsBut, sameDeclaration, toRecord } from "./ledger";
import { keysOverlap } from "./overlap";
import { type Snapshot } from "./snapshot";

/** One resource is put into place, or goes. */
export type Change =
  | {
      readonly put: Declaration;
      /** The name it had before, when the program renamed it. */
      readonly was?: string;
      /** May it take over what this owner of the same stack has? */
      readonly mayTake?: (owner: string, id: string) => boolean;
    }
  | { readonly remove: Pick<Declaration, "name" | "label" | "via"> };

export interface SysctlWrite {
  readonly key: string;
  readonly from: string;
  readonly to: string;
}

/** What leads from one state of a host to another. */
export interface Plan {
  /** Values that the new rules stand on, written before them. */
  readonly sysctlBefore: readonly SysctlWrite[];
  readonly nft: { readonly forward: readonly Line[]; readonly reverse: readonly Line[]; readonly target: NftObjects };
  /** Values given back, written after the rules are gone. */
  readonly sysctlAfter: readonly SysctlWrite[];
  readonly ledger: {
    readonly write: readonly LedgerRecord[];
    readonly remove: readonly string[];
    readonly keepOriginals: ReadonlyMap<string, string>;
    readonly dropOriginals: readonly string[];
  };
}

export const isEmpty = (plan: Plan): boolean =>
  plan.sysctlBefore.length === 0 &&
  plan.nft.forward.length === 0 &&
  plan.sysctlAfter.length === 0 &&
  plan.ledger.write.length === 0 &&
  plan.ledger.remove.length === 0;

/** What is wanted is wanted by somebody else, differently. */
export class Conflict extends Error {
  override readonly name = "Conflict";
  constructor(
    reason: string,
    readonly remedy: string,
  ) {
    super(reason);
  }
}

/** The host as it should be after a change. Throws a Conflict when it cannot be. */
export function after(change: Change, now: Snapshot, layouts: readonly Layout[]): Snapshot {
  if ("remove" in change && isReplaced(change.remove, now)) return now;
  const names = namesOf(change);
  const put = "put" in change ? change.put : undefined;
  const old = now.records.filter((r) => names.includes(r.name));
  const values = valuesAfter(
    names,
    put?.wanted ?? [],
    old.flatMap((r) => r.wanted),
    now,
  );
  const others = now.records.filter((r) => !names.includes(r.name));
  return {
    nft: tableAfter(change, names, now, layouts),
    ...values,
    records: [...others, ...(put ? [toRecord(put)] : [])],
  };
}

/**
 * A host that is reached by another name is another host to Pulumi: a resource is created there first and then removed
 * here. When both names lead to one machine, what was just created must stay.
 */
const isReplaced = ({ name, via }: Pick<Declaration, "name" | "via">, now: Snapshot): boolean =>
  now.records.some((r) => r.name === name && r.via !== undefined && via !== undefined && r.via !== via);

/** Pure difference: the same for one change and for a thousand. */
export function planBetween(now: Snapshot, next: Snapshot): Plan {
  const writes = [...next.sysctl].flatMap(([key, to]): SysctlWrite[] => {
    const from = now.sysctl.get(key);
    return from === undefined || from === to ? [] : [{ key, from, to }];
  });
  const before = new Map(now.records.map((r) => [r.name, r]));
  const names = new Set(next.records.map((r) => r.name));
  return {
    sysctlBefore: writes.filter((w) => next.originals.has(w.key)),
    nft: {
      forward: nftScript(TABLE_REF, now.nft, next.nft),
      reverse: nftScript(TABLE_REF, next.nft, now.nft),
      target: next.nft,
    },
    sysctlAfter: writes.filter((w) => !next.originals.has(w.key)),
    ledger: {
      write: next.records.filter((r) => !sameDeclaration(before.get(r.name), r)),
      remove: [...before.keys()].filter((name) => !names.has(name)),
      keepOriginals: new Map([...next.originals].filter(([key]) => !now.originals.has(key))),
      dropOriginals: [...now.originals.keys()].filter((key) => !next.originals.has(key)),
    },
  };
}

/** Under which names the host may know the resource. */
const namesOf = (change: Change): readonly string[] =>
  "remove" in change ? [change.remove.name] : [change.put.name, ...(change.was === undefined ? [] : [change.was])];

/** The table as it should be: others' objects as they stand, ours as declared, what is nobody's gone. */
function tableAfter(change: Change, names: readonly string[], now: Snapshot, layouts: readonly Layout[]): NftObjects {
  const put = "put" in change ? change.put : undefined;
  const own = (put?.wanted ?? []).map((w) => w.object).filter((o): o is NftObject => o.kind !== "sysctl");
  const others = now.records.filter((r) => !names.includes(r.name));
  const had = now.records.some((r) => names.includes(r.name) && r.layouts.length > 0);
  const mine = (o: NftObject) => names.includes(ownerOf(o) ?? "");
  if (own.length === 0 && !had && ![...now.nft.values()].some(mine)) return now.nft;

  const target = new Map<string, NftObject>();
  const standing = new Set([...others, ...(put ? [put] : [])].flatMap((d) => d.layouts));
  const recorded = new Set(others.map((r) => r.name));
  // Somebody's objects whose record is lost: they and what they stand on are left alone.
  const orphans = [...now.nft.values()].some(
    (o) => ownerOf(o) !== undefined && !mine(o) && !recorded.has(ownerOf(o) ?? ""),
  );
  for (const layout of layouts)
    if (standing.has(layout.name) || (orphans && layout.objects.some((o) => now.nft.has(nftId(o)))))
      for (const o of layout.objects) target.set(nftId(o), o);
  if (orphans) for (const [id, o] of now.nft) if (o.kind === "element" && o.value === undefined) target.set(id, o);
  for (const [id, o] of now.nft) if (ownerOf(o) !== undefined && !mine(o)) target.set(id, o);
  for (const { wanted } of claimsBut(now.records, names))
    if (wanted.object.kind === "element" && now.nft.has(nftId(wanted.object)))
      target.set(nftId(wanted.object), wanted.object);
  for (const o of own) {
    if (o.kind === "element") refuseTaken(o, names, target, change);
    target.set(nftId(o), o);
  }
  return target;
}

/** Equal keys are a conflict, unless their owner is of our own stack and does not declare them any more. */
function refuseTaken(o: Element, names: readonly string[], target: Map<string, NftObject>, change: Change): void {
  const id = nftId(o);
  const taken = target.get(id);
  const owner = taken === undefined ? undefined : ownerOf(taken);
  if (owner === undefined || names.includes(owner)) return;
  const ourStack = names.some((name) => stackOf(name) === stackOf(owner));
  if (ourStack && "put" in change && change.mayTake?.(owner, id)) return;
  throw takenBy(o.key, owner);
}

/** `"eth0" . 192.0.2.1 . 80` as people say it. */
export const printKey = (key: string): string => key.replace(/^("[^"]*") \. /, "$1 ").replace(" . ", " port ");

export const takenBy = (key: string, owner: string): Conflict =>
  new Conflict(
    `${printKey(key)} already belongs to ${owner} on this host`,
    "declare it once; to move it to another stack, remove it there first",
  );

/** When the kernel says that a key exists, the owner of the key that overlaps it. */
export function overlappingOwner(o: Element, now: NftObjects): string | undefined {
  for (const other of now.values())
    if (other.kind === "element" && other.of === o.of && keysOverlap(other.key, o.key)) {
      const owner = ownerOf(other);
      if (owner !== undefined && owner !== ownerOf(o)) return owner;
    }
  return undefined;
}

/** Values are claims: the first keeps what was there before, the last to go puts it back. */
function valuesAfter(
  names: readonly string[],
  wanted: readonly Wanted[],
  old: readonly Wanted[],
  now: Snapshot,
): Pick<Snapshot, "sysctl" | "originals"> {
  const claims = claimsBut(now.records, names);
  const [sysctl, originals] = [new Map(now.sysctl), new Map(now.originals)];
  for (const claim of sysctlsOf(wanted)) {
    const value = agree(claim, claims);
    const found = now.sysctl.get(claim.key);
    if (found === undefined)
      throw new Conflict(
        `${claim.key} does not exist on this host`,
        "is the kernel module that brings it loaded (nf_conntrack), and is this kernel recent enough for it?",
      );
    if (!originals.has(claim.key)) originals.set(claim.key, found);
    if (!sysctlServes(value, found)) sysctl.set(claim.key, value.value);
  }
  const kept = new Set([...sysctlsOf(wanted), ...sysctlsOf(claims.map((c) => c.wanted))].map((s) => s.key));
  for (const { key } of sysctlsOf(old)) {
    const original = now.originals.get(key);
    if (kept.has(key)) continue;
    if (original !== undefined && now.sysctl.has(key)) sysctl.set(key, original);
    originals.delete(key);
  }
  return { sysctl, originals };
}

/** The value that serves all who claim a key. */
export function agree(claim: Sysctl, claims: readonly { label: string; wanted: Wanted }[]): Sysctl {
  let agreed = claim;
  for (const { label, wanted } of claims) {
    const other = wanted.object;
    if (other.kind !== "sysctl" || other.key !== claim.key) continue;
    if (sysctlServes(other, agreed.value)) continue;
    if (!sysctlServes(agreed, other.value))
      throw new Conflict(
        `${claim.key} should be ${claim.value}, but ${label} wants it to be ${other.value}`,
        "one host has one value: let both agree",
      );
    agreed = other;
  }
  return agreed;
}

const textOf = (o: NftObject | undefined): string => (o === undefined ? "absent" : `"${nftText(o)}"`);

/** What the read-back must show: the objects and values that the plan was for. */
export function differences(plan: Plan, seen: Snapshot): string[] {
  const ids = new Set([...plan.nft.target.keys(), ...seen.nft.keys()]);
  const objects = [...ids]
    .filter((id) => !nftEqual(plan.nft.target.get(id), seen.nft.get(id)))
    .map((id) => `${id} is ${textOf(seen.nft.get(id))}, not ${textOf(plan.nft.target.get(id))}`);
  const values = [...plan.sysctlBefore, ...plan.sysctlAfter]
    .filter((w) => seen.sysctl.get(w.key) !== w.to)
    .map((w) => `${w.key} is ${seen.sysctl.get(w.key) ?? "absent"}, not ${w.to}`);
  return [...objects, ...values];
}
