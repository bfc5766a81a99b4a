/**
 * One connection for each host, opened when it is first needed and kept. All that waits for a host is done together:
 * reads share one look, changes share one transaction. What comes while one is under way waits for the next.
 */
import { type Shell } from "../host/shell";
import { type Layout } from "./desired";
import { type Change } from "./plan";
import { type Snapshot } from "./snapshot";
import { type Outcome, changeHost, readHost } from "./transaction";

interface Waiting<Request, Result> {
  readonly request: Request;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
}

export class HostSession {
  private shell: Promise<Shell> | undefined;
  private reads: Waiting<readonly string[], Snapshot>[] = [];
  private changes: Waiting<Change, Outcome>[] = [];
  private working: Promise<void> | undefined;

  constructor(
    private readonly open: () => Promise<Shell>,
    private readonly layouts: readonly Layout[],
  ) {}

  /** What the host has now, these values among it. */
  read(sysctls: readonly string[]): Promise<Snapshot> {
    return new Promise((resolve, reject) => {
      this.reads.push({ request: sysctls, resolve, reject });
      this.wake();
    });
  }

  change(change: Change): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.changes.push({ request: change, resolve, reject });
      this.wake();
    });
  }

  async close(): Promise<void> {
    await this.working;
    const shell = await this.shell?.catch(() => undefined);
    shell?.close();
    this.shell = undefined;
  }

  private wake(): void {
    this.working ??= this.work().finally(() => {
      this.working = undefined;
      if (this.reads.length + this.changes.length > 0) this.wake();
    });
  }

  /** One look for all reads, then one transaction for all changes. Pulumi asks neither of a resource at the same time. */
  private async work(): Promise<void> {
    const connected = await this.connected().then(
      (shell) => ({ shell }),
      (error: unknown) => ({ error }),
    );
    const [reads, changes] = [this.reads, this.changes];
    [this.reads, this.changes] = [[], []];
    if ("error" in connected) {
      for (const waiting of [...reads, ...changes]) waiting.reject(connected.error);
      return;
    }
    const { shell } = connected;
    if (reads.length > 0) {
      const keys = [...new Set(reads.flatMap((r) => r.request))];
      await readHost(shell, keys).then(
        (seen) => {
          for (const { resolve } of reads) resolve(seen);
        },
        (error: unknown) => {
          for (const { reject } of reads) reject(error);
        },
      );
    }
    if (changes.length > 0) {
      const results = await changeHost(
        shell,
        changes.map((c) => c.request),
        this.layouts,
      ).catch((reason: unknown) => changes.map((): PromiseRejectedResult => ({ status: "rejected", reason })));
      for (const [i, { resolve, reject }] of changes.entries()) {
        const result = results[i];
        if (result?.status === "fulfilled") resolve(result.value);
        else reject(result?.reason);
      }
    }
  }

  /** The shell of the last time, or a new one when that has ended or could not be opened. */
  private async connected(): Promise<Shell> {
    const kept = await this.shell?.catch(() => undefined);
    if (kept?.alive) return kept;
    this.shell = this.open();
    return this.shell;
  }
}
