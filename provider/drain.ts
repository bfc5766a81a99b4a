/**
 * What is on its way out carries its connections to their end: first it takes no new ones, then it waits, then it goes.
 * The waiting is ours and not the host's: when it is cut off, what is left is on the host, and the next run goes on.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { type Family } from "./addresses";
import { type Compiled } from "./engine/desired";
import { type HostSession } from "./engine/session";
import { type Tell } from "./engine/transaction";
import { HostError } from "./errors";
import { quote } from "./kernel/quote";

/** Connections by where their clients sent them. */
export interface Connections {
  readonly family: Family;
  /** A network as conntrack(8) takes it; undefined: any. */
  readonly destination: string | undefined;
  readonly ports: readonly (readonly [number, number])[];
}

export interface Drain {
  /** What is on the host meanwhile. */
  readonly stays: Compiled;
  readonly connections: readonly Connections[];
  /** How long it may take, in seconds. */
  readonly within: number;
}

/** Ended, or as good as: nothing is sent any more. */
const OVER = ["TIME_WAIT", "CLOSE", "LAST_ACK", "NONE"];

const listScript = (connections: readonly Connections[]): string =>
  connections
    .map(({ family, destination, ports }) => {
      const to = destination === undefined ? "" : ` -d ${quote(destination)}`;
      const inPorts = ports
        .map(([from, to]) => `(port >= ${from.toString()} && port <= ${to.toString()})`)
        .join(" || ");
      return `conntrack -L -f ipv${family.toString()} -p tcp${to} -o id 2>"$LBS/said" | awk '
  $4 !~ /^(${OVER.join("|")})$/ {
    port = id = ""
    for (i = 5; i <= NF; i++) { if (port == "" && $i ~ /^dport=/) port = substr($i, 7) + 0; if ($i ~ /^id=/) id = substr($i, 4) }
    if (${inPorts}) print id
  }'
grep -q "flow entries" "$LBS/said" || { cat "$LBS/said" >&2; exit 1; }`;
    })
    .join("\n");

const NO_TOOL = {
  reason: "conntrack: not found: which connections are still open cannot be told",
  outcome: "nothing was changed",
  remedy:
    "install conntrack on the host (Debian, Ubuntu: apt-get install conntrack; RHEL: dnf install conntrack-tools), or " +
    'say onDelete: "immediate"',
};

interface What {
  readonly tried: string;
  readonly resource: string;
  readonly host: string;
}

/** Fails before anything is changed when a host cannot tell its connections. */
export async function canDrain(session: HostSession, what: What): Promise<void> {
  const { code } = await session.ask("command -v conntrack >/dev/null", "drain");
  if (code !== 0) throw new HostError({ ...what, ...NO_TOOL });
}

/** Waits for the connections that are open now. Those that come later are none of it. Returns how many are left. */
export async function drained(session: HostSession, drain: Drain, what: What, tell: Tell): Promise<number> {
  const list = async (): Promise<ReadonlySet<string>> => {
    const { code, stdout, stderr } = await session.ask(listScript(drain.connections), "drain");
    if (code !== 0)
      throw new HostError({
        ...what,
        reason: stderr.trim(),
        outcome: "it takes no new connections; those that are open go on",
        remedy: "run the same command again",
      });
    return new Set(stdout.split("\n").filter((id) => id !== ""));
  };
  const until = Date.now() + drain.within * 1000;
  let left = await list();
  for (let wait = 500; left.size > 0 && Date.now() < until; wait = Math.min(5000, wait * 2)) {
    tell(
      `draining: ${count(left.size)} open, ${Math.ceil((until - Date.now()) / 1000).toString()} s at most`,
      "status",
    );
    await sleep(Math.min(wait, Math.max(0, until - Date.now())));
    const now = await list();
    left = new Set([...left].filter((id) => now.has(id)));
  }
  return left.size;
}

export const count = (n: number): string => (n === 1 ? "1 connection" : `${n.toString()} connections`);
