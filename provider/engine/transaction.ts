/**
 * The changes of one host: under a lock, look, plan, apply with the way back at hand, read back, then confirm or undo.
 * Three round trips, whatever the size of the change; the host undoes by itself what nobody confirms.
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";

import { HostError, messageOf } from "../errors";
import { type Reply, type Shell } from "../host/shell";
import { type Line, echoedTable } from "../kernel/nftables/script";
import { sysctlsOf, toolsOf } from "../kernel/object";
import { isSysctlKey, refusedRemedy } from "../kernel/sysctl/remedy";
import { type Sysctl, sysctlServes } from "../kernel/sysctl/sysctl";
import { TOOLS, toolId } from "../kernel/tools";
import { bootAfter } from "./boot";
import { type Layout, ownerOf, stackOf } from "./desired";
import {
  type Change,
  Conflict,
  Draft,
  NFT_STEP,
  type Plan,
  differences,
  isEmpty,
  namesOf,
  overlappingOwner,
  planOf,
  takenBy,
} from "./plan";
import { keysOverlap } from "./overlap";
import { type Guard, mustProve } from "./reach";
import {
  type Asked,
  BUSY,
  LOCK_WAIT,
  UNLOCK,
  applyScript,
  applyWithin,
  confirmScript,
  lookScript,
  outcomeScript,
  undoScript,
} from "./script";
import {
  type Interest,
  type Observed,
  Reader,
  type Snapshot,
  covers,
  interestOf,
  snapshotScript,
  union,
} from "./snapshot";

export interface Outcome {
  /** What the host showed after the change, or before when there was nothing to do. */
  readonly seen: Snapshot;
  /** Was anything written? */
  readonly changed: boolean;
}

/** How a change is to be made safe; of several in a batch, the most careful wins. */
export interface Care {
  readonly guard: Guard;
  /** How long a change waits for its confirmation, in seconds. */
  readonly confirmWithin: number;
}

export const DEFAULT_CARE: Care = { guard: "auto", confirmWithin: 30 };

export interface Request {
  readonly change: Change;
  readonly care?: Care;
  /** Hears of what takes long or is out of the ordinary. */
  readonly tell?: Tell;
}

/** What takes long, or was undone: seldom enough to stay on the screen. */
export type Tell = (message: string, severity: "status" | "warning") => void;

/** The way to a host: the shell in use, and another one over a connection of its own. */
export interface Link {
  shell(): Promise<Shell>;
  another(seconds: number): Promise<Shell>;
  /** Goes on with this one; the one before is closed. */
  adopt(shell: Shell): void;
}

/** A look at the host, without the lock. */
export async function readHost(shell: Shell, interest: Interest, reader = new Reader()): Promise<Snapshot> {
  const reply = await shell.run(snapshotScript(interest), "read");
  if (reply.code !== 0) throw toolError({ tried: "read", host: shell.host }, reply);
  return reader.parse(reply.stdout);
}

/** How long the lock is kept from batch to batch, in milliseconds: others wait for it. */
const LEASE = 20_000;

interface Known {
  readonly shell: Shell;
  readonly snapshot: Snapshot;
  readonly interest: Interest;
  /** When the lock was taken. */
  readonly since: number;
}

/**
 * The transactions of a session. While more is waiting, the lock is kept, and what the one before has read back is
 * where the next begins.
 */
export class Transactions {
  /** What the host is, as long as this shell holds the lock. */
  private known: Known | undefined;
  /** Of which values and addresses it has been said what is odd about them. */
  private readonly told = new Set<string>();

  constructor(
    private readonly link: Link,
    private readonly layout: Layout,
    private readonly reader: Reader,
  ) {}

  /**
   * Many changes as one transaction. A change that cannot be (a conflict, an object that the kernel refuses) is left
   * out and fails alone; the others stand. The results are in the order of the requests.
   */
  async run(requests: readonly Request[], more: () => boolean): Promise<PromiseSettledResult<Outcome>[]> {
    const shell = await this.link.shell();
    const batch = new Batch(shell.host, requests);
    if (this.known?.shell !== shell) this.known = undefined;
    try {
      await this.work(shell, batch, more);
    } catch (error) {
      this.known = undefined;
      batch.failAll((what) => lostError(what, error));
      // What could not be read, for one, must not keep the lock.
      if (shell.alive) await shell.run(UNLOCK, "unlock").catch(() => undefined);
    }
    return batch.settled();
  }

  private async work(shell: Shell, batch: Batch, more: () => boolean): Promise<void> {
    const release = async (): Promise<void> => {
      if (this.mayKeep(more)) return;
      this.known = undefined;
      await shell.run(UNLOCK, "unlock");
    };
    const looked = await this.look(shell, batch);
    if (!looked) return;
    const { snapshot: before, interest } = looked;
    this.tellOthers(batch, before);
    this.tellPlaces(batch, before);
    this.tellMarks(batch, before);
    for (;;) {
      const draft = batch.fold(before, this.layout);
      const plan = planOf(draft);
      if (isEmpty(plan)) {
        batch.keepAll({ seen: before, changed: false });
        return release();
      }
      const transaction = randomBytes(8).toString("hex");
      const asked: Asked = { transaction, ledgerEmpty: plan.ledger.empty };
      const care = batch.care();
      let applied: Reply;
      try {
        const { confirmWithin } = care;
        const script = applyScript({ transaction, label: batch.label(), plan, interest, confirmWithin });
        applied = await shell.run(script, "apply", applyWithin(confirmWithin) + SLACK);
      } catch (error) {
        return this.resolve(batch, asked, care, error);
      }
      if (applied.code !== 0) {
        const guilty = undoFailed(applied) ? [] : batch.guilty(applied, plan);
        if (guilty.length > 0) {
          batch.fail(guilty, (what) => applyError(what, applied, plan, before));
          continue;
        }
        this.known = undefined;
        await shell.run(UNLOCK, "unlock");
        if (failedStep(applied) !== undefined && batch.splits() && !undoFailed(applied))
          return this.halves(batch, more);
        batch.failAll((what) => applyError(what, applied, plan, before));
        return;
      }
      // The ledger is turned over when the change is confirmed: until then the host shows the old one.
      const { records, originals } = draft;
      const restart = before.restart && bootAfter(before.restart, records.size > 0);
      const after = await this.readBack(shell, plan, before, applied.stdout);
      const seen: Snapshot = {
        ...before,
        ...after,
        transaction,
        records,
        originals,
        boot: plan.ledger.boot,
        ...(restart ? { restart } : {}),
      };
      const wrong = differences(plan, seen);
      if (wrong.length > 0) {
        this.known = undefined;
        try {
          const undo = await shell.run(undoScript(), "undo");
          if (batch.splits() && !undoFailed(undo)) await this.halves(batch, more);
          else batch.failAll((what) => readBackError(what, wrong, undo));
        } catch (error) {
          await this.resolve(batch, asked, care, error);
        }
        return;
      }
      const proof = mustProve(care.guard, plan, before.nft, seen.session);
      const keep = !proof && this.mayKeep(more);
      this.known = keep ? { shell, snapshot: seen, interest, since: this.known?.since ?? Date.now() } : undefined;
      return this.confirm(shell, batch, { asked, care, seen, proof, unlock: !keep && !proof });
    }
  }

  /** What the change has touched as the host shows it, the rest as it was. */
  private async readBack(shell: Shell, plan: Plan, before: Snapshot, told: string): Promise<Observed> {
    const { nft, echo, sysctl, objects } = this.reader.readBack(told);
    const { forward, target } = plan.nft;
    return {
      nft:
        nft ?? (echo ? echoedTable(forward, target, echo) : (await readHost(shell, interestOf([]), this.reader)).nft),
      sysctl: new Map([...before.sysctl, ...sysctl]),
      objects: new Map([...[...before.objects].filter(([id]) => !plan.objects.has(id)), ...objects]),
    };
  }

  /** Once for each address: it is where the declaration would do nothing. */
  private tellPlaces(batch: Batch, { local: here = [] }: Snapshot): void {
    if (here.length === 0) return;
    const [own, networks] = [new Set(here), here.filter((text) => text.includes("/"))];
    for (const { label, local, address } of batch.places()) {
      const key = `${label} ${address}`;
      const isHere = own.has(address) || networks.some((network) => keysOverlap(network, address));
      if (isHere === local || this.told.has(key)) continue;
      this.told.add(key);
      const why = local
        ? "is not one of this host's addresses, so its packets do not reach chain input: add it, or use chain forward"
        : "is one of this host's addresses, so its packets do not reach chain forward: use chain input";
      batch.tell(`${label}: ${address} ${why}`, "warning");
    }
  }

  /** Once: packets with our mark would be routed by somebody else's rule. */
  private tellMarks(batch: Batch, { marks = [] }: Snapshot): void {
    for (const bit of batch.marks())
      for (const rule of marks) {
        const [, value, mask = "0xffffffff"] = /fwmark (0x[0-9a-f]+)(?:\/(0x[0-9a-f]+))?/.exec(rule) ?? [];
        // Numbers of 32 bits have a sign in JavaScript's &.
        if (value === undefined || (BigInt(bit) & BigInt(mask)) !== BigInt(value) || this.told.has(rule)) continue;
        this.told.add(rule);
        batch.tell(
          `the policy rule "${rule.trim()}" catches packets with our mark ${bit}: choose another one (mark)`,
          "warning",
        );
      }
  }

  /** Once for each value: a file of the host says something else. */
  private tellOthers(batch: Batch, { files }: Snapshot): void {
    for (const value of batch.values()) {
      const other = files?.of(value.key);
      if (other === undefined || sysctlServes(value, other.value) || this.told.has(value.key)) continue;
      this.told.add(value.key);
      batch.tell(
        `${other.file} sets ${value.key} to ${other.value}, and this to ${value.value}: this one holds, also after a restart, until somebody loads that file by hand (sysctl --system)`,
        "warning",
      );
    }
  }

  private mayKeep(more: () => boolean): boolean {
    return more() && Date.now() - (this.known?.since ?? Date.now()) < LEASE;
  }

  /** What the host is now, with the lock held; undefined when that has failed and all have been told. */
  private async look(shell: Shell, batch: Batch): Promise<{ snapshot: Snapshot; interest: Interest } | undefined> {
    let interest = batch.interest();
    if (this.known) {
      const asked = this.known.interest;
      interest = union(asked, interest, batch.recorded(this.known.snapshot));
      if (covers(asked, interest)) return this.known;
    }
    for (;;) {
      const snapshot = await this.lookOnce(shell, batch, interest);
      if (!snapshot) return undefined;
      const all = union(interest, batch.recorded(snapshot));
      if (covers(interest, all)) {
        this.known = { shell, snapshot, interest, since: this.known?.since ?? Date.now() };
        return this.known;
      }
      // The host knows of objects that the state does not: they must be looked at as well.
      interest = all;
    }
  }

  private async lookOnce(shell: Shell, batch: Batch, interest: Interest): Promise<Snapshot | undefined> {
    const who = `${batch.label()}, from ${hostname()}`;
    let look = await shell.run(lookScript(who, 0, interest), "look");
    if (look.code === BUSY) {
      batch.tell(`waiting: ${shell.host} is being changed by ${look.stderr.trim()}`, "status");
      look = await shell.run(lookScript(who, LOCK_WAIT, interest), "look", LOCK_WAIT + SLACK);
    }
    if (look.code === BUSY)
      batch.failAll(
        (what) =>
          new HostError({
            ...what,
            reason: `another change of this host has held the lock for ${LOCK_WAIT.toString()} s: ${look.stderr.trim()}`,
            outcome: NOTHING_CHANGED,
            remedy: "wait for it, or end it there; the lock is released when its connection ends",
          }),
      );
    else if (look.code !== 0) {
      await shell.run(UNLOCK, "unlock");
      batch.failAll((what) => toolError(what, look));
    } else {
      const snapshot = this.reader.parse(look.stdout);
      for (const line of snapshot.undone)
        batch.tell(`${shell.host}: an earlier change was undone: ${tellUndone(line)}`, "warning");
      return snapshot;
    }
    this.known = undefined;
    return undefined;
  }

  /** Over the open connection, or over a new one, which then is the one in use. */
  private async confirm(shell: Shell, batch: Batch, { asked, care, seen, proof, unlock }: Confirmation): Promise<void> {
    let way = shell;
    let reply: Reply;
    try {
      if (proof) way = await this.link.another(PROVE_WITHIN * care.confirmWithin);
      reply = await way.run(confirmScript(seen.session.folder, asked, unlock), "confirm", care.confirmWithin + SLACK);
    } catch (error) {
      if (proof && way === shell) return this.cutOff(shell, batch, asked, care, error);
      return this.resolve(batch, asked, care, error);
    }
    if (proof) this.link.adopt(way);
    if (reply.stdout.includes("@@kept")) batch.keepAll({ seen, changed: true });
    else {
      this.known = undefined;
      batch.failAll((what) => unconfirmedError(what, reply));
    }
  }

  /** No new connection came about: the change is taken back at once where the open one still answers. */
  private async cutOff(shell: Shell, batch: Batch, asked: Asked, care: Care, error: unknown): Promise<void> {
    this.known = undefined;
    batch.tell(`${shell.host} let nobody in after the change: it is undone`, "status");
    const reason = `the change cut off the way to the host: ${reasonOf(error)}`;
    const undo = await shell.run(undoScript(), "undo").catch(() => undefined);
    if (undo)
      batch.failAll((what) => new HostError({ ...what, reason, outcome: undoOutcome(undo), ...CUT_REMEDY }, error));
    else await this.resolve(batch, asked, care, error, reason, CUT_REMEDY.remedy);
  }

  /** The connection was lost while the change was under way: what became of it, the host knows. */
  private async resolve(
    batch: Batch,
    asked: Asked,
    care: Care,
    error: unknown,
    reason = reasonOf(error),
    remedy = "run the same command again",
  ): Promise<void> {
    this.known = undefined;
    batch.tell(`the connection was lost: asking the host what became of the change`, "status");
    const wait = applyWithin(care.confirmWithin) + RESOLVE_WITHIN;
    let shell: Shell | undefined;
    try {
      shell = await this.link.another(wait);
      this.link.adopt(shell);
      const reply = await shell.run(outcomeScript(batch.label(), asked, wait), "outcome", wait + SLACK);
      if (reply.code !== 0) throw new Error("another change holds the lock");
      if (reply.stdout.includes("@@kept")) {
        const seen = await readHost(shell, batch.interest(), this.reader);
        batch.keepAll({ seen, changed: true });
        return;
      }
      const undone = reply.stdout.split("@@late\n")[1]?.trim();
      const outcome =
        undone === undefined
          ? "the change is gone with the host's restart, or was never begun; the host is as it was last confirmed"
          : `undone by the host itself: ${tellUndone(undone)}`;
      batch.failAll((what) => new HostError({ ...what, reason, outcome, remedy }, error));
    } catch (again) {
      batch.failAll(
        (what) =>
          new HostError(
            {
              ...what,
              reason: `${reason}; and it could not be ${shell ? "asked what became of it" : "reached again"} within ${wait.toString()} s: ${reasonOf(again)}`,
              outcome: "the host undoes the change by itself when nobody confirms it; the next run shows what it did",
              remedy: "is the host up? Then run the same command again",
            },
            error,
          ),
      );
    }
  }

  /** Nobody said whose fault it is: the halves are tried one after the other. */
  private async halves(batch: Batch, more: () => boolean): Promise<void> {
    for (const half of batch.halves()) batch.take(half, await this.run(half, more));
  }
}

interface Confirmation {
  readonly asked: Asked;
  readonly care: Care;
  readonly seen: Snapshot;
  readonly proof: boolean;
  readonly unlock: boolean;
}

/** The part of the time to confirm in which a new connection must come about: the rest is for taking the change back. */
const PROVE_WITHIN = 0.75;

/** How much longer than it may take we wait for an answer, in seconds. */
const SLACK = 30;

/** How much longer than the change may take the host may take to undo and to answer again, in seconds. */
const RESOLVE_WITHIN = 60;

/** The changes of a transaction, and what became of each. */
class Batch {
  private readonly results = new Map<Request, PromiseSettledResult<Outcome>>();

  constructor(
    private readonly host: string,
    private readonly requests: readonly Request[],
  ) {}

  private get open(): Request[] {
    return this.requests.filter((r) => !this.results.has(r));
  }

  /** Whose changes these are. */
  label(): string {
    const stacks = [...new Set(this.requests.map((r) => stackOf(nameOf(r))))].join(", ");
    const count = this.requests.length;
    return `${stacks} (${count === 1 ? "1 resource" : `${count.toString()} resources`})`;
  }

  care(): Care {
    const cares = this.open.map((r) => r.care ?? DEFAULT_CARE);
    const guards = cares.map((c) => c.guard);
    return {
      guard: guards.includes("always") ? "always" : guards.includes("auto") ? "auto" : "never",
      confirmWithin: Math.max(...cares.map((c) => c.confirmWithin)),
    };
  }

  /** On one resource's line: the others wait for the same. */
  tell(message: string, severity: "status" | "warning"): void {
    this.open[0]?.tell?.(message, severity);
  }

  marks(): string[] {
    const needs = this.open.flatMap(({ change }) => ("put" in change ? change.put.needs : []));
    return [...new Set(needs.flatMap((need) => /^mark=(.*)$/.exec(need)?.[1] ?? []))];
  }

  places(): { label: string; local: boolean; address: string }[] {
    return this.open.flatMap(({ change }) => {
      if (!("put" in change)) return [];
      const { label, places = [] } = change.put;
      return places.flatMap(({ local, addresses }) => addresses.map((address) => ({ label, local, address })));
    });
  }

  values(): Sysctl[] {
    return this.open.flatMap(({ change }) => ("put" in change ? sysctlsOf(change.put.wanted) : []));
  }

  interest(): Interest {
    return interestOf(this.open.flatMap(({ change }) => ("put" in change ? change.put.wanted : [])));
  }

  /** The objects that the host remembers of these resources. */
  recorded({ records }: Snapshot): Interest {
    const had = this.open.flatMap(({ change }) => namesOf(change).flatMap((name) => records.get(name)?.wanted ?? []));
    return { sysctls: new Set(), objects: interestOf(had).objects };
  }

  /** The host after all that are still open, one on top of the other; those in conflict fail. */
  fold(before: Snapshot, layout: Layout): Draft {
    const draft = new Draft(before, layout);
    for (const request of this.open) {
      try {
        draft.enter(request.change);
      } catch (error) {
        this.fail([request], (what) => conflict(what, error));
      }
    }
    return draft;
  }

  /** Whose fault a refusal is: the change whose object or value the tool names. */
  guilty(reply: Reply, plan: Plan): Request[] {
    const id = failedStep(reply);
    const line = failedLine(reply.stderr, plan.nft.forward);
    const object = line === undefined ? undefined : plan.nft.target.get(line.id);
    const owner = object === undefined ? undefined : ownerOf(object);
    return this.open.filter((r) => nameOf(r) === owner || (id !== undefined && idsOf(r).includes(id)));
  }

  splits(): boolean {
    return this.open.length > 1;
  }

  halves(): Request[][] {
    const { open } = this;
    const middle = Math.ceil(open.length / 2);
    return [open.slice(0, middle), open.slice(middle)];
  }

  take(requests: readonly Request[], results: readonly PromiseSettledResult<Outcome>[]): void {
    for (const [i, request] of requests.entries()) {
      const result = results[i];
      if (result) this.results.set(request, result);
    }
  }

  fail(requests: readonly Request[], reason: (what: What) => unknown): void {
    for (const request of requests)
      this.results.set(request, { status: "rejected", reason: reason(this.describe(request)) });
  }

  failAll(reason: (what: What) => unknown): void {
    this.fail(this.open, reason);
  }

  keepAll(value: Outcome): void {
    for (const request of this.open) this.results.set(request, { status: "fulfilled", value });
  }

  settled(): PromiseSettledResult<Outcome>[] {
    return this.requests.flatMap((request) => this.results.get(request) ?? []);
  }

  private describe({ change }: Request): What {
    const [tried, { label }] = "put" in change ? ["apply", change.put] : ["remove", change.remove];
    return { tried, resource: label, host: this.host };
  }
}

const nameOf = ({ change }: Request): string => ("put" in change ? change.put.name : change.remove.name);

/** What a step of this change may be named by. */
const idsOf = ({ change }: Request): string[] =>
  "put" in change ? [...sysctlsOf(change.put.wanted).map((s) => s.key), ...toolsOf(change.put.wanted).map(toolId)] : [];

interface What {
  readonly tried: string;
  readonly resource?: string;
  readonly host: string;
}

/** Why, without what a HostError says of the outcome: it may have known less. */
const reasonOf = (error: unknown): string => (error instanceof HostError ? error.problem.reason : messageOf(error));

const NOTHING_CHANGED = "nothing was changed";

const CUT_REMEDY = {
  remedy:
    "something in this change catches the management connection (its address and port, or a value that all packets " +
    "depend on): change it, or reach the host by another way",
};

/** What a script said. With a full disk even that finds no room. */
const wordsOf = ({ code, stderr }: Reply): string =>
  stderr.trim() === ""
    ? `the host's shell ended with ${code.toString()} and no words: is /run or /var full there?`
    : stderr;

/** The look failed: nothing has been written yet. */
function toolError(what: What, reply: Reply): HostError {
  const reason = wordsOf(reply);
  const remedy = reason.includes("nft: not found")
    ? "install nftables on the host (Debian, Ubuntu: apt-get install nftables; RHEL: dnf install nftables)"
    : reason.includes("Operation not permitted")
      ? "the user is root but may not change the network: a container needs CAP_NET_ADMIN"
      : undefined;
  return new HostError({ ...what, reason, outcome: NOTHING_CHANGED, ...(remedy === undefined ? {} : { remedy }) });
}

function conflict(what: What, error: unknown): unknown {
  if (!(error instanceof Conflict)) return error;
  return new HostError({ ...what, reason: error.message, outcome: NOTHING_CHANGED, remedy: error.remedy }, error);
}

/** The connection ended before anything was begun. */
function lostError(what: What, error: unknown): unknown {
  if (!(error instanceof HostError)) return error;
  const { problem } = error;
  return new HostError({ ...problem, ...what, reason: problem.reason, outcome: NOTHING_CHANGED }, error);
}

/** `undone <tab> WHOSE <tab> WHY` */
function tellUndone(line: string): string {
  const [word = "", label = "", why = ""] = line.split("\t");
  return `${label}: ${why}${word === "undo-failed" ? "; AND THE UNDO FAILED: compare the host with its last declaration" : ""}`;
}

function unconfirmedError(what: What, reply: Reply): HostError {
  const undone = reply.stdout.split("@@late\n")[1]?.trim();
  const why = undone === undefined ? reply.stderr.trim() : tellUndone(undone);
  return new HostError({
    ...what,
    reason: `the change could not be confirmed: ${why === "" ? "the host has given it up" : why}`,
    outcome: undoOutcome(reply),
    remedy: `${CUT_REMEDY.remedy}. Or was the host slow? Then run the same command again, with a longer confirmTimeout`,
  });
}

const failedStep = (reply: Reply): string | undefined => /^@@failed (.*)$/m.exec(reply.stdout)?.[1];

/** What the tool said, in terms of our objects: nft names a line of the script, and we know what each line is for. */
function applyError(what: What, reply: Reply, plan: Plan, before: Snapshot): HostError {
  const step = failedStep(reply);
  // Before the first step there is nothing to undo.
  const outcome = step === undefined && !reply.stdout.includes("@@undo") ? NOTHING_CHANGED : undoOutcome(reply);
  const said = firstError(wordsOf(reply));
  const line = step === NFT_STEP ? failedLine(reply.stderr, plan.nft.forward) : undefined;
  const object = line === undefined ? undefined : plan.nft.target.get(line.id);
  if (reply.stderr.includes("File exists") && object?.kind === "element") {
    const owner = overlappingOwner(object, before.nft);
    if (owner !== undefined) {
      const taken = takenBy(object.key, owner);
      return new HostError({ ...what, reason: `${taken.message}\n${said}`, outcome, remedy: taken.remedy });
    }
  }
  const id = line?.id ?? (step === NFT_STEP ? undefined : step);
  const remedy = applyRemedy(reply.stderr, line, id);
  return new HostError({
    ...what,
    reason: `${id === undefined ? "" : `${id}: `}${said}`,
    outcome,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

function applyRemedy(said: string, line: Line | undefined, id: string | undefined): string | undefined {
  if (line?.text.includes(" synproxy ") && /No such file or directory|not supported/i.test(said))
    return "this kernel has no SYNPROXY: it needs CONFIG_NFT_SYNPROXY (module nft_synproxy, Linux 5.3 or later)";
  if (said.includes("No space left on device"))
    return "make room on the host: /run and /var/lib/lbshield must be writable";
  if (id === undefined || line !== undefined) return undefined;
  if (isSysctlKey(id)) return refusedRemedy(id, said);
  return TOOLS.map((tool) => tool.remedy(said)).find((remedy) => remedy !== undefined);
}

/** nft stumbles over the rest of a file once it has met an error: the first one, with its line and mark, tells all. */
function firstError(said: string): string {
  const [first = "", ...others] = said.split(/^(?=\S*:[0-9]+:[0-9]+-[0-9]+: Error: )/m).filter((part) => part !== "");
  const rest = first.includes("Error: ") ? first : [first, ...others.slice(0, 1)].join("");
  return rest.replace(/^\S*:[0-9]+:[0-9]+-[0-9]+: (?=Error: )/m, "nft: ");
}

function failedLine(said: string, lines: readonly Line[]): Line | undefined {
  const number = /:([0-9]+):[0-9]+(?:-[0-9]+)?: Error:/.exec(said)?.[1];
  return number === undefined ? undefined : lines[Number(number) - 1];
}

function readBackError(what: What, wrong: readonly string[], undo: Reply): HostError {
  const some = wrong.slice(0, 5).join("; ");
  return new HostError({
    ...what,
    reason: `the host does not show what was written: ${some}${wrong.length > 5 ? "; ..." : ""}`,
    outcome: undoOutcome(undo),
    remedy: "does something else on the host write to table inet lbshield or to these values?",
  });
}

const undoFailed = (reply: Reply): boolean => reply.stdout.includes("@@undo-failed");

const undoOutcome = (reply: Reply): string =>
  undoFailed(reply)
    ? "THE UNDO FAILED AS WELL: compare the host with its last declaration (pulumi refresh --preview-only)"
    : "undone, the host is as it was";
