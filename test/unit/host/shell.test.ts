/** The shell that a host runs, on this machine: as root, through pipes instead of SSH. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import { HostError } from "../../../provider/errors";
import { openLocal } from "../../../provider/host/local";
import { type Reply, SHELL_ARGV, SHELL_COMMAND, type Shell, openShell } from "../../../provider/host/shell";
import { ownRun } from "./own-run";

const temporary = mkdtempSync(join(tmpdir(), "lbshield-shell-"));
chmodSync(temporary, 0o755);
afterAll(() => {
  rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
});

const open = new Set<Shell>();
async function newShell(inside: readonly string[] = ownRun(temporary).inside): Promise<Shell> {
  const shell = await openLocal("lb1", inside);
  open.add(shell);
  return shell;
}

/** A shell, and where its folder lies on this machine. */
async function shellWithFolder(): Promise<{ shell: Shell; folder: string }> {
  const run = ownRun(temporary);
  const shell = await newShell(run.inside);
  const { stdout } = await shell.run('echo "$LBS"');
  return { shell, folder: run.outside(stdout.trim()) };
}
afterEach(() => {
  for (const shell of open) shell.close();
  open.clear();
});

const ok = (stdout: string, stderr = ""): Reply => ({ code: 0, stdout, stderr });

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (condition()) return;
    await sleep(10);
  }
  throw new Error(`${what}: not within 5 s`);
}
const gone = (path: string) => until(`${path} is still there`, () => !existsSync(path));
const there = (path: string) => until(`${path} is not there`, () => existsSync(path));

describe("a script", () => {
  let shell: Shell;
  beforeEach(async () => {
    shell = await newShell();
  });

  test.each<[string, string, Reply]>([
    [
      "answers with what it wrote, each stream for itself",
      "echo out; echo err >&2; echo more",
      ok("out\nmore\n", "err\n"),
    ],
    ["may write nothing", "", ok("")],
    ["need not end its last line", "printf %s x", ok("x")],
    ["ends with its code", "echo before; exit 3", { code: 3, stdout: "before\n", stderr: "" }],
    ["ends with the code of its last command", "false", { code: 1, stdout: "", stderr: "" }],
    [
      "that is killed ends with the signal's code",
      "sh -c 'kill -9 $$'",
      expect.objectContaining({ code: 137 }) as Reply,
    ],
    ["may hold any quotes, and several lines", `a='1 2'\nb="$a \\"3\\""\necho "$b" 'x"y'`, ok('1 2 "3" x"y\n')],
    ["may hold here-documents", 'cat <<"END"\n$HOME `id` \\\nEND\n', ok("$HOME `id` \\\n")],
    ["finds nothing on its input", "cat; echo read", ok("read\n")],
    ["is run as root", "id -u", ok("0\n")],
    ["speaks English, whatever the host does", 'echo "$LC_ALL"', ok("C\n")],
    ["finds what is in sbin", "case $PATH in *:/usr/sbin:*) echo yes;; esac", ok("yes\n")],
    ["makes files that only root reads", 'touch "$LBS/x"; stat -c %a "$LBS/x" "$LBS"', ok("600\n700\n")],
    [
      "may write what looks like a reply",
      "printf '1 0 3 0\\nabc\\nlbshield-ready\\n'",
      ok("1 0 3 0\nabc\nlbshield-ready\n"),
    ],
    ["may write Unicode", "printf 'é網🚀'", ok("é網🚀")],
  ])("%s", async (_name, script, reply) => {
    expect(await shell.run(script)).toEqual(reply);
  });

  test("that is none is an answer, and the shell lives on", async () => {
    expect(await shell.run("if")).toMatchObject({ code: 2, stderr: expect.stringContaining("Syntax error") as string });
    expect(await shell.run("echo alive")).toEqual(ok("alive\n"));
  });

  test("leaves nothing behind for the next: neither variables nor folder nor options", async () => {
    await shell.run("x=1; cd /tmp; set -e; LBS=elsewhere; exec 2>/dev/null");
    expect(await shell.run('echo "[$x]"; pwd; case $- in *e*) echo e;; esac; echo err >&2')).toEqual(
      ok(`[]\n${process.cwd()}\n`, "err\n"),
    );
  });

  test("may write 5 MB on each stream", async () => {
    const { stdout, stderr } = await shell.run(
      "head -c 5000000 /dev/zero | tr '\\0' o; head -c 5000000 /dev/zero | tr '\\0' e >&2",
    );
    expect([stdout.length, stderr.length]).toEqual([5_000_000, 5_000_000]);
    expect([stdout.replaceAll("o", ""), stderr.replaceAll("e", "")]).toEqual(["", ""]);
    expect(await shell.run("echo next")).toEqual(ok("next\n"));
  });

  test("may be long", async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `: ${i.toString()} ${"x".repeat(50)}`);
    expect(await shell.run([...lines, "echo end"].join("\n"))).toEqual(ok("end\n"));
  });

  test("may write bytes that are no text: what follows is not out of step", async () => {
    const bytes = "printf '\\377\\376\\000\\200\\n\\303'";
    const [first, second] = await Promise.all([shell.run(`${bytes}; ${bytes} >&2`), shell.run("echo next")]);
    expect(first).toEqual(ok("\uFFFD\uFFFD\0\uFFFD\n\uFFFD", "\uFFFD\uFFFD\0\uFFFD\n\uFFFD"));
    expect(second).toEqual(ok("next\n"));
  });

  test("waits its turn: many at once are done in order, each with its own answer", async () => {
    const file = join(temporary, "order");
    const scripts = Array.from(
      { length: 100 },
      (_, i) => `echo ${i.toString()} | tee -a ${file}; exit ${(i % 7).toString()}`,
    );
    const replies = await Promise.all(scripts.map((script) => shell.run(script)));
    expect(replies).toEqual(scripts.map((_, i) => ({ code: i % 7, stdout: `${i.toString()}\n`, stderr: "" })));
    expect((await shell.run(`cat ${file}`)).stdout).toBe(replies.map((r) => r.stdout).join(""));
  });
});

describe("a shell that ends", () => {
  test("leaves nothing on the host", async () => {
    const { shell, folder } = await shellWithFolder();
    expect((await shell.run('echo "$LBS"; cat "$LBS/pid"; echo $$')).stdout).toMatch(
      /^\/run\/lbshield\/\w{6}\n([0-9]+)\n\1\n$/,
    );
    shell.close();
    await gone(folder);
    await gone(dirname(folder));
  });

  test("leaves another one's folder", async () => {
    const run = ownRun(temporary);
    const [one, other] = [await newShell(run.inside), await newShell(run.inside)];
    one.close();
    const folders = async () => (await other.run("ls /run/lbshield")).stdout.trim().split("\n");
    for (let i = 0; i < 500 && (await folders()).length > 1; i++) await sleep(10);
    expect((await other.run('basename "$LBS"')).stdout.trim()).toBe((await folders()).join());
  });

  test("finishes what it was given before", async () => {
    const shell = await newShell();
    const last = shell.run("sleep 0.2; echo done");
    shell.close();
    expect(await last).toEqual(ok("done\n"));
  });

  test("by itself rejects what waits and what comes, and says so", async () => {
    const { shell, folder } = await shellWithFolder();
    expect(shell.alive).toBe(true);
    const waiting = [shell.run("kill -9 $$; sleep 0.1"), shell.run("echo never"), shell.run("echo neither")];
    const message = [
      "talk to the shell on lb1: the connection was lost: ended with SIGKILL",
      "  outcome: a change that was under way is undone by the host itself",
      "  to do:   run the same command again",
    ].join("\n");
    for (const { status, ...rest } of await Promise.allSettled(waiting)) {
      expect(status).toBe("rejected");
      expect(rest).toMatchObject({ reason: { name: "HostError", message } });
    }
    expect(shell.alive).toBe(false);
    await expect(shell.run("echo late")).rejects.toThrow(message);
    rmSync(folder, { recursive: true }); // SIGKILL is the one end that leaves it.
  });

  test.each(["TERM", "HUP", "INT"])("by SIG%s leaves nothing on the host either", async (signal) => {
    const { shell, folder } = await shellWithFolder();
    await expect(shell.run(`kill -${signal} $$; exit 0`).then(() => shell.run("sleep 1"))).rejects.toThrow(HostError);
    await gone(folder);
  });
});

describe("a transaction that lies open is settled", () => {
  let mark: string;
  beforeEach(() => {
    mark = join(mkdtempSync(join(temporary, "settle-")), "settled");
  });

  const leave = () => `echo 'echo "$@" >${mark}; echo undone' >"$LBS/settle"`;

  test("when the input ends, told why, and then the folder goes", async () => {
    const { shell, folder } = await shellWithFolder();
    const { stdout } = await shell.run(`${leave()}; echo "$LBS"`);
    shell.close();
    await gone(folder);
    expect(readFileSync(mark, "utf8")).toBe(`${stdout.trim()} the connection ended before the change was confirmed\n`);
  });

  test("and its guard is ended", async () => {
    const { shell, folder } = await shellWithFolder();
    const { stdout } = await shell.run('sleep 100 & echo $! | tee "$LBS/guard.pid"');
    // One that has ended and that nobody has waited for yet has no command line.
    const line = `/proc/${stdout.trim()}/cmdline`;
    const runs = () => existsSync(line) && readFileSync(line, "utf8") !== "";
    expect(runs()).toBe(true);
    shell.close();
    await gone(folder);
    await until("the guard runs", () => !runs());
  });

  test("after the script that was under way, not during it", async () => {
    const shell = await newShell();
    void shell.run(`${leave()}; sleep 0.2; [ ! -e ${mark} ] && touch ${mark}.not-yet`);
    shell.close();
    await there(mark);
    expect(existsSync(`${mark}.not-yet`)).toBe(true);
  });

  test.each(["TERM", "HUP"])("when the shell gets SIG%s", async (signal) => {
    const shell = await newShell();
    await shell.run(leave());
    await expect(shell.run(`kill -${signal} $$; exit 0`).then(() => shell.run("sleep 1"))).rejects.toThrow(HostError);
    await there(mark);
  });

  test("when nobody reads any more", async () => {
    const { child, frame } = rawShell();
    frame(1, leave());
    child.stdout.destroy();
    child.stderr.destroy();
    frame(2, "head -c 1000000 /dev/zero");
    child.stdin.end();
    await there(mark);
  });

  test("but not when it has ended", async () => {
    const { shell, folder } = await shellWithFolder();
    await shell.run(leave());
    await shell.run('rm "$LBS/settle"');
    shell.close();
    await gone(folder);
    expect(existsSync(mark)).toBe(false);
  });

  test("when the next frame comes in part, and the frame is not run", async () => {
    const { child, frame } = rawShell();
    frame(1, leave());
    child.stdin.end(`2 100\ntouch ${mark}.cut\n`);
    await there(mark);
    expect(existsSync(`${mark}.cut`)).toBe(false);
  });
});

/** The shell's process itself, for what no client of ours would send. */
function rawShell(): { child: ChildProcessWithoutNullStreams; frame: (id: number, script: string) => void } {
  const [command = "", ...args] = [...ownRun(temporary).inside, ...SHELL_ARGV];
  const child = spawn(command, args);
  child.stdin.on("error", () => undefined);
  const frame = (id: number, script: string) => {
    child.stdin.write(`${id.toString()} ${Buffer.byteLength(script).toString()}\n${script}`);
  };
  return { child, frame };
}

describe("a frame that comes in part", () => {
  test.each<[string, (script: string) => string]>([
    ["whose length says more than there is", (script) => `1 ${(script.length + 1).toString()}\n${script}`],
    ["that is cut in the middle", (script) => `1 ${script.length.toString()}\n${script.slice(0, -4)}`],
    ["of which there is the header alone", (script) => `1 ${script.length.toString()}\n`],
    ["whose header has no end", () => "1 1"],
  ])("%s is not run", async (_name, cut) => {
    const folder = mkdtempSync(join(temporary, "cut-"));
    const { child, frame } = rawShell();
    const ended = new Promise((resolve) => child.on("close", resolve));
    frame(7, `touch ${folder}/whole`);
    child.stdin.end(cut(`touch ${folder}/cut # do\n`));
    await ended;
    expect([existsSync(`${folder}/whole`), existsSync(`${folder}/cut`)]).toEqual([true, false]);
  });
});

test.each(["sh", "bash"])("%s as a login shell passes the whole of it on", async (login) => {
  expect(SHELL_COMMAND.split("'")).toHaveLength(5); // sh -c '...' '...'
  expect(SHELL_COMMAND).not.toContain("\n");
  const [command, ...args] = [...ownRun(temporary).inside, login, "-c", SHELL_COMMAND];
  const child = spawn(command, args);
  const shell = await openShell("lb1", {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    onEnd: (done) => {
      child.on("close", () => {
        done("ended");
      });
    },
    close: () => undefined,
  });
  open.add(shell);
  expect(await shell.run("echo hello")).toEqual(ok("hello\n"));
});

/** A shell whose other end is the test. */
async function openPaper(): Promise<{ shell: Shell; say: (text: string) => void; closed: () => number }> {
  const { opened, say, closed } = paperPipe();
  say("lbshield-ready\n");
  return { shell: await opened, say, closed };
}

function paperPipe() {
  const stdout = new PassThrough();
  let closed = 0;
  const opened = openShell("lb1", {
    stdin: new PassThrough(),
    stdout,
    stderr: new PassThrough(),
    onEnd: () => undefined,
    close: () => {
      closed++;
    },
  });
  const say = (text: string) => {
    stdout.write(text);
  };
  return { opened, say, closed: () => closed };
}

describe("what is said", () => {
  test("may come in any pieces", async () => {
    const { shell, say } = await openPaper();
    const replies = Promise.all([shell.run("one"), shell.run("two")]);
    for (const c of "1 0 4 0\nout\n2 7 0 4\nerr\n") {
      say(c);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await replies).toEqual([ok("out\n"), { code: 7, stdout: "", stderr: "err\n" }]);
  });

  test("may come in pieces from the first word on", async () => {
    const { opened, say } = paperPipe();
    say("lbshield-ready");
    await sleep(10);
    say("\n");
    const shell = await opened;
    const reply = shell.run("one");
    say("1 0 4 0\nout\n");
    expect(await reply).toEqual(ok("out\n"));
  });

  test.each(["Connection will be reset.\n", "\n", "1 0\n", "1 0 4\n", "1 0 x 0\n"])(
    "and is no reply ends the shell: %j",
    async (said) => {
      const { shell, say, closed } = await openPaper();
      const waiting = [shell.run("one"), shell.run("two")];
      say(said);
      const message = `the connection was lost: the shell said something that is no reply: ${said.trim()}`.trim();
      for (const reply of waiting) await expect(reply).rejects.toThrow(message);
      expect([shell.alive, closed()]).toEqual([false, 1]);
      await expect(shell.run("three")).rejects.toThrow(message);
    },
  );

  test("too late is not waited for, and the shell is given up", async () => {
    const { shell, closed } = await openPaper();
    await expect(shell.run("one", "look", 0.05)).rejects.toThrow("the connection was lost: no answer within 0.05 s");
    expect([shell.alive, closed()]).toEqual([false, 1]);
  });
});

test.each([
  ["SSH", "198.51.100.7 50000 192.0.2.1 22"],
  ["another way", ""],
])("a shell over %s knows how we came in", async (_name, ssh) => {
  const shell = await newShell([...ownRun(temporary).inside, "env", `SSH_CONNECTION=${ssh}`]);
  expect(await shell.run('echo "$LBSSH"')).toEqual(ok(`${ssh}\n`));
});

// Of two connections to a host one ends while the other begins.
test("a shell starts although another one has just taken their common folder away", async () => {
  const path = mkdtempSync(join(temporary, "race-"));
  const script = `#!/bin/sh\n[ -e ${path}/once ] || { : >${path}/once; rmdir /run/lbshield; }\nexec /usr/bin/mktemp "$@"\n`;
  writeFileSync(join(path, "mktemp"), script, { mode: 0o755 });
  const { PATH = "" } = process.env;
  const shell = await newShell([...ownRun(temporary).inside, "env", `PATH=${path}:${PATH}`]);
  expect(await shell.run("echo hello")).toEqual(ok("hello\n"));
});

describe("a shell that cannot start says why", () => {
  const start = async (...inside: string[]): Promise<HostError> => {
    try {
      (await openLocal("lb1", inside)).close();
    } catch (error) {
      if (error instanceof HostError) return error;
      throw error;
    }
    throw new Error("it has started");
  };

  test("when there is nothing to start", async () => {
    expect((await start("/nonexistent/ip")).message).toBe("start a root shell on lb1: spawn /nonexistent/ip ENOENT");
  });

  test("when the host says it on its way out", async () => {
    expect((await start("sh", "-c", "echo 'lb1: no such namespace' >&2; exit 1")).message).toBe(
      "start a root shell on lb1: lb1: no such namespace",
    );
    expect((await start("sh", "-c", "echo This account is currently not available.; exit 1")).message).toBe(
      "start a root shell on lb1: This account is currently not available.",
    );
  });

  test("when it ends without a word", async () => {
    expect((await start("sh", "-c", "exit 7")).message).toBe("start a root shell on lb1: ended with 7");
    expect((await start("sh", "-c", "kill -9 $$")).message).toBe("start a root shell on lb1: ended with SIGKILL");
  });

  test("when the host has no place for its folder", async () => {
    const { problem } = await start(
      "unshare",
      "--mount",
      "sh",
      "-c",
      'mount -t tmpfs -o ro run /run && exec "$@"',
      "sh",
    );
    expect(problem.reason).toMatch(/^mkdir: .*\/run\/lbshield.*: Read-only file system$/);
  });

  describe("when the user is not root and sudo", () => {
    const NO_PASSWORD =
      "the user is not root and may not use sudo without a password: allow it (NOPASSWD), or use root";
    const NO_SUDO = "the user is not root and has no sudo: use root, or install sudo and allow this user (NOPASSWD)";
    const NO_TTY = "sudoers has requiretty: take it away for this user";

    /** Another user, who finds in PATH what a folder holds, and the tools that the start takes. */
    function asNobody(path: string): string[] {
      for (const tool of ["id", "sh"]) symlinkSync(`/usr/bin/${tool}`, join(path, tool));
      chmodSync(path, 0o755);
      return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", `PATH=${path}`];
    }
    function withSudo(body: string): string[] {
      const path = mkdtempSync(join(temporary, "sudo-"));
      writeFileSync(join(path, "sudo"), `#!/bin/sh\n${body}\n`);
      chmodSync(join(path, "sudo"), 0o755);
      return asNobody(path);
    }

    test.each<[string, string, string | undefined]>([
      ["wants a password", "sudo: a password is required", NO_PASSWORD],
      [
        "wants a terminal for one",
        "sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper",
        NO_PASSWORD,
      ],
      ["wants a terminal in any case", "sudo: sorry, you must have a tty to run sudo", NO_TTY],
      ["does not know the user", "nobody is not in the sudoers file.  This incident will be reported.", NO_SUDO],
      ["has another trouble", "sudo: unable to resolve host lb1", undefined],
    ])("%s", async (_name, said, remedy) => {
      const { problem, message } = await start(...withSudo(`echo "${said}" >&2; exit 1`));
      expect(problem).toEqual({
        tried: "start a root shell",
        host: "lb1",
        reason: said,
        ...(remedy ? { remedy } : {}),
      });
      expect(message).toBe(`start a root shell on lb1: ${said}${remedy === undefined ? "" : `\n  to do:   ${remedy}`}`);
    });

    test("is not there", async () => {
      const { problem } = await start(...asNobody(mkdtempSync(join(temporary, "no-sudo-"))));
      expect(problem.reason).toContain("sudo: not found");
      expect(problem.remedy).toBe(NO_SUDO);
    });

    test("is asked for no password, and for this very shell, which is told how we came in", async () => {
      const ssh = "198.51.100.7 50000 192.0.2.1 22";
      const { problem } = await start("env", `SSH_CONNECTION=${ssh}`, ...withSudo('printf "[%s]" "$@"; exit 1'));
      expect(problem.reason).toBe(["-n", "--", ...SHELL_ARGV, ssh].map((word) => `[${word}]`).join(""));
    });
  });
});
