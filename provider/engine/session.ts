/**
 * One connection for each host, opened when it is first needed and kept. All that waits for a host is done together:
 * reads share one look, changes share one transaction. What comes while one is under way waits for the next.
 */
import { HostError } from "../errors";
import { type Reply, type Shell } from "../host/shell";
import { type Wanted } from "../kernel/object";
import { type Layout } from "./desired";
import { type Change } from "./plan";
import { type Interest, Reader, type Snapshot, covers, interestOf, union } from "./snapshot";
import { type Link, type Outcome, type Request, Transactions, readHost } from "./transaction";

interface Waiting<Request, Result> {
  readonly request: Request;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
}

/** How long a look serves for further reads, in milliseconds: a refresh of a thousand resources is one look. */
const FRESH = 5_000;

export class HostSession {
  private open: Promise<Shell> | undefined;
  private reads: Waiting<Interest, Snapshot>[] = [];
  private changes: Waiting<Request, Outcome>[] = [];
  private working: Promise<void> | undefined;
  private ended: HostError | undefined;
  private seen: { readonly snapshot: Snapshot; readonly interest: Interest; readonly at: number } | undefined;
  private readonly reader = new Reader();
  private readonly transactions: Transactions;

  constructor(
    private readonly dial: () => Promise<Shell>,
    layout: Layout,
  ) {
    const link: Link = {
      shell: () => this.connected(),
      another: (seconds) => within(seconds, dial),
      adopt: (shell) => {
        void this.open?.then((old) => {
          if (old !== shell) old.close();
        });
        this.open = Promise.resolve(shell);
      },
    };
    this.transactions = new Transactions(link, layout, this.reader);
  }

  /** What the host has now of what is wanted. */
  read(wanted: readonly Wanted[]): Promise<Snapshot> {
    return new Promise((resolve, reject) => {
      this.reads.push({ request: interestOf(wanted), resolve, reject });
      this.wake();
    });
  }

  change(change: Change, how: Omit<Request, "change"> = {}): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.changes.push({ request: { change, ...how }, resolve, reject });
      this.wake();
    });
  }

  /** Runs a script that changes nothing. */
  async ask(script: string, what: string): Promise<Reply> {
    return (await this.connected()).run(script, what);
  }

  /** Ends when what is under way has ended; what still waits is refused. */
  async close(): Promise<void> {
    this.ended = new HostError({ tried: "reach the host", host: "", reason: "the run was ended" });
    await this.working;
    const shell = await this.open?.catch(() => undefined);
    shell?.close();
    this.open = undefined;
  }

  private wake(): void {
    this.working ??= this.work().finally(() => {
      this.working = undefined;
      if (this.reads.length + this.changes.length > 0) this.wake();
    });
  }

  private async work(): Promise<void> {
    // All that is asked in the same moment is one batch.
    await new Promise((resolve) => setImmediate(resolve));
    const [reads, changes] = [this.reads, this.changes];
    [this.reads, this.changes] = [[], []];
    const connected = await this.connected().then(
      (shell) => ({ shell }),
      (error: unknown) => ({ error }),
    );
    if ("error" in connected) {
      for (const waiting of [...reads, ...changes, ...this.reads, ...this.changes]) waiting.reject(connected.error);
      [this.reads, this.changes] = [[], []];
      return;
    }
    if (reads.length > 0) await this.lookFor(connected.shell, reads);
    if (changes.length > 0) await this.make(changes);
  }

  /** Pulumi never reads and changes a resource at the same time, so one look is as good for all who ask in a moment. */
  private async lookFor(shell: Shell, reads: readonly Waiting<Interest, Snapshot>[]): Promise<void> {
    const wanted = union(...reads.map((r) => r.request));
    try {
      const { seen } = this;
      if (!seen || Date.now() - seen.at > FRESH || !covers(seen.interest, wanted)) {
        const interest = seen ? union(seen.interest, wanted) : wanted;
        const snapshot = await readHost(shell, interest, this.reader);
        // Values that the ledger names were shown as well.
        const shown = { ...interest, sysctls: new Set([...interest.sysctls, ...snapshot.originals.keys()]) };
        this.seen = { snapshot, interest: shown, at: Date.now() };
      }
      const { snapshot } = this.seen ?? {};
      for (const { resolve, reject } of reads) {
        if (snapshot) resolve(snapshot);
        else reject(new Error("nothing was seen"));
      }
    } catch (error) {
      for (const { reject } of reads) reject(error);
    }
  }

  private async make(changes: readonly Waiting<Request, Outcome>[]): Promise<void> {
    this.seen = undefined;
    const results = await this.transactions
      .run(
        changes.map((c) => c.request),
        () => this.changes.length > 0 && this.ended === undefined,
      )
      .catch((reason: unknown) => changes.map((): PromiseRejectedResult => ({ status: "rejected", reason })));
    for (const [i, { resolve, reject }] of changes.entries()) {
      const result = results[i];
      if (result?.status === "fulfilled") resolve(result.value);
      else reject(result?.reason);
    }
  }

  /** The shell of the last time, or a new one when that has ended or could not be opened. */
  private async connected(): Promise<Shell> {
    if (this.ended) throw this.ended;
    const kept = await this.open?.catch(() => undefined);
    if (kept?.alive) return kept;
    this.open = this.dial();
    return this.open;
  }
}

/** A shell that comes too late is closed. */
async function within(seconds: number, dial: () => Promise<Shell>): Promise<Shell> {
  let late = false;
  const timeout = new Promise<never>((_resolve, reject) => {
    setTimeout(() => {
      late = true;
      reject(new Error(`no new connection within ${seconds.toString()} s`));
    }, seconds * 1000).unref();
  });
  const opened = dial().then((shell) => {
    if (late) shell.close();
    return shell;
  });
  opened.catch(() => undefined);
  return Promise.race([opened, timeout]);
}
