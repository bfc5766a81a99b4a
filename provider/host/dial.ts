/** One connection to one host: the socket, the handshake, the login. */
import { readFileSync } from "node:fs";
import { connect as dialTcp } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Duplex } from "node:stream";

import { Client, type ConnectConfig, type ServerHostKeyAlgorithm } from "ssh2";

import { HostError, messageOf } from "../errors";
import { Offer } from "./authentication";
import { type Hop, endpoint } from "./connection";
import { HostKeyCheck, knownHost } from "./known-hosts";

/** An SSH connection that is open, or was. */
export class Connection {
  alive = true;
  /** Why it was lost, when that is known. */
  lost: string | undefined;
  /** Resolves when it is closed, by whichever side. */
  readonly ended: Promise<void>;
  private end: () => void = () => undefined;

  constructor(
    readonly client: Client,
    private readonly sock: Duplex,
  ) {
    this.ended = new Promise((resolve) => {
      this.end = () => {
        this.alive = false;
        resolve();
      };
    });
    client.on("error", (error) => {
      this.lost = error.message === "Keepalive timeout" ? `no sign of life for ${SILENCE.toString()} s` : error.message;
      // Nobody would hear of it otherwise: what runs over the connection must end, or it would wait for ever.
      sock.destroy();
    });
    client.on("close", this.end);
  }

  close(): void {
    this.end();
    this.client.end();
    // A peer that is gone does not answer to that.
    setTimeout(() => this.sock.destroy(), 1000).unref();
  }
}

/** A connection that says nothing for so many seconds is lost. */
const SILENCE = 20;
const KEEPALIVES = 4;

/** A bastion does not open the connection, or not one more. */
export class ChannelRefused extends Error {
  override readonly name = "ChannelRefused";
}

/**
 * Dials once. One at a time to each endpoint, whoever asks: sshd drops what comes beside MaxStartups others that have
 * not logged in yet. Rejects with a HostError when another dial would not mend it.
 */
export function dial(hop: Hop, through: Connection | undefined): Promise<Connection> {
  const offer = new Offer(hop);
  const check = new HostKeyCheck(hop.host, hop.port, hop.hostKey, knownHost(knownHostsFiles(hop), hop.host, hop.port));
  return inTurn(endpoint(hop), async () => {
    for (;;) {
      try {
        return await dialOnce(hop, through, offer, check);
      } catch (error) {
        const denied = messageOf(error).startsWith("Host denied");
        if (!denied || !check.mayHaveAnother) throw explain(hop, error, offer, check);
      }
    }
  });
}

const turns = new Map<string, Promise<unknown>>();

function inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
  const result = (turns.get(key) ?? Promise.resolve()).then(work);
  const done = () => undefined;
  turns.set(key, result.then(done, done));
  return result;
}

async function dialOnce(hop: Hop, through: Connection | undefined, offer: Offer, check: HostKeyCheck) {
  const until = hop.perDialTimeout === 0 ? Infinity : Date.now() + hop.perDialTimeout * 1000;
  const sock = await (through ? openChannel(hop, through.client) : openSocket(hop));
  try {
    return await login(sock, {
      username: hop.user,
      keepaliveInterval: (SILENCE * 1000) / KEEPALIVES,
      // ssh2 gives up with the one after.
      keepaliveCountMax: KEEPALIVES - 1,
      readyTimeout: until === Infinity ? 0 : Math.max(1, until - Date.now()),
      hostVerifier: check.verify,
      algorithms: { serverHostKey: check.algorithms as ServerHostKeyAlgorithm[] },
      authHandler: offer.handler(),
    });
  } catch (error) {
    sock.destroy();
    throw error;
  }
}

function login(sock: Duplex, config: ConnectConfig): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const client = new Client();
    let said = "";
    client.on("banner", (text) => {
      said = `, and said: ${text.trim()}`;
    });
    client.on("ready", () => {
      client.off("error", failed);
      resolve(new Connection(client, sock));
    });
    // An agent that fails is not the end: ssh2 goes on with what is left.
    const failed = (error: Error & { level?: string }) => {
      if (error.level !== "agent") reject(error);
    };
    client.on("error", failed);
    // A channel through a bastion stays half open, and ssh2 has stopped its timers: nobody would ever hear of the end.
    client.on("end", () => sock.destroy());
    client.on("close", () => {
      reject(new Error(`the host closed the connection before the login was complete${said}`));
    });
    client.connect({ ...config, sock });
  });
}

const noAnswerIn = (hop: Hop, whose?: string): Error =>
  new Error(`no answer${whose === undefined ? "" : ` of ${whose}`} within ${hop.perDialTimeout.toString()} s`);

const openSocket = (hop: Hop): Promise<Duplex> =>
  new Promise((resolve, reject) => {
    // ssh2 leaves Nagle's algorithm on: an exec then takes 88 ms instead of 3.
    const socket = dialTcp({ host: hop.host, port: hop.port, noDelay: true, keepAlive: true });
    socket.setTimeout(hop.perDialTimeout * 1000, () => socket.destroy(noAnswerIn(hop)));
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.setTimeout(0);
      resolve(socket);
    });
  });

const openChannel = (hop: Hop, bastion: Client): Promise<Duplex> =>
  new Promise((resolve, reject) => {
    let late = false;
    bastion.forwardOut("127.0.0.1", 0, hop.host, hop.port, (error, channel) => {
      clearTimeout(timer);
      if (error) reject(channelError(error));
      else if (late) channel.destroy();
      else resolve(channel);
    });
    const giveUp = () => {
      late = true;
      reject(noAnswerIn(hop));
    };
    const timer = hop.perDialTimeout === 0 ? undefined : setTimeout(giveUp, hop.perDialTimeout * 1000);
  });

/** RFC 4254, 5.1. What failed to connect (2) is like a host that does not answer. */
const REFUSED = new Map<unknown, string>([
  [1, "administratively prohibited"],
  [3, "unknown channel type"],
  [4, "resource shortage"],
]);

function channelError(error: Error & { readonly reason?: unknown }): Error {
  const said = error.message.replace("(SSH) Channel open failure: ", "");
  const refused = REFUSED.get(error.reason);
  return refused === undefined
    ? new Error(said, { cause: error })
    : new ChannelRefused(`${refused}${said === "" ? "" : ` (${said})`}`, { cause: error });
}

function knownHostsFiles(hop: Hop): string[] {
  const named = process.env.LBSHIELD_KNOWN_HOSTS;
  const files = named === undefined ? [join(homedir(), ".ssh", "known_hosts"), "/etc/ssh/ssh_known_hosts"] : [named];
  return files.flatMap((file) => {
    try {
      return [readFileSync(file, "utf8")];
    } catch (error) {
      if (named === undefined) return []; // A file that is not there knows no host.
      throw problem(
        hop,
        `LBSHIELD_KNOWN_HOSTS cannot be read: ${messageOf(error)}`,
        "name a file that is there",
        error,
      );
    }
  });
}

export const problem = (hop: Hop, reason: string, remedy: string, cause: unknown): HostError =>
  new HostError({ tried: "connect", host: endpoint(hop), reason, outcome: "nothing was changed", remedy }, cause);

/** Errors that another dial would not mend become HostErrors; the others are passed on for a retry. */
function explain(hop: Hop, error: unknown, offer: Offer, check: HostKeyCheck): unknown {
  if (check.refusal) return problem(hop, check.refusal.reason, check.refusal.remedy, error);
  if (error instanceof ChannelRefused) return error;
  // When all addresses of a name fail, Node's AggregateError has no words of its own.
  const { errors = [error] } = error as { readonly errors?: readonly unknown[] };
  const message = errors.map(messageOf).join(", ");
  if (/authentication methods failed/i.test(message))
    return problem(
      hop,
      `${hop.user} was not let in: the host accepted none of ${offer.toString()}`,
      "give a key that the host knows: connection.privateKey, lbshield:privateKey, LBSHIELD_PRIVATE_KEY or the SSH agent",
      error,
    );
  if (/too many authentication failures/i.test(message))
    return problem(
      hop,
      `${hop.user} was not let in: the host broke off (${message}) after some of ${offer.toString()}`,
      "offer fewer keys (an agent offers all that it has), or raise MaxAuthTries on the host",
      error,
    );
  if (/ENOTFOUND|name or service not known|name does not resolve|nodename nor servname/i.test(message))
    return problem(hop, `there is no host of this name: ${message}`, "is the name right?", error);
  if (message.startsWith("Handshake failed: no matching"))
    return problem(
      hop,
      `the host and this client have no algorithm in common: ${message}`,
      "the host needs a key of type ed25519, ecdsa or rsa, and the algorithms of OpenSSH 6.5 or later",
      error,
    );
  if (message === "Timed out while waiting for handshake") return noAnswerIn(hop, offer.waitsFor);
  if (message === "Connection lost before handshake")
    return new Error(
      "the host closed the connection before it said a word (too many logins at once? MaxStartups, PerSourcePenalties)",
      { cause: error },
    );
  return new Error(message, { cause: error });
}
