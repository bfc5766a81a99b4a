/**
 * The changes of one host, under a lock: look, plan, apply with the reverse at hand, read back, then keep or undo. Three
 * round trips, whatever the size of the change. The dead-man guard (a host that undoes by itself when nobody confirms)
 * takes its place between apply and keep.
 */
import { HostError } from "../errors";
import { type Reply, type Shell } from "../host/shell";
import { type Line } from "../kernel/nftables/script";
import { sysctlsOf } from "../kernel/object";
import { type Layout, ownerOf } from "./desired";
import {
  type Change,
  Conflict,
  type Plan,
  after,
  differences,
  isEmpty,
  overlappingOwner,
  planBetween,
  takenBy,
} from "./plan";
import { LOCK, UNLOCK, applyScript, keepScript, undoScript } from "./script";
import { type Snapshot, parseSnapshot, snapshotScript } from "./snapshot";

export interface Outcome {
  /** What the host showed after the change, or before when there was nothing to do. */
  readonly seen: Snapshot;
  /** Was anything written? */
  readonly changed: boolean;
}

/** A look at the host, without the lock. */
export async function readHost(shell: Shell, sysctls: readonly string[]): Promise<Snapshot> {
  const reply = await shell.run(snapshotScript(sysctls));
  if (reply.code !== 0) throw toolError({ tried: "read", host: shell.host }, reply);
  return parseSnapshot(reply.stdout);
}

/**
 * Many changes as one transaction. A change that cannot be (a conflict, an object that the kernel refuses) is left out
 * and fails alone; the others stand. The results are in the order of the changes.
 */
export async function changeHost(
  shell: Shell,
  changes: readonly Change[],
  layouts: readonly Layout[],
): Promise<PromiseSettledResult<Outcome>[]> {
  const batch = new Batch(shell, changes);
  const sysctls = [...new Set(changes.flatMap(keysOf))];
  const look = await shell.run(`${LOCK}\n${snapshotScript(sysctls)}`);
  if (look.code !== 0) {
    await shell.run(UNLOCK);
    return batch.failAll((what) => toolError(what, look));
  }
  const before = parseSnapshot(look.stdout);
  for (;;) {
    const plan = planBetween(before, batch.fold(before, layouts));
    if (isEmpty(plan)) {
      await shell.run(UNLOCK);
      return batch.keepAll({ seen: before, changed: false });
    }
    const applied = await shell.run(applyScript(plan, sysctls));
    if (applied.code !== 0) {
      const guilty = undoFailed(applied) ? [] : batch.guilty(applied, plan);
      if (guilty.length > 0) {
        batch.fail(guilty, (what) => applyError(what, applied, plan, before));
        continue;
      }
      await shell.run(UNLOCK);
      return batch.failAll((what) => applyError(what, applied, plan, before));
    }
    const seen = parseSnapshot(applied.stdout);
    const wrong = differences(plan, seen);
    const last = await shell.run(wrong.length > 0 ? undoScript() : keepScript(plan));
    if (wrong.length > 0) return batch.failAll((what) => readBackError(what, wrong, last));
    if (last.code !== 0)
      return batch.failAll((what) => new HostError({ ...what, reason: last.stderr, outcome: undoOutcome(last) }));
    return batch.keepAll({ seen, changed: true });
  }
}

/** The changes of a transaction, and what became of each. */
class Batch {
  private readonly results = new Map<Change, PromiseSettledResult<Outcome>>();

  constructor(
    private readonly shell: Shell,
    private readonly changes: readonly Change[],
  ) {}

  private get open(): Change[] {
    return this.changes.filter((c) => !this.results.has(c));
  }

  /** The host after all that are still open, one on top of the other; those in conflict fail. */
  fold(before: Snapshot, layouts: readonly Layout[]): Snapshot {
    return this.open.reduce((now, change) => {
      try {
        return after(change, now, layouts);
      } catch (error) {
        this.fail([change], (what) => conflict(what, error));
        return now;
      }
    }, before);
  }

  /** Whose fault a refusal is: the change whose object or value the tool names. */
  guilty(reply: Reply, plan: Plan): Change[] {
    const line = failedLine(reply.stderr, plan.nft.forward);
    const object = line === undefined ? undefined : plan.nft.target.get(line.id);
    const owner = object === undefined ? undefined : ownerOf(object);
    const key = /^([a-z0-9_.-]+): /.exec(reply.stderr)?.[1];
    return this.open.filter((c) => nameOf(c) === owner || (key !== undefined && keysOf(c).includes(key)));
  }

  fail(changes: readonly Change[], reason: (what: What) => unknown): void {
    for (const change of changes)
      this.results.set(change, { status: "rejected", reason: reason(this.describe(change)) });
  }

  failAll(reason: (what: What) => unknown): PromiseSettledResult<Outcome>[] {
    this.fail(this.open, reason);
    return this.settled();
  }

  keepAll(value: Outcome): PromiseSettledResult<Outcome>[] {
    for (const change of this.open) this.results.set(change, { status: "fulfilled", value });
    return this.settled();
  }

  private settled(): PromiseSettledResult<Outcome>[] {
    return this.changes.flatMap((change) => this.results.get(change) ?? []);
  }

  private describe(change: Change): What {
    const [tried, { label }] = "put" in change ? ["apply", change.put] : ["remove", change.remove];
    return { tried, resource: label, host: this.shell.host };
  }
}

const nameOf = (change: Change): string => ("put" in change ? change.put.name : change.remove.name);

const keysOf = (change: Change): string[] => ("put" in change ? sysctlsOf(change.put.wanted).map((s) => s.key) : []);

interface What {
  readonly tried: string;
  readonly resource?: string;
  readonly host: string;
}

const NOTHING_CHANGED = "nothing was changed";

/** The look failed: nothing has been written yet. */
function toolError(what: What, reply: Reply): HostError {
  const reason = reply.stderr.trim() === "" ? `the shell ended with ${reply.code.toString()}` : reply.stderr;
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

/** What nft said, in terms of our objects: it names a line of the script, and we know what each line is for. */
function applyError(what: What, reply: Reply, plan: Plan, before: Snapshot): HostError {
  const outcome = undoOutcome(reply);
  const said = firstError(reply.stderr);
  const line = failedLine(reply.stderr, plan.nft.forward);
  const object = line === undefined ? undefined : plan.nft.target.get(line.id);
  if (reply.stderr.includes("File exists") && object?.kind === "element") {
    const owner = overlappingOwner(object, before.nft);
    if (owner !== undefined) {
      const taken = takenBy(object.key, owner);
      return new HostError({ ...what, reason: `${taken.message}\n${said}`, outcome, remedy: taken.remedy });
    }
  }
  const at = line === undefined ? "" : `${line.id}: `;
  const remedy = applyRemedy(reply.stderr, line);
  return new HostError({
    ...what,
    reason: `${at}${said}`,
    outcome,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

function applyRemedy(said: string, line: Line | undefined): string | undefined {
  if (line?.text.includes(" synproxy ") && /No such file or directory|not supported/i.test(said))
    return "this kernel has no SYNPROXY: it needs CONFIG_NFT_SYNPROXY (module nft_synproxy, Linux 5.3 or later)";
  if (/Read-only file system|Permission denied/.test(said))
    return "the value is read-only here: in a container or network namespace it belongs to the machine outside";
  return undefined;
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
