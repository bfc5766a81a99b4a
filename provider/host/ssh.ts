/** A shell over SSH: one connection and one channel for all that is done on a host. */
import { setTimeout as sleep } from "node:timers/promises";

import { type ClientChannel } from "ssh2";

import { HostError, messageOf } from "../errors";
import { Bastion, type Lease } from "./bastion";
import { type Hop, endpoint } from "./connection";
import { ChannelRefused, type Connection, dial, problem } from "./dial";
import { SHELL_COMMAND, type Shell, openShell } from "./shell";
import { traceDial } from "./trace";

/** Goes from hop to hop; the last is the host itself. */
export async function openSsh(hops: readonly Hop[]): Promise<Shell> {
  const [host, bastions] = split(hops);
  const connection = await connect(host, bastions).catch((error: unknown) => {
    throw atBastion(host, error);
  });
  const close = () => {
    connection.close();
  };
  try {
    const channel = await exec(host, connection);
    return await openShell(endpoint(host), {
      stdin: channel,
      stdout: channel,
      stderr: channel.stderr,
      onEnd: (done) => {
        channel.on("close", (code: unknown) => {
          done(typeof code === "number" ? `ended with ${code.toString()}` : (connection.lost ?? "the host is gone"));
        });
      },
      close,
    });
  } catch (error) {
    close();
    throw error;
  }
}

const exec = async (host: Hop, { client }: Connection): Promise<ClientChannel> =>
  new Promise<ClientChannel>((resolve, reject) => {
    client.exec(SHELL_COMMAND, (error, channel) => {
      if (error) reject(error);
      else resolve(channel);
    });
  }).catch((error: unknown) => {
    const reason = `the host opened no session: ${messageOf(error)}`;
    const remedy = "run the same command again; if that does not help: sshd's MaxSessions must not be 0";
    throw new HostError(
      { tried: "start a root shell", host: endpoint(host), reason, outcome: "nothing was changed", remedy },
      error,
    );
  });

function split(hops: readonly Hop[]): [Hop, readonly Hop[]] {
  const last = hops.at(-1);
  if (!last) throw new Error("no host to connect to");
  return [last, hops.slice(0, -1)];
}

/** A connection to a host through bastions. What does not answer is dialled again. */
async function connect(hop: Hop, bastions: readonly Hop[]): Promise<Connection> {
  const started = Date.now();
  const bastion = bastions.at(-1);
  let lease: Lease | undefined;
  try {
    for (let attempt = 1; ;) {
      if (bastion && !lease?.connection.alive) lease = await sharedWay(bastions).lease();
      try {
        const connection = await dial(hop, lease?.connection);
        if (lease) void connection.ended.then(lease.release);
        traceDial(endpoint(hop), started, `open after ${attempt.toString()}`);
        return connection;
      } catch (error) {
        if (error instanceof HostError) throw error;
        if (bastion && lease && error instanceof ChannelRefused) {
          if (!lease.wasCrowded()) throw forwardsNot(bastion, hop, error);
          lease.release();
          lease = undefined;
          continue;
        }
        const seconds = Math.ceil((Date.now() - started) / 1000);
        if (hop.dialErrorLimit >= 0 && attempt >= Math.max(1, hop.dialErrorLimit))
          throw noAnswer(hop, bastion, attempt, seconds, error);
        await sleep(pause(attempt++));
      }
    }
  } catch (error) {
    lease?.release();
    traceDial(endpoint(hop), started, "failed");
    throw error;
  }
}

/** In milliseconds: 0.4 s, then twice as long each time, to 10 s; a quarter more or less, for those who started together. */
const pause = (attempt: number): number => Math.min(200 * 2 ** attempt, 10_000) * (0.75 + Math.random() / 2);

const ways = new Map<string, Bastion>();

/** One for all hosts that are reached by this way, with these credentials. */
function sharedWay(hops: readonly Hop[]): Bastion {
  const key = JSON.stringify(hops);
  const way = ways.get(key) ?? new Bastion(() => connect(...split(hops)));
  ways.set(key, way);
  return way;
}

function noAnswer(hop: Hop, bastion: Hop | undefined, attempts: number, seconds: number, error: unknown): HostError {
  const through = bastion ? ` through bastion ${endpoint(bastion)}` : "";
  const tried = `${attempts.toString()} ${attempts === 1 ? "attempt" : "attempts"}${through} in ${seconds.toString()} s`;
  const remedy = bastion
    ? "is the host up, does its sshd listen there, and can the bastion reach it?"
    : "is the host up, and does its sshd listen there? A host behind a bastion needs connection.proxy";
  return problem(hop, `no answer after ${tried}: ${messageOf(error)}`, remedy, error);
}

const forwardsNot = (bastion: Hop, hop: Hop, error: Error): HostError =>
  problem(
    bastion,
    `it does not forward to ${endpoint(hop)}: ${error.message}`,
    "its sshd needs AllowTcpForwarding, and PermitOpen (also of the key) must name that host and port",
    error,
  );

/** The error of a bastion as one of the host behind it. */
const atBastion = (host: Hop, error: unknown): unknown =>
  error instanceof HostError && error.problem.host !== endpoint(host)
    ? new HostError(
        { ...error.problem, host: endpoint(host), reason: `bastion ${error.problem.host}: ${error.problem.reason}` },
        error,
      )
    : error;
