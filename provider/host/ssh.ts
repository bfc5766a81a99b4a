/** A shell over SSH: one connection and one channel for all that is done on a host. */
import { readFileSync } from "node:fs";
import { connect as dialTcp } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import { type Config, NodeSSH } from "node-ssh";
import { type AnyAuthMethod, type ClientChannel, utils } from "ssh2";

import { HostError, messageOf } from "../errors";
import { type Credential, type Hop, endpoint } from "./connection";
import { type Known, type Refusal, knownHost, refusal } from "./known-hosts";
import { SHELL_COMMAND, type Shell, openShell } from "./shell";

/** Goes from hop to hop; the last is the host itself. */
export async function openSsh(hops: readonly Hop[]): Promise<Shell> {
  const opened: NodeSSH[] = [];
  const close = () => {
    for (const ssh of opened.toReversed()) ssh.dispose();
  };
  try {
    for (const hop of hops) opened.push(await dialWithRetries(hop, opened.at(-1)));
    const [last, host] = [opened.at(-1), hops.at(-1)];
    if (!last || !host) throw new Error("no host to connect to");
    const channel = await exec(last);
    return await openShell(endpoint(host), {
      stdin: channel,
      stdout: channel,
      stderr: channel.stderr,
      onEnd: (done) => {
        channel.on("close", (code: unknown) => {
          done(typeof code === "number" ? `ended with ${code.toString()}` : "the host is gone");
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
async function dialWithRetries(hop: Hop, through: NodeSSH | undefined): Promise<NodeSSH> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await dialOnce(hop, through);
    } catch (error) {
      if (error instanceof HostError) throw error;
      if (hop.dialErrorLimit >= 0 && attempt >= Math.max(1, hop.dialErrorLimit)) throw noAnswer(hop, attempt, error);
      await sleep(Math.min(200 * 2 ** attempt, 10_000));
    }
  }
}

const noAnswer = (hop: Hop, attempts: number, error: unknown): HostError =>
  new HostError(
    {
      tried: "connect",
      host: endpoint(hop),
      reason: `no answer after ${attempts.toString()} ${attempts === 1 ? "attempt" : "attempts"}: ${messageOf(error)}`,
      outcome: "nothing was changed",
      remedy: "is the host up, and does its sshd listen there? A host behind a bastion needs connection.proxy",
    },
    error,
  );

async function dialOnce(hop: Hop, through: NodeSSH | undefined): Promise<NodeSSH> {
  const authHandler = hop.credentials.map((credential) => authentication(hop, credential));
  const seconds = hop.perDialTimeout;
  // ssh2 leaves Nagle's algorithm on: an exec then takes 88 ms instead of 3.
  const sock = through ? await through.forwardOut("127.0.0.1", 0, hop.host, hop.port) : await openSocket(hop);
  const known = knownHost(knownHostsFiles(), hop.host, hop.port);
  let refused: Refusal | undefined;
  const config: Config = {
    sock,
    username: hop.user,
    // A connection that says nothing for 20 s is lost.
    keepaliveInterval: 5_000,
    keepaliveCountMax: 4,
    readyTimeout: seconds === 0 ? 0 : seconds * 1000,
    hostVerifier: (key: Buffer) => {
      refused = refusal(key, hop.host, hop.port, hop.hostKey, known);
      return refused === undefined;
    },
    ...preferKnownTypes(known, hop.hostKey),
    authHandler,
  };
  try {
    const ssh = await new NodeSSH().connect(config);
    // Nobody would hear of a connection that dies later (a keepalive without an answer, a reset): it must end what
    // runs over it, or that would wait for ever.
    ssh.connection?.on("error", () => ssh.connection?.destroy());
    return ssh;
  } catch (error) {
    sock.destroy();
    throw explain(hop, error, refused);
  }
}

const openSocket = (hop: Hop): Promise<Duplex> =>
  new Promise((resolve, reject) => {
    const socket = dialTcp({ host: hop.host, port: hop.port, noDelay: true, keepAlive: true });
    const timer =
      hop.perDialTimeout === 0
        ? undefined
        : setTimeout(() => {
            socket.destroy(new Error(`no answer within ${hop.perDialTimeout.toString()} s`));
          }, hop.perDialTimeout * 1000);
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
function explain(hop: Hop, error: unknown, refused: Refusal | undefined): unknown {
  const nothing = { tried: "connect", host: endpoint(hop), outcome: "nothing was changed" };
  if (refused) return new HostError({ ...nothing, ...refused }, error);
  const message = messageOf(error);
  if (/authentication methods failed/i.test(message))
    return new HostError(
      {
        ...nothing,
        reason: `${hop.user} was not let in: the host accepted none of ${triedOf(hop)}`,
        remedy:
          "give a key that the host knows: connection.privateKey, lbshield:privateKey, LBSHIELD_PRIVATE_KEY or the SSH agent",
      },
      error,
    );
  return error;
}

const triedOf = ({ credentials }: Hop): string =>
  credentials.length === 0 ? "(no key, agent or password was given)" : credentials.map((c) => c.from).join(", ");

/** A credential as ssh2 takes it. A key that cannot be read is an error now: ssh2 would pass over it in silence. */
function authentication(hop: Hop, credential: Credential): AnyAuthMethod {
  const { user: username } = hop;
  if ("agent" in credential) return { type: "agent", username, agent: credential.agent };
  if ("password" in credential) return { type: "password", username, password: credential.password };
  const { privateKey: key, passphrase } = credential;
  const parsed = utils.parseKey(key, passphrase);
  if (parsed instanceof Error)
    throw new HostError(
      {
        tried: "connect",
        host: endpoint(hop),
        outcome: "nothing was changed",
        reason: `${credential.from} cannot be used: ${parsed.message}`,
        remedy: "it is the key's content in OpenSSH or PEM form; an encrypted one needs privateKeyPassword",
      },
      parsed,
    );
  return { type: "publickey", username, key, ...(passphrase === undefined ? {} : { passphrase }) };
}
