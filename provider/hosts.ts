/** The hosts of a run: one session for each way to reach one. */
import { type Properties } from "./wire";
import { Declarations } from "./engine/declarations";
import { type Declaration } from "./engine/desired";
import { type Change } from "./engine/plan";
import { HostSession } from "./engine/session";
import { type Hop, type Settings, connection, withCredentials } from "./host/connection";
import { type Shell } from "./host/shell";
import { openSsh } from "./host/ssh";
import { LAYOUTS } from "./resources/layout";

export type Opener = (hops: readonly Hop[]) => Promise<Shell>;

export class Hosts {
  readonly declarations = new Declarations();
  /** What this run has put where: `name on machine`. */
  private readonly placed = new Set<string>();
  private settings: Settings = () => undefined;
  private readonly sessions = new Map<string, HostSession>();

  constructor(
    private readonly open: Opener = openSsh,
    private readonly env: NodeJS.ProcessEnv = process.env,
  ) {}

  configure(settings: Settings): void {
    this.settings = settings;
  }

  /** `args` are connection arguments that have passed their check. */
  session(args: Properties): HostSession {
    const { proxy, ...last } = connection.parse(args);
    const hops = [...(proxy ? [proxy] : []), last].map((dial) => withCredentials(dial, this.settings, this.env));
    const key = JSON.stringify(hops);
    const session = this.sessions.get(key) ?? new HostSession(() => this.open(hops), LAYOUTS);
    this.sessions.set(key, session);
    return session;
  }

  async put(args: Properties, change: Change & { put: Declaration }): Promise<void> {
    const { seen } = await this.session(args).change(change);
    this.placed.add(`${change.put.name} on ${seen.machine}`);
  }

  /**
   * A host that is reached by another name is another host to Pulumi: its resources are created there first and then
   * removed here. When both names lead to one machine, what was just created must stay.
   */
  async remove(args: Properties, remove: Pick<Declaration, "name" | "label">): Promise<void> {
    const session = this.session(args);
    const replaced = [...this.placed].some((place) => place.startsWith(`${remove.name} on `));
    if (replaced && this.placed.has(`${remove.name} on ${(await session.read([])).machine}`)) return;
    await session.change({ remove });
  }

  async close(): Promise<void> {
    await Promise.all([...this.sessions.values()].map((session) => session.close()));
    this.sessions.clear();
  }
}
