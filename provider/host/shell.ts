/**
 * One root shell on a host, kept open for many scripts: a script is a frame on its standard input, a reply is a frame
 * on its output. Nothing of ours is installed on the host, and nothing but the shell's own words stands in argv.
 */
import { type Readable, type Writable } from "node:stream";

import { HostError } from "../errors";
import { traced } from "./trace";

export interface Reply {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Shell {
  /** The host as people know it, e.g. `lb1.example.net`. */
  readonly host: string;
  /**
   * Runs a POSIX script as root and waits for its end. Rejects when the shell is lost, or has not answered in so many
   * seconds (300): then it is given up, and whatever it held is settled on the host. `what` names it in a trace.
   */
  run(script: string, what?: string, seconds?: number): Promise<Reply>;
  /** False when the connection has ended: a new shell is needed. */
  readonly alive: boolean;
  close(): void;
}

/**
 * What runs on the host. It becomes root if it must; makes a private folder; then reads frames. A frame that came in
 * part (the connection died) is not run. Whatever ends the shell, the connection's end above all, a transaction that
 * lies open in the folder is settled first (engine/guard.ts). Descriptor 9 is the lock: on a folder that is always
 * there, so that no lock file stays behind. Descriptor 8 is a way to send a packet before a reply is due. No single
 * quotes and no newlines: a login shell passes it on between single quotes.
 */
const BOOT = [
  `export LC_ALL=C LBS=`,
  `[ "$(id -u)" = 0 ] || exec sudo -n -- sh -c "$1" lbshield "$1" "$SSH_CONNECTION"`,
  `LBSSH=\${2:-$SSH_CONNECTION}`,
  `export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"`,
  `umask 077`,
  // Another shell that ends may take the folder away between two commands.
  `for try in 1 2 3 4; do mkdir -p /run/lbshield || exit 74; LBS=$(mktemp -d /run/lbshield/XXXXXX 2>/dev/null) && break; done`,
  `[ -n "$LBS" ] || LBS=$(mktemp -d /run/lbshield/XXXXXX) || exit 74`,
  `echo $$ >$LBS/pid || exit 74`,
  // A reader that is gone must not end the shell before the undo has run.
  `trap "" PIPE`,
  `trap "[ ! -e $LBS/settle ] || sh $LBS/settle $LBS \\"the connection ended before the change was confirmed\\" >/dev/null; [ ! -e $LBS/guard.pid ] || { read -r pid since <$LBS/guard.pid; kill \\$pid; }; rm -rf $LBS; rmdir /run/lbshield 2>/dev/null" EXIT`,
  `trap "exit 1" HUP INT TERM`,
  `exec 9</run 8>&2`,
  `echo lbshield-ready`,
  `while read -r id length; do head -c "$length" >"$LBS/script"`,
  `[ "$(wc -c <"$LBS/script")" -eq "$length" ] || break`,
  `( . "$LBS/script" ) >"$LBS/out" 2>"$LBS/err" </dev/null`,
  `echo "$id $? $(wc -c <"$LBS/out") $(wc -c <"$LBS/err")"`,
  `cat "$LBS/out" "$LBS/err"`,
  `done`,
].join("; ");

/** The command that starts the shell, for any login shell that knows single quotes. */
export const SHELL_COMMAND = `sh -c '${BOOT}' lbshield '${BOOT}'`;
export const SHELL_ARGV: readonly string[] = ["sh", "-c", BOOT, "lbshield", BOOT];

const READY = "lbshield-ready\n";

/** How long a shell may take to start, in milliseconds: a login shell may do things of its own first. */
const START = 30_000;

/** A process somewhere that runs `SHELL_COMMAND`. */
export interface Pipe {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Calls back once, when the process or its connection has ended. */
  onEnd(done: (reason: string) => void): void;
  close(): void;
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/** Resolves when the shell has said that it is ready; rejects with what it said instead. */
export async function openShell(host: string, pipe: Pipe): Promise<Shell> {
  const shell = new FramedShell(host, pipe);
  const late = setTimeout(() => {
    shell.giveUp(`did not start within ${(START / 1000).toString()} s`);
  }, START);
  try {
    await shell.ready;
    return shell;
  } finally {
    clearTimeout(late);
  }
}

class FramedShell implements Shell {
  readonly ready: Promise<void>;
  private readonly waiting = new Map<string, Waiting>();
  private received: Buffer[] = [];
  /** Nothing can be read before this many bytes are there. */
  private needed = 0;
  private complaints = "";
  private lost: Error | undefined;
  private count = 0;
  private onReady: (() => void) | undefined;
  giveUp: (reason: string) => void = () => undefined;

  constructor(
    readonly host: string,
    private readonly pipe: Pipe,
  ) {
    this.ready = new Promise((resolve, reject) => {
      this.onReady = resolve;
      this.giveUp = (reason) => {
        this.fail(reason);
        reject(this.lost ?? new Error(reason));
        pipe.close();
      };
      pipe.onEnd(this.giveUp);
    });
    pipe.stdout.on("data", (chunk: Buffer) => {
      this.received.push(chunk);
      this.read();
    });
    pipe.stderr.on("data", (chunk: Buffer) => {
      this.complaints += chunk.toString();
    });
    pipe.stdin.on("error", () => undefined); // The end of the process is what is reported.
  }

  get alive(): boolean {
    return this.lost === undefined;
  }

  run(script: string, what = "script", seconds = 300): Promise<Reply> {
    if (this.lost) return Promise.reject(this.lost);
    const id = (++this.count).toString();
    const late = setTimeout(() => {
      this.giveUp(`no answer within ${seconds.toString()} s`);
    }, seconds * 1000);
    const reply = new Promise<Reply>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      const body = Buffer.from(script);
      this.pipe.stdin.write(Buffer.concat([Buffer.from(`${id} ${body.length.toString()}\n`), body]));
    });
    const done = () => {
      clearTimeout(late);
    };
    reply.then(done, done);
    return traced(this.host, what, script.length, reply);
  }

  close(): void {
    this.pipe.stdin.end();
    this.pipe.close();
  }

  private read(): void {
    if (this.received.reduce((sum, chunk) => sum + chunk.length, 0) < this.needed) return;
    let rest = Buffer.concat(this.received);
    if (this.onReady) {
      // A login shell may greet before.
      const ready = rest.toString("latin1").search(/^lbshield-ready\n/m);
      if (ready < 0) return;
      rest = rest.subarray(ready + READY.length);
      this.onReady();
      this.onReady = undefined;
    }
    for (;;) {
      const end = rest.indexOf("\n");
      const head = rest.toString("latin1", 0, Math.max(0, end)).trim();
      const [id = "", code, out, err] = head.split(/ +/);
      const [outEnd, errEnd] = [end + 1 + Number(out), end + 1 + Number(out) + Number(err)];
      if (end >= 0 && Number.isNaN(errEnd)) {
        this.giveUp(`the shell said something that is no reply: ${head.slice(0, 80)}`);
        return;
      }
      this.needed = end < 0 ? 0 : errEnd;
      if (end < 0 || rest.length < errEnd) break;
      const reply = {
        code: Number(code),
        stdout: rest.toString("utf8", end + 1, outEnd),
        stderr: rest.toString("utf8", outEnd, errEnd),
      };
      rest = rest.subarray(errEnd);
      this.waiting.get(id)?.resolve(reply);
      this.waiting.delete(id);
    }
    this.received = [rest];
  }

  private fail(reason: string): void {
    // What is said before the shell is there, on either stream, is why it is not.
    const said = `${this.complaints}${this.onReady ? Buffer.concat(this.received).toString() : ""}`.trim();
    this.lost ??= explainEnd(this.host, said === "" ? reason : said, this.onReady !== undefined);
    for (const { reject } of this.waiting.values()) reject(this.lost);
    this.waiting.clear();
  }
}

function explainEnd(host: string, reason: string, starting: boolean): HostError {
  if (!starting)
    return new HostError({
      tried: "talk to the shell",
      host,
      reason: `the connection was lost: ${reason}`,
      outcome: "a change that was under way is undone by the host itself",
      remedy: "run the same command again",
    });
  return new HostError({ tried: "start a root shell", host, reason, ...startRemedy(reason) });
}

function startRemedy(reason: string): { remedy?: string } {
  if (/sudo: .*password is required|sudo: a terminal is required|authentication is required/.test(reason))
    return { remedy: "the user is not root and may not use sudo without a password: allow it (NOPASSWD), or use root" };
  if (reason.includes("must have a tty")) return { remedy: "sudoers has requiretty: take it away for this user" };
  if (/sudo: (command )?not found|not in the sudoers|is not allowed to/.test(reason))
    return { remedy: "the user is not root and has no sudo: use root, or install sudo and allow this user (NOPASSWD)" };
  return {};
}
