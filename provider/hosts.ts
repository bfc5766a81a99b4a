/** The hosts of a run: one session for each way to reach one. */
import { type Properties } from "./wire";
import { Declarations } from "./engine/declarations";
import { HostSession } from "./engine/session";
import { type Hop, type Settings, connection, withCredentials } from "./host/connection";
import { type Shell } from "./host/shell";
import { openSsh } from "./host/ssh";
import { LAYOUTS } from "./resources/layout";

export type Opener = (hops: readonly Hop[]) => Promise<Shell>;

export class Hosts {
  readonly declarations = new Declarations();
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

  async close(): Promise<void> {
    await Promise.all([...this.sessions.values()].map((session) => session.close()));
    this.sessions.clear();
  }
}
