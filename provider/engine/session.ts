/**
 * One connection for each host, opened when it is first needed and kept; what is asked of a host is done one thing
 * after the other. Batching takes its place here: all that waits for a host could share one look and one transaction.
 */
import { type Shell } from "../host/shell";
import { type Layout } from "./desired";
import { type Change } from "./plan";
import { type Snapshot } from "./snapshot";
import { type Outcome, changeHost, readHost } from "./transaction";

export class HostSession {
  private shell: Promise<Shell> | undefined;
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly open: () => Promise<Shell>,
    private readonly layouts: readonly Layout[],
  ) {}

  read(sysctls: readonly string[]): Promise<Snapshot> {
    return this.next((shell) => readHost(shell, sysctls));
  }

  change(change: Change): Promise<Outcome> {
    return this.next((shell) => changeHost(shell, change, this.layouts));
  }

  async close(): Promise<void> {
    const shell = await this.shell?.catch(() => undefined);
    shell?.close();
    this.shell = undefined;
  }

  private next<T>(work: (shell: Shell) => Promise<T>): Promise<T> {
    const turn = this.last.then(async () => work(await this.connected()));
    this.last = turn.catch(() => undefined);
    return turn;
  }

  /** The shell of the last time, or a new one when that has ended or could not be opened. */
  private async connected(): Promise<Shell> {
    const kept = await this.shell?.catch(() => undefined);
    if (kept?.alive) return kept;
    this.shell = this.open();
    return this.shell;
  }
}
