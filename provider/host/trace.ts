/**
 * LBSHIELD_TRACE names a file that gets a line for each script that a host runs: when, where, what, the exit status, how
 * long it took, and bytes there and back. What the scripts say is not in it: arguments can be secret.
 */
import { appendFileSync } from "node:fs";

import { type Reply } from "./shell";

export async function traced(host: string, what: string, sent: number, reply: Promise<Reply>): Promise<Reply> {
  const began = performance.now();
  const write = (how: string) => {
    trace(host, what, how, `${(performance.now() - began).toFixed(1)} ms`, `${sent.toString()} B sent`);
  };
  try {
    const { code, stdout, stderr } = await reply;
    write(`exit ${code.toString()}, ${(stdout.length + stderr.length).toString()} B back`);
  } catch {
    write("lost");
  }
  return reply;
}

/** A connection that was opened or that could not be, in the same file. */
export function traceDial(host: string, began: number, how: string): void {
  trace(host, "dial", how, `${(Date.now() - began).toString()} ms`);
}

function trace(...words: readonly string[]): void {
  const file = process.env.LBSHIELD_TRACE;
  if (file === undefined || file === "") return;
  appendFileSync(file, `${[new Date().toISOString(), ...words].join("\t")}\n`, { mode: 0o600 });
}
