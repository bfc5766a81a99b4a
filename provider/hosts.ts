/** The hosts of a run: one session for each way to reach one. */
import { careOf, configuredCare } from "./care";
import { type Properties } from "./wire";
import { Declarations } from "./engine/declarations";
import { HostSession } from "./engine/session";
import { type Request, type Tell } from "./engine/transaction";
import { type Hop, type Settings, connection, wayTo, withCredentials } from "./host/connection";
import { type Shell } from "./host/shell";
import { openSsh } from "./host/ssh";
import { LAYOUT } from "./resources/layout";

export type Opener = (hops: readonly Hop[]) => Promise<Shell>;

export class Hosts {
  readonly declarations = new Declarations();
  private settings: Settings = () => undefined;
  private readonly sessions = new Map<string, HostSession>();

  constructor(
    private readonly open: Opener = openSsh,
    private readonly env: NodeJS.ProcessEnv = process.env,
    private readonly tellOf: (urn: unknown) => Tell = () => () => undefined,
  ) {}

  configure(settings: Settings): void {
    this.settings = settings;
  }

  /** `args` are connection arguments that have passed their check. */
  session(args: Properties): HostSession {
    const hops = wayTo(connection.parse(args)).map((dial) => withCredentials(dial, this.settings, this.env));
    const key = JSON.stringify(hops);
    const session = this.sessions.get(key) ?? new HostSession(() => this.open(hops), LAYOUT);
    this.sessions.set(key, session);
    return session;
  }

  /** What the configuration says of care. */
  configuredCare(): Properties {
    return configuredCare(this.settings);
  }

  /** How a resource's changes are to be made, and where they are told of. */
  how(inputs: Properties): Omit<Request, "change"> {
    return { care: careOf(inputs, this.settings), tell: this.tellOf(inputs.resourceUrn) };
  }

  /** Waits for what is under way; refuses what is not. */
  async close(): Promise<void> {
    await Promise.all([...this.sessions.values()].map((session) => session.close()));
    this.sessions.clear();
  }
}
