/**
 * From what a host is to what it should be: pure, so that every decision can be tested as a table. A plan holds each
 * step with its way back; transaction.ts carries it out.
 */
import {
  type Element,
  type NftObject,
  type NftObjects,
  byId,
  nftEqual,
  nftId,
  nftText,
} from "../kernel/nftables/objects";
import { type Line, isEchoed, nftReverse, nftScript } from "../kernel/nftables/script";
import { type Wanted, isNft, objectId, sysctlsOf, toolsOf } from "../kernel/object";
import { type Step } from "../kernel/step";
import { absentRemedy } from "../kernel/sysctl/remedy";
import { type Sysctl, type Write, movesWith, sysctlServes, valueStep, widestFirst } from "../kernel/sysctl/sysctl";
import {
  type ToolObject,
  type ToolObjects,
  TOOLS,
  isSetting,
  ofTool,
  stays,
  toolEqual,
  toolId,
  toolText,
} from "../kernel/tools";
import { type Declaration, type Layout, TABLE_REF, ownerOf, stackOf } from "./desired";
import { bootLines, bootStep } from "./boot";
import { type Claim, type LedgerEdit, type LedgerRecord, isNoEdit, sameDeclaration, toRecord } from "./ledger";
import { keysOverlap } from "./overlap";
import { type Snapshot } from "./snapshot";
import { cooledStep, warmStep } from "./warm";

/** One resource is put into place, or goes. */
export type Change =
  | {
      readonly put: Declaration;
      /** The name it had before, when the program renamed it. */
      readonly was?: string;
      /** It is on its way out: where it is gone already, or has been replaced, there is nothing to do. */
      readonly leaving?: boolean;
      /** May it take over what this owner of the same stack has? */
      readonly mayTake?: (owner: string, id: string) => boolean;
    }
  | { readonly remove: Removed };

type Removed = Pick<Declaration, "name" | "label" | "via" | "creation">;

/** What leads from one state of a host to another. */
export interface Plan {
  /** In order. The one with this id is the nft transaction; the others are named by their object. */
  readonly steps: readonly Step[];
  readonly nft: {
    readonly forward: readonly Line[];
    readonly reverse: readonly Line[];
    readonly target: NftObjects;
    /** Does nft tell what it has written? Then the table need not be listed again. */
    readonly echoed: boolean;
  };
  /** What the values that are written must be. */
  readonly values: ReadonlyMap<string, Sysctl>;
  /** What the tools' objects that are touched must be; absent ones must be gone. */
  readonly objects: ReadonlyMap<string, ToolObject | undefined>;
  readonly ledger: LedgerEdit;
}

/** The id of the step that runs the nft script. */
export const NFT_STEP = "nft";

export const isEmpty = (plan: Plan): boolean => plan.steps.length === 0 && isNoEdit(plan.ledger);

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

/** A host as it is and as it should become, change upon change. */
export class Draft {
  readonly sysctl: Map<string, string>;
  /** What was agreed on for the values that changes have named. */
  readonly agreed = new Map<string, Sysctl>();
  readonly originals: Map<string, string>;
  readonly records: Map<string, LedgerRecord>;
  readonly objects: Map<string, ToolObject>;
  /** Whose nft objects are replaced, and by what; the table itself is worked out once, at the end. */
  private readonly replaced = new Set<string>();
  private readonly wanted = new Map<string, ReadonlyMap<string, NftObject>>();
  private tableTouched = false;
  private readonly claims = new Map<string, Map<string, Claim>>();
  private readonly owners: ReadonlySet<string>;
  /** Who needs what of which a host has one. */
  private readonly settings = new Map<string, Map<string, string>>();

  constructor(
    readonly now: Snapshot,
    readonly layout: Layout,
  ) {
    this.sysctl = new Map(now.sysctl);
    this.originals = new Map(now.originals);
    this.records = new Map(now.records);
    this.objects = new Map(now.objects);
    this.owners = new Set([...now.nft.values()].map((o) => ownerOf(o) ?? ""));
    for (const record of now.records.values()) this.claim(record);
  }

  /** Enters a change. Throws a Conflict when it cannot be, and is then as it was before. */
  enter(change: Change): void {
    if ("remove" in change && isReplaced(change.remove, this.records)) return;
    if ("put" in change && change.leaving === true && hasGone(change.put, this.records)) return;
    const names = namesOf(change);
    const put = "put" in change ? change.put : undefined;
    for (const need of put?.needs ?? []) this.refuseOther(need, names);
    const old = names.flatMap((name) => this.records.get(name) ?? []);
    const had = old.flatMap((r) => r.wanted);
    const values = this.valuesAfter(names, put?.wanted ?? [], had);
    const own = (put?.wanted ?? []).map((w) => w.object).filter(isNft);
    for (const o of own) if (o.kind === "element") this.refuseTaken(o, names, change);
    const objects = this.objectsAfter(names, put?.wanted ?? [], had);
    // Nothing is in the way: from here on it is entered.
    values();
    objects();
    this.tableTouched ||=
      own.length > 0 || old.some((r) => r.needs.length > 0) || names.some((n) => this.owners.has(n));
    for (const record of old) this.disclaim(record);
    for (const name of names) {
      this.replaced.add(name);
      this.wanted.delete(name);
      this.records.delete(name);
    }
    if (put === undefined) return;
    this.wanted.set(put.name, byId(own));
    const record = toRecord(put);
    this.records.set(put.name, record);
    this.claim(record);
  }

  /** The table as it should be: others' objects as they stand, ours as declared, what is nobody's gone. */
  table(): NftObjects {
    const { now } = this;
    if (!this.tableTouched) return now.nft;
    const target = new Map<string, NftObject>();
    const stays = (o: NftObject): boolean => {
      const owner = ownerOf(o);
      return owner !== undefined && !this.replaced.has(owner);
    };
    // Somebody's objects whose record is lost: they and what they stand on are left alone.
    const orphans = [...now.nft.values()].some((o) => stays(o) && !this.records.has(ownerOf(o) ?? ""));
    const needs = new Set([...this.records.values()].flatMap((r) => r.needs));
    if (orphans) for (const need of this.layout.needsOf(now.nft)) needs.add(need);
    if (orphans) for (const [id, o] of now.nft) if (isShared(o)) target.set(id, o);
    for (const o of this.layout.objectsFor(needs)) target.set(nftId(o), o);
    for (const [id, o] of now.nft) if (stays(o)) target.set(id, o);
    for (const claims of this.claims.values())
      for (const { wanted } of claims.values()) {
        const there = isNft(wanted.object) ? now.nft.get(nftId(wanted.object)) : undefined;
        // What somebody has taken over is not the claimant's any more, though its record stands until it is removed.
        if (isNft(wanted.object) && there && !stays(there)) target.set(nftId(there), wanted.object);
      }
    for (const some of this.wanted.values()) for (const [id, o] of some) target.set(id, o);
    return target;
  }

  /** Of needs that are written `NAME=VALUE`, a host has one value. */
  private refuseOther(need: string, names: readonly string[]): void {
    const at = need.indexOf("=") + 1;
    if (at === 0) return;
    for (const [other, who] of this.settings)
      if (other !== need && other.startsWith(need.slice(0, at)))
        for (const [name, label] of who)
          if (!names.includes(name))
            throw new Conflict(
              `${need.replace("=", " ")} is wanted, but ${label} wants ${other.slice(at)}`,
              "one host has one: let both agree",
            );
  }

  private claim({ name, label, needs, wanted }: Declaration): void {
    for (const need of needs)
      if (need.includes("="))
        this.settings.set(need, (this.settings.get(need) ?? new Map<string, string>()).set(name, label));
    for (const w of wanted) {
      if (!w.shared) continue;
      const id = objectId(w.object);
      const claims = this.claims.get(id) ?? new Map<string, Claim>();
      this.claims.set(id, claims.set(name, { label, wanted: w }));
    }
  }

  private disclaim({ name, needs, wanted }: Declaration): void {
    for (const need of needs) this.settings.get(need)?.delete(name);
    for (const w of wanted) if (w.shared) this.claims.get(objectId(w.object))?.delete(name);
  }

  private claimsBut(id: string, names: readonly string[]): Claim[] {
    return [...(this.claims.get(id) ?? [])].flatMap(([name, claim]) => (names.includes(name) ? [] : [claim]));
  }

  /** Equal keys are a conflict, unless their owner is of our own stack and does not declare them any more. */
  private refuseTaken(o: Element, names: readonly string[], change: Change): void {
    const id = nftId(o);
    const there = this.now.nft.get(id);
    const put = [...this.wanted.values()].find((some) => some.has(id))?.get(id);
    const taken = put ?? (there && !this.replaced.has(ownerOf(there) ?? "") ? there : undefined);
    const owner = taken === undefined ? undefined : ownerOf(taken);
    if (owner === undefined || names.includes(owner)) return;
    const ourStack = names.some((name) => stackOf(name) === stackOf(owner));
    if (ourStack && "put" in change && change.mayTake?.(owner, id)) return;
    throw takenBy(o.key, owner);
  }

  /** Values are claims: the first keeps what was there before, the last to go puts it back. */
  private valuesAfter(names: readonly string[], wanted: readonly Wanted[], had: readonly Wanted[]): () => void {
    const values = sysctlsOf(wanted).map((claim) => {
      const value = agree(claim, this.claimsBut(claim.key, names));
      const found = this.sysctl.get(claim.key);
      if (found === undefined) throw new Conflict(`${claim.key} does not exist on this host`, absentRemedy(claim.key));
      return { value, found };
    });
    const kept = new Set(values.map(({ value }) => value.key));
    const freed = sysctlsOf(had).filter(({ key }) => !kept.has(key) && this.claimsBut(key, names).length === 0);
    return () => {
      for (const { value, found } of values) {
        if (!this.originals.has(value.key)) this.originals.set(value.key, found);
        if (!sysctlServes(value, found)) this.sysctl.set(value.key, value.value);
        this.agreed.set(value.key, value);
      }
      for (const { key } of freed) {
        const original = this.originals.get(key);
        if (original !== undefined && this.sysctl.has(key)) this.sysctl.set(key, original);
        this.originals.delete(key);
        this.agreed.delete(key);
      }
    };
  }

  /** What is there and nobody of ours declared is somebody else's: it is neither changed nor taken over. */
  private objectsAfter(names: readonly string[], wanted: readonly Wanted[], had: readonly Wanted[]): () => void {
    const old = new Map(toolsOf(had).map((o) => [toolId(o), o]));
    const put = wanted.flatMap(({ object, shared }) => {
      if (object.kind === "sysctl" || isNft(object)) return [];
      const id = toolId(object);
      const others = this.claimsBut(id, names);
      const differs = others.find((c) => toolText(c.wanted.object as ToolObject) !== toolText(object));
      if (differs) throw new Conflict(`${id} is wanted differently by ${differs.label}`, "let both agree");
      const free = isSetting(object) || stays(object) || old.has(id) || (shared && others.length > 0);
      if (this.objects.has(id) && !free) throw this.notOurs(id);
      return [object];
    });
    const kept = new Set(put.map(toolId));
    const freed = [...old.values()].filter(
      (o) => !stays(o) && !kept.has(toolId(o)) && this.claimsBut(toolId(o), names).length === 0,
    );
    return () => {
      for (const o of freed) this.free(o);
      for (const o of put) {
        const id = toolId(o);
        const found = this.objects.get(id);
        if (isSetting(o) && found && !this.originals.has(id)) this.originals.set(id, JSON.stringify(found));
        this.objects.set(id, o);
      }
    };
  }

  private free(o: ToolObject): void {
    const id = toolId(o);
    const original = this.originals.get(id);
    if (isSetting(o) && original !== undefined) this.objects.set(id, JSON.parse(original) as ToolObject);
    else this.objects.delete(id);
    this.originals.delete(id);
  }

  private notOurs(id: string): Conflict {
    const owner = [...this.records.values()].find((r) => toolsOf(r.wanted).some((o) => toolId(o) === id));
    return owner
      ? new Conflict(`${id} already belongs to ${owner.label}`, "declare it once")
      : new Conflict(`${id} is on the host already and is not ours`, "remove it by hand, or choose another one");
  }
}

/** Sets that several use, and what is in them: no name in them tells whose they are. */
const isShared = (o: NftObject): boolean => (o.kind === "set" || o.kind === "element") && ownerOf(o) === undefined;

const hasGone = (declaration: Declaration, records: ReadonlyMap<string, LedgerRecord>): boolean =>
  !records.has(declaration.name) || isReplaced(declaration, records);

/**
 * When Pulumi replaces a resource (its host is reached by another name, or somebody asked for it), it creates the new one
 * first and then removes the old one, of the same name. What was just created must stay.
 */
function isReplaced({ name, via, creation }: Removed, records: ReadonlyMap<string, LedgerRecord>): boolean {
  const record = records.get(name);
  const differs = (a: string | undefined, b: string | undefined) => a !== undefined && b !== undefined && a !== b;
  return differs(record?.via, via) || differs(record?.creation, creation);
}

/** Pure difference: the same for one change and for a thousand. */
export function planOf(draft: Draft): Plan {
  const { now } = draft;
  const target = draft.table();
  const { moved, writes } = writesOf(draft);
  // Values that the new rules stand on come before them; values that are given back, after the rules are gone.
  const before = writes.filter((w) => draft.originals.has(w.key));
  const after = writes.filter((w) => !draft.originals.has(w.key));
  const forward = nftScript(TABLE_REF, now.nft, target);
  const ids = [...new Set([...now.objects.keys(), ...draft.objects.keys()])].filter(
    (id) => !toolEqual(draft.objects.get(id), now.objects.get(id)),
  );
  const touched = (objects: ToolObjects) => ids.flatMap((id) => objects.get(id) ?? []);
  const [had, next] = [touched(now.objects), touched(draft.objects)];
  const echoed = isEchoed(forward, target);
  const tools = TOOLS.flatMap((tool) => tool.steps(ofTool(tool, had), ofTool(tool, next)));
  const onlyGoing = ids.every((id) => !draft.objects.has(id));
  const nft: Step[] =
    forward.length === 0
      ? []
      : [
          ...warmStep(forward),
          // A script that was refused, or never ran, has changed nothing: then its reverse is refused as well.
          {
            id: NFT_STEP,
            run: `${echoed ? "echo @@echo && nft -e" : "nft"} -f "$LBS/forward.nft" && mv "$LBS/pending" "$LBS/applied"`,
            back: `nft -f "$LBS/reverse.nft" 2>/dev/null || [ ! -e "$LBS/applied" ]`,
          },
          ...cooledStep(forward),
        ];
  return {
    steps: [
      ...moved.map((w) => ({ ...valueStep(w), run: ":" })),
      ...before.map(valueStep),
      ...(onlyGoing ? [...tools, ...nft] : [...nft, ...tools]),
      ...after.map(valueStep),
      ...moved.map(valueStep),
      ...bootStep(now.restart, draft.records.size > 0),
    ],
    nft: { forward, reverse: nftReverse(TABLE_REF, now.nft, target), target, echoed },
    values: new Map([...writes, ...moved].map(({ key, to }) => [key, expected(draft, key, to)])),
    objects: new Map(ids.map((id) => [id, draft.objects.get(id)])),
    ledger: ledgerEdit(draft),
  };
}

/**
 * The values to write, and those that the kernel moves along with them by itself. These are put right afterwards, and
 * on the way back as well, once what moved them is back.
 */
function writesOf({ now, sysctl: values, agreed }: Draft): { writes: Write[]; moved: Write[] } {
  const write = (key: string, from: string, to: string): Write => ({ key, from, to, memory: agreed.get(key)?.memory });
  const found = [...values].flatMap(([key, to]) => {
    const from = now.sysctl.get(key);
    return from === undefined ? [] : [write(key, from, to)];
  });
  const writes = found.filter(({ from, to }) => from !== to);
  const moved = found.filter(({ key }) => writes.some((w) => movesWith(key, w.key)));
  // What the kernel moves and anybody has agreed on is written as agreed, whatever it is now.
  const agree = (w: Write): Write => ({ ...w, to: agreed.get(w.key)?.value ?? w.to });
  return { writes: writes.toSorted(widestFirst), moved: moved.map(agree).toSorted(widestFirst) };
}

/** What it may be once it is written: what was agreed on may be more than one value. */
function expected({ agreed }: Draft, key: string, value: string): Sysctl {
  const one = agreed.get(key);
  return one?.value === value ? one : { kind: "sysctl", key, value };
}

const textOf = (o: ToolObject | undefined): string | undefined => (o === undefined ? undefined : toolText(o));

/** Of what restores a record a look shows no more than that it is there; it changes with the record alone. */
function isHeld({ now, records }: Draft, key: string, value: string): boolean {
  const [kind, name = ""] = key.split("\t");
  if (kind !== "nft" || name === "layout") return now.boot.get(key) === value;
  const record = records.get(name);
  const before = now.records.get(name);
  return now.boot.has(key) && record !== undefined && (before === record || sameDeclaration(before, record));
}

function ledgerEdit(draft: Draft): LedgerEdit {
  const { now, records, originals } = draft;
  const boot = bootLines(draft);
  return {
    boot,
    writeBoot: new Map([...boot].filter(([key, value]) => !isHeld(draft, key, value))),
    dropBoot: [...now.boot.keys()].filter((key) => !boot.has(key)),
    write: [...records.values()].filter(
      (r) => r !== now.records.get(r.name) && !sameDeclaration(now.records.get(r.name), r),
    ),
    remove: [...now.records.keys()].filter((name) => !records.has(name)),
    keepOriginals: new Map([...originals].filter(([key]) => !now.originals.has(key))),
    dropOriginals: [...now.originals.keys()].filter((key) => !originals.has(key)),
    empty: records.size + originals.size === 0,
  };
}

/** Under which names the host may know the resource. */
export const namesOf = (change: Change): readonly string[] =>
  "remove" in change ? [change.remove.name] : [change.put.name, ...(change.was === undefined ? [] : [change.was])];

/** `"eth0" . 198.51.100.7 . 192.0.2.1 . 80` as people say it: `"eth0" 198.51.100.7 to 192.0.2.1 port 80`. */
export const printKey = (key: string): string =>
  key
    .replace(/^("[^"]*") \. /, "$1 ")
    .replace(/ \. ([^ ]*)$/, " port $1")
    .replace(" . ", " to ");

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

/** The value that serves all who claim a key. */
export function agree(claim: Sysctl, claims: readonly Claim[]): Sysctl {
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

const quoted = (text: string | undefined): string => (text === undefined ? "absent" : `"${text}"`);
const nftQuoted = (o: NftObject | undefined): string => quoted(o && nftText(o));

/** What the read-back must show: the objects and values that the plan was for. */
export function differences(plan: Plan, seen: Snapshot): string[] {
  const { target } = plan.nft;
  const wrong: string[] = [];
  const compare = (id: string) => {
    if (!nftEqual(target.get(id), seen.nft.get(id)))
      wrong.push(`${id} is ${nftQuoted(seen.nft.get(id))}, not ${nftQuoted(target.get(id))}`);
  };
  for (const id of target.keys()) compare(id);
  for (const id of seen.nft.keys()) if (!target.has(id)) compare(id);
  for (const [key, to] of plan.values)
    if (!sysctlServes(to, seen.sysctl.get(key)))
      wrong.push(`${key} is ${seen.sysctl.get(key) ?? "absent"}, not ${to.value}`);
  for (const [id, o] of plan.objects)
    if (!toolEqual(o, seen.objects.get(id)))
      wrong.push(`${id} is ${quoted(textOf(seen.objects.get(id)))}, not ${quoted(textOf(o))}`);
  return wrong;
}
