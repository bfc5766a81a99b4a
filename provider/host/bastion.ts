/** Connections to bastions, each shared by the hosts behind it and closed with the last of them. */
import { type Connection } from "./dial";

/** Some servers count forwarded connections as sessions, of which sshd allows ten (MaxSessions); OpenSSH does not. */
const CHANNELS = 8;

export interface Lease {
  readonly connection: Connection;
  readonly release: () => void;
  /** The bastion refused a channel: fewer go over one connection, if any went over it beside this one. */
  readonly wasCrowded: () => boolean;
}

interface Shared {
  readonly connection: Connection;
  users: number;
}

/** One way to one bastion. */
export class Bastion {
  private readonly shared = new Set<Shared>();
  private dialling: Promise<void> | undefined;
  private channels = CHANNELS;

  constructor(private readonly dial: () => Promise<Connection>) {}

  async lease(): Promise<Lease> {
    for (;;) {
      for (const one of this.shared) {
        if (!one.connection.alive) this.shared.delete(one);
        else if (one.users < this.channels) return this.use(one);
      }
      // All that wait share one dial, and its error.
      this.dialling ??= this.dial()
        .then((connection) => void this.shared.add({ connection, users: 0 }))
        .finally(() => (this.dialling = undefined));
      await this.dialling;
    }
  }

  private use(one: Shared): Lease {
    one.users++;
    let released = false;
    return {
      connection: one.connection,
      release: () => {
        if (released) return;
        released = true;
        if (--one.users > 0) return;
        this.shared.delete(one);
        one.connection.close();
      },
      wasCrowded: () => {
        if (one.users === 1) return false;
        this.channels = one.users - 1;
        return true;
      },
    };
  }
}
