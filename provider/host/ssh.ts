/** A shell over SSH: one connection and one channel for all that is done on a host. */
import { readFileSync } from "node:fs";
import { connect as dialTcp } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import { type Config, NodeSSH } from "node-ssh";
import { type ClientChannel } from "ssh2";

import { HostError, messageOf } from "../errors";
import { type Connection, type Dial, endpoint } from "./connection";
import { type Known, type Refusal, knownHost, refusal } from "./known-hosts";
import { SHELL_COMMAND, type Shell, openShell } from "./shell";

export async function openSsh(connection: Connection): Promise<Shell> {
  const hops = [...(connection.proxy ? [connection.proxy] : []), connection];
  const opened: NodeSSH[] = [];
  const close = () => {
    for (const ssh of opened.toReversed()) ssh.dispose();
  };
  try {
    for (const hop of hops) opened.push(await dialWithRetries(hop, opened.at(-1)));
    const last = opened.at(-1);
    if (!last) throw new Error("no connection");
    const channel = await exec(last);
    return await openShell(endpoint(connection), {
      stdin: channel,
      stdout: channel,
      stderr: channel.stderr,
      onEnd: (done) => {
        channel.on("close", (code: number | null) => {
          done(code === null ? "the host is gone" : `ended with ${code.toString()}`);
        });
      },
      close,
    });
  } catch (error) {
    close();
    throw error;
  }
}

const exec = (ssh: NodeSSH): Promise<ClientChannel> =>
  new Promise((resolve, reject) => {
    if (!ssh.connection) reject(new Error("not connected"));
    else
      ssh.connection.exec(SHELL_COMMAND, (error, channel) => {
        if (error) reject(error);
        else resolve(channel);
      });
  });

/** Dials that got no answer are repeated, with pauses that grow; a refusal by the host is not. */
async function dialWithRetries(dial: Dial, through: NodeSSH | undefined): Promise<NodeSSH> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await dialOnce(dial, through);
    } catch (error) {
      if (error instanceof HostError) throw error;
      if (dial.dialErrorLimit >= 0 && attempt >= Math.max(1, dial.dialErrorLimit)) throw noAnswer(dial, attempt, error);
      await sleep(Math.min(200 * 2 ** attempt, 10_000));
    }
  }
}

const noAnswer = (dial: Dial, attempts: number, error: unknown): HostError =>
  new HostError(
    {
      tried: "connect",
      host: endpoint(dial),
      reason: `no answer after ${attempts.toString()} ${attempts === 1 ? "attempt" : "attempts"}: ${messageOf(error)}`,
      outcome: "nothing was changed",
      remedy: "is the host up, and does its sshd listen there? A host behind a bastion needs connection.proxy",
    },
    error,
  );

async function dialOnce(dial: Dial, through: NodeSSH | undefined): Promise<NodeSSH> {
  const seconds = dial.perDialTimeout;
  // ssh2 leaves Nagle's algorithm on: an exec then takes 88 ms instead of 3.
  const sock = through ? await through.forwardOut("127.0.0.1", 0, dial.host, dial.port) : await openSocket(dial);
  const known = knownHost(knownHostsFiles(), dial.host, dial.port);
  let refused: Refusal | undefined;
  const config: Config = {
    sock: sock,
    username: dial.user,
    keepaliveInterval: 15_000,
    keepaliveCountMax: 4,
    readyTimeout: seconds === 0 ? 0 : seconds * 1000,
    hostVerifier: (key: Buffer) => {
      refused = refusal(key, dial.host, dial.port, dial.hostKey, known);
      return refused === undefined;
    },
    ...preferKnownTypes(known, dial.hostKey),
    ...(dial.privateKey === undefined ? {} : { privateKey: dial.privateKey }),
    ...(dial.privateKeyPassword === undefined ? {} : { passphrase: dial.privateKeyPassword }),
    ...(dial.password === undefined ? {} : { password: dial.password }),
    ...(dial.agentSocketPath === undefined ? {} : { agent: dial.agentSocketPath }),
  };
  try {
    return await new NodeSSH().connect(config);
  } catch (error) {
    sock.destroy();
    throw explain(dial, error, refused);
  }
}

const openSocket = (dial: Dial): Promise<Duplex> =>
  new Promise((resolve, reject) => {
    const socket = dialTcp({ host: dial.host, port: dial.port, noDelay: true, keepAlive: true });
    const timer =
      dial.perDialTimeout === 0
        ? undefined
        : setTimeout(() => {
            socket.destroy(new Error(`no answer within ${dial.perDialTimeout.toString()} s`));
          }, dial.perDialTimeout * 1000);
    socket.once("connect", () => {
      clearTimeout(timer);
      resolve(socket);
    });
    socket.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });

/** A server offers the best key it has; ours is verified only if it is of a type that we know of this host. */
function preferKnownTypes(known: Known, hostKey: string | undefined): Pick<Config, "algorithms"> {
  const given = hostKey?.startsWith("SHA256:") === false ? hostKey.trim().split(/\s+/)[0] : undefined;
  const types = given === undefined ? known.keys.map((k) => k.type) : [given];
  const signatures = [...new Set(types)].flatMap((t) => (t === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256", t] : [t]));
  if (signatures.length === 0) return {};
  return { algorithms: { serverHostKey: { prepend: signatures, append: [], remove: [] } as never } };
}

function knownHostsFiles(): string[] {
  const named = process.env.LBSHIELD_KNOWN_HOSTS;
  const files = named === undefined ? [join(homedir(), ".ssh", "known_hosts"), "/etc/ssh/ssh_known_hosts"] : [named];
  return files.flatMap((file) => {
    try {
      return [readFileSync(file, "utf8")];
    } catch {
      return []; // A file that is not there knows no host.
    }
  });
}

/** Errors that another dial would not mend are told at once; the others are passed on for a retry. */
function explain(dial: Dial, error: unknown, refused: Refusal | undefined): unknown {
  const nothing = { tried: "connect", host: endpoint(dial), outcome: "nothing was changed" };
  if (refused) return new HostError({ ...nothing, ...refused }, error);
  const message = messageOf(error);
  if (/authentication methods failed/i.test(message))
    return new HostError(
      {
        ...nothing,
        reason: `${dial.user} was not let in: the host accepted none of ${credentialsOf(dial)}`,
        remedy:
          "give a key that the host knows: lbshield:privateKey, LBSHIELD_PRIVATE_KEY, the SSH agent, or connection.privateKey",
      },
      error,
    );
  if (/privateKey|passphrase|key format/i.test(message))
    return new HostError(
      {
        ...nothing,
        reason: `the private key cannot be used: ${message}`,
        remedy: "privateKey is the key's content in OpenSSH or PEM form; an encrypted one needs privateKeyPassword",
      },
      error,
    );
  return error;
}

function credentialsOf(dial: Dial): string {
  const tried = [
    ...(dial.agentSocketPath === undefined ? [] : ["the agent's keys"]),
    ...(dial.privateKey === undefined ? [] : ["the private key"]),
    ...(dial.password === undefined ? [] : ["the password"]),
  ];
  return tried.length === 0 ? "(no key, agent or password was given)" : tried.join(", ");
}
