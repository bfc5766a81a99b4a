/**
 * From what a host is to what it should be: pure, so that every decision can be tested as a table. A plan holds each
 * step with its reverse; transaction.ts carries it out.
 */
import { type Element, type NftObject, type NftObjects, nftEqual, nftId, nftText } from "../kernel/nftables/objects";
import { type Line, nftScript } from "../kernel/nftables/script";
import { type Wanted } from "../kernel/object";
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
  | { readonly remove: Pick<Declaration, "name" | "label"> };

export interface SysctlWrite {
  readonly key: string;
  readonly from: string;
  readonly to: string;
}

export interface Plan {
  /** Values that the new rules stand on, written before them. */
  readonly sysctlBefore: readonly SysctlWrite[];
  readonly nft: { readonly forward: readonly Line[]; readonly reverse: readonly Line[]; readonly target: NftObjects };
  /** Values given back, written after the rules are gone. */
  readonly sysctlAfter: readonly SysctlWrite[];
  readonly ledger: {
    readonly write?: LedgerRecord;
    readonly remove?: string;
    readonly keepOriginals: ReadonlyMap<string, string>;
    readonly dropOriginals: readonly string[];
  };
}

export const isEmpty = (plan: Plan): boolean =>
  plan.sysctlBefore.length === 0 &&
  plan.nft.forward.length === 0 &&
  plan.sysctlAfter.length === 0 &&
  plan.ledger.write === undefined &&
  plan.ledger.remove === undefined;

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

export function makePlan(change: Change, now: Snapshot, layouts: readonly Layout[]): Plan {
  const names = namesOf(change);
  const wanted = "put" in change ? change.put.wanted : [];
  const old = now.records.find((r) => names.includes(r.name));
  const target = nftTarget(change, names, now, layouts);
  const values = planSysctls(names, wanted, old?.wanted ?? [], now);
  const write = "put" in change && !sameDeclaration(old, change.put) ? toRecord(change.put) : undefined;
  return {
    ...values.writes,
    nft: {
      forward: nftScript(TABLE_REF, now.nft, target),
      reverse: nftScript(TABLE_REF, target, now.nft),
      target,
    },
    ledger: {
      ...(write ? { write } : {}),
      ...(old && ("remove" in change || old.name !== change.put.name) ? { remove: old.name } : {}),
      keepOriginals: values.keepOriginals,
      dropOriginals: values.dropOriginals,
    },
  };
}

/** Under which names the host may know the resource. */
const namesOf = (change: Change): readonly string[] =>
  "remove" in change ? [change.remove.name] : [change.put.name, ...(change.was === undefined ? [] : [change.was])];

/** The table as it should be: others' objects as they stand, ours as declared, what is nobody's gone. */
function nftTarget(change: Change, names: readonly string[], now: Snapshot, layouts: readonly Layout[]): NftObjects {
  const put = "put" in change ? change.put : undefined;
  const own = (put?.wanted ?? []).map((w) => w.object).filter((o): o is NftObject => o.kind !== "sysctl");
  const others = now.records.filter((r) => !names.includes(r.name));
  const had = now.records.some((r) => names.includes(r.name) && r.layouts.length > 0);
  const mine = (o: NftObject) => names.includes(ownerOf(o) ?? "");
  if (own.length === 0 && !had && ![...now.nft.values()].some(mine)) return now.nft;

  const target = new Map<string, NftObject>();
  const standing = new Set([...others, ...(put ? [put] : [])].flatMap((d) => d.layouts));
  for (const layout of layouts) if (standing.has(layout.name)) for (const o of layout.objects) target.set(nftId(o), o);
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

export const takenBy = (key: string, owner: string): Conflict =>
  new Conflict(
    `${key.replaceAll(" . ", " port ")} already belongs to ${owner} on this host`,
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

interface SysctlPlan {
  readonly writes: Pick<Plan, "sysctlBefore" | "sysctlAfter">;
  readonly keepOriginals: ReadonlyMap<string, string>;
  readonly dropOriginals: readonly string[];
}

/** Values are claims: the first keeps what was there before, the last to go puts it back. */
function planSysctls(
  names: readonly string[],
  wanted: readonly Wanted[],
  old: readonly Wanted[],
  now: Snapshot,
): SysctlPlan {
  const claims = claimsBut(now.records, names);
  const keepOriginals = new Map<string, string>();
  const sysctlBefore = sysctlsOf(wanted).flatMap((claim) => {
    const value = agree(claim, claims);
    const found = now.sysctl.get(claim.key);
    if (found === undefined)
      throw new Conflict(
        `${claim.key} does not exist on this host`,
        "is the kernel module that brings it loaded (nf_conntrack), and is this kernel recent enough for it?",
      );
    if (!now.originals.has(claim.key)) keepOriginals.set(claim.key, found);
    return sysctlServes(value, found) ? [] : [{ key: claim.key, from: found, to: value.value }];
  });
  const released = sysctlsOf(old)
    .map((s) => s.key)
    .filter((key) => !sysctlsOf(wanted).some((s) => s.key === key))
    .filter((key) => !claims.some((c) => c.wanted.object.kind === "sysctl" && c.wanted.object.key === key));
  const sysctlAfter = released.flatMap((key) => {
    const [from, to] = [now.sysctl.get(key), now.originals.get(key)];
    return from === undefined || to === undefined || from === to ? [] : [{ key, from, to }];
  });
  return { writes: { sysctlBefore, sysctlAfter }, keepOriginals, dropOriginals: released };
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

const sysctlsOf = (wanted: readonly Wanted[]): Sysctl[] =>
  wanted.map((w) => w.object).filter((o): o is Sysctl => o.kind === "sysctl");

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
