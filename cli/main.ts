#!/usr/bin/env node
/** `lbshield`: the command of the package. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { text } from "node:stream/consumers";

import { Hosts } from "../provider/hosts";
import { pulumi } from "./pulumi";
import { run } from "./run";

const { version } = JSON.parse(readFileSync(require.resolve("pulumi-lbshield/package.json"), "utf8")) as {
  version: string;
};

async function ask(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(question)).trim());
  } finally {
    terminal.close();
  }
}

const hosts = new Hosts();
void run(process.argv.slice(2), {
  version,
  print: (line) => process.stdout.write(`${line}\n`),
  complain: (line) => process.stderr.write(`${line}\n`),
  read: (file) => (file === "-" ? text(process.stdin) : readFile(file, "utf8")),
  pulumi,
  session: (way) => hosts.session(way),
  confirm: process.stdin.isTTY && process.stderr.isTTY ? ask : undefined,
})
  .then((status) => (process.exitCode = status))
  .finally(() => hosts.close());
