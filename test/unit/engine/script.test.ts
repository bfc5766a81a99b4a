/** The scripts of a transaction, run by a shell of this machine that has its own /run and /var/lib, and no nft. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

import { UNDONE, settleScript } from "../../../provider/engine/guard";
import { LEDGER, NEXT, ledgerHead } from "../../../provider/engine/ledger";
import { type Change } from "../../../provider/engine/plan";
import { BUSY, confirmScript, lockScript, outcomeScript } from "../../../provider/engine/script";
import { HostSession } from "../../../provider/engine/session";
import { openLocal } from "../../../provider/host/local";
import { type Step } from "../../../provider/kernel/step";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { LAYOUT, tuning } from "./paper-host";

const temporary = mkdtempSync(join(tmpdir(), "lbshield-script-"));
afterAll(() => {
  rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
});

const LBS = "/run/lbshield/aB3dE6";

/** A machine that has some files, by path. */
class Machine {
  private readonly root = mkdtempSync(join(temporary, "host-"));
  /** What starts a shell there. */
  readonly inside: readonly string[];

  constructor(files: Readonly<Record<string, string>> = {}) {
    for (const folder of [`${LBS}/`, "/var/lib/", "/bin/"]) mkdirSync(join(this.root, folder), { recursive: true });
    for (const [path, content] of Object.entries(files)) this.write(path, content);
    const mounts = 'mount --bind "$0/run" /run && mount --bind "$0/var/lib" /var/lib && PATH=$0/bin:$PATH exec "$@"';
    this.inside = ["unshare", "--mount", "sh", "-c", mounts, this.root];
  }

  write(path: string, content: string, mode = 0o644): void {
    mkdirSync(join(this.root, dirname(path)), { recursive: true });
    writeFileSync(join(this.root, path), content, { mode });
  }

  read(path: string): string {
    return readFileSync(this.outside(path), "utf8");
  }

  /** Where a path of it lies on this machine. */
  outside(path: string): string {
    return join(this.root, path);
  }

  run(script: string): { code: number | null; said: string; complained: string } {
    const [command, ...args] = [...this.inside, "sh"];
    const input = `LBS=${LBS}; exec 9</run\n${script}`;
    const { status, stdout, stderr } = spawnSync(command, args, { input, encoding: "utf8" });
    return { code: status, said: stdout, complained: stderr };
  }

  /** The files there are. */
  files(...folders: readonly string[]): Record<string, string> {
    const found = folders.flatMap((folder) =>
      readdirSync(join(this.root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(this.root.length)),
    );
    return Object.fromEntries(found.toSorted().map((path) => [path, this.read(path)]));
  }

  /** Is anything left of ours beside the shell's folder? */
  folders(): string[] {
    return ["/run/lbshield", "/var/lib"].flatMap((folder) => readdirSync(join(this.root, folder)));
  }
}

describe("to settle a transaction", () => {
  const step = (id: string, back = `echo ${id} >>$LBS/undone`): Step => ({ id, run: ":", back });
  const steps = ["a", "b", "c"].map((id) => step(id));
  const settle = (some = steps, ledgerEmpty = false) =>
    settleScript({ transaction: "t1", label: "acme/prod (1 resource)", steps: some, ledgerEmpty });
  const files = (...some: string[]) =>
    Object.fromEntries(
      some.map((name) => [name.startsWith("/") ? name : `${LBS}/${name}`, name === "at" ? "2\n" : `${name}\n`]),
    );

  interface Case {
    readonly there: Record<string, string>;
    readonly script?: string;
    readonly why?: string;
    readonly said: string;
    /** What is there afterwards, beside the script. */
    readonly left: Record<string, string>;
  }

  test.each<[string, Case]>([
    [
      "that is confirmed: the next ledger is the one",
      {
        there: files("confirmed", "at", NEXT, LEDGER),
        said: "@@kept\n",
        left: { [LEDGER]: `${NEXT}\n` },
      },
    ],
    [
      "that is confirmed, and after which nothing is left: there is no ledger",
      { there: files("confirmed", LEDGER), script: settle(steps, true), said: "@@kept\n", left: {} },
    ],
    [
      "that was confirmed, and cut off in the middle: it is done with",
      { there: files("confirmed", LEDGER), said: "@@kept\n", left: files(LEDGER) },
    ],
    [
      "that nobody confirmed: what was begun is undone, the last first",
      {
        there: files("open", "at", NEXT, LEDGER),
        said: "@@undone\n",
        left: { [`${LBS}/undone`]: "b\na\n", ...files(LEDGER) },
      },
    ],
    [
      "of which is not known what was begun: all is undone",
      { there: files("open", NEXT), said: "@@undone\n", left: { [`${LBS}/undone`]: "c\nb\na\n" } },
    ],
    [
      "that is to be undone, confirmed or not",
      {
        there: files("rollback", "confirmed", "at", NEXT),
        said: "@@undone\n",
        left: { [`${LBS}/undone`]: "b\na\n", ...files("confirmed") },
      },
    ],
    [
      "of which a step cannot be undone: the others are, and it says so",
      {
        there: files("open"),
        script: settle([step("a"), step("b", "false"), step("c")]),
        said: "@@undo-failed\n",
        left: { [`${LBS}/undone`]: "c\na\n" },
      },
    ],
    [
      "and leave word of it: why, and whose it was",
      {
        there: files("open", "at"),
        why: "nobody confirmed it in time",
        said: "@@undone\n",
        left: {
          [`${LBS}/undone`]: "b\na\n",
          [`${UNDONE}/t1`]: "undone\tacme/prod (1 resource)\tnobody confirmed it in time\n",
        },
      },
    ],
    ["that is over: nothing", { there: files(LEDGER), said: "", left: files(LEDGER) }],
  ])("%s", (_name, { there, script = settle(), why = "", said, left }) => {
    const host = new Machine({ ...there, [`${LBS}/settle`]: script });
    const run = () => host.run(`sh $LBS/settle $LBS "${why}"`);
    expect(run()).toEqual({ code: 0, said, complained: "" });
    const { [`${LBS}/settle`]: again, ...files } = host.files("/run", "/var/lib");
    expect(files).toEqual(left);
    expect(again).toBe(said === "" ? script : undefined);
  });

  test("that is confirmed, and whose ledger cannot be written: it is undone", () => {
    const host = new Machine({ ...files("confirmed", NEXT, LEDGER), [`${LBS}/settle`]: settle() });
    host.write("/bin/mv", `#!/bin/sh\n[ "$1" != ${NEXT} ] || exit 1\nexec /bin/mv "$@"\n`, 0o755);
    expect(host.run("sh $LBS/settle $LBS")).toMatchObject({ code: 0, said: "@@undone\n" });
    expect(host.files("/run", "/var/lib")).toEqual({ [`${LBS}/undone`]: "c\nb\na\n", ...files(LEDGER) });
  });

  test("leaves no folder of ours that is empty", () => {
    const host = new Machine({ ...files("confirmed", LEDGER), [`${LBS}/settle`]: settle(steps, true) });
    host.run("sh $LBS/settle $LBS");
    expect(host.folders()).toEqual(["aB3dE6"]);
  });
});

describe("what became of a transaction", () => {
  const ours = { [LEDGER]: `${ledgerHead("t1")}\nrecord\tx\n` };
  const theirs = { [LEDGER]: `${ledgerHead("t2")}\n` };
  const told = "undone\tacme/prod (1 resource)\tnobody confirmed it in time\n";
  const word = { [`${UNDONE}/t1`]: told };
  const late = `@@late\n${told}`;

  test.each<[string, Record<string, string>, boolean, string]>([
    ["that the ledger is of", ours, false, "@@kept\n"],
    ["that the ledger is not of", theirs, false, "@@unknown\n"],
    ["that left no ledger", {}, true, "@@kept\n"],
    ["that should have left none", theirs, true, "@@unknown\n"],
    ["that left nothing", {}, false, "@@unknown\n"],
    ["that the host has undone", { ...theirs, ...word }, false, late],
    ["that the host has undone, and after which there is no ledger", word, true, late],
  ])("%s", (_name, files, ledgerEmpty, said) => {
    for (const script of [
      confirmScript(LBS, { transaction: "t1", ledgerEmpty }, true),
      outcomeScript("acme/prod", { transaction: "t1", ledgerEmpty }, 1),
    ]) {
      const host = new Machine(files);
      expect(host.run(script)).toEqual({ code: 0, said, complained: "" });
      expect(host.folders()).not.toContain(basename(UNDONE));
    }
  });

  test("that is open is decided by who confirms it", () => {
    const settle = settleScript({ transaction: "t1", label: "x", steps: [], ledgerEmpty: false });
    const host = new Machine({ [`${LBS}/open`]: "", [`${LBS}/settle`]: settle, [NEXT]: "next\n" });
    expect(host.run(confirmScript(LBS, { transaction: "t1", ledgerEmpty: false }, false))).toMatchObject({
      said: "@@kept\n",
    });
    expect(host.read(LEDGER)).toBe("next\n");
  });
});

describe("the lock", () => {
  test("that another has is not waited for, and says whose it is", () => {
    const host = new Machine({ "/run/lbshield/other/holder": "acme/test (1 resource), from deploy1" });
    expect(host.run(`exec 8</run; flock 8\n${lockScript("acme/prod", 0)}`)).toEqual({
      code: BUSY,
      said: "",
      complained: "acme/test (1 resource), from deploy1",
    });
  });

  test("taken, is ours; what others have left is ended, and what was undone is told once", () => {
    const settle = 'echo "settled $1 $2" >/run/settled; rm -f "$1/settle"';
    const host = new Machine({
      "/run/lbshield/gone00/pid": "4194304\n",
      "/run/lbshield/gone00/settle": settle,
      "/run/lbshield/alive0/pid": "1\n",
      [`${UNDONE}/t0`]: "undone\tacme/test (1 resource)\tX\n",
    });
    const lock = lockScript("it's acme/prod", 0);
    expect(host.run(`${lock}\n${lock}`)).toEqual({
      code: 0,
      said: "@@undone\nundone\tacme/test (1 resource)\tX\n@@undone\n",
      complained: "",
    });
    expect(host.read("/run/settled")).toBe(
      "settled /run/lbshield/gone00 the connection ended before the change was confirmed\n",
    );
    expect(host.read(`${LBS}/holder`)).toBe("it's acme/prod");
    expect(host.folders().toSorted()).toEqual(["aB3dE6", "alive0"]);
  });

  test("taken, the modules are loaded whose values are looked at, as far as there are any", () => {
    const host = new Machine();
    host.write("/bin/modprobe", '#!/bin/sh\necho "$*" >>/run/modprobe\nfalse\n', 0o755);
    expect(host.run(lockScript("acme/prod", 0, ["nf_nat", "ip_vs"]))).toMatchObject({ code: 0 });
    expect(host.read("/run/modprobe")).toMatch(/-q nf_nat\n-q ip_vs\n$/);
  });
});

describe("a transaction of values", () => {
  const host = new Machine({ "/etc/a": "10\n", "/etc/b": "20\n", "/etc/c": "30\n" });
  host.write("/bin/nft", "#!/bin/sh\n", 0o755);
  // The kernel ends a value with a newline, however it was written.
  host.write("/bin/cat", '#!/bin/sh\n/bin/cat "$@"; case $1 in */etc/*) echo ;; esac\n', 0o755);
  const value = (name: string, n: number) => sysctl(host.outside(`/etc/${name}`), n);
  const values = () => ["a", "b", "c"].map((name) => host.read(`/etc/${name}`).trim());
  /** What its lines are about. */
  const ledger = () =>
    (host.files("/var/lib")[LEDGER] ?? "")
      .split("\n")
      .map((line) => /^(\S+\t)(?:\S*\/)?(\S+)/.exec(line)?.slice(1).join(""))
      .filter((line) => line !== undefined)
      .toSorted();
  const about = (kind: string, ...names: string[]) => names.map((name) => `${kind}\t${name}`);
  const HEAD = expect.stringMatching(/^lbshield-ledger\t[0-9a-f]{16}$/) as string;

  const session = new HostSession(() => openLocal("lb1", host.inside), LAYOUT);
  afterAll(() => session.close());
  const make = (...changes: readonly Change[]) =>
    Promise.all(changes.map((change) => session.change(change, { care: { guard: "never", confirmWithin: 30 } })));

  const one = tuning("acme/prod/one", value("a", 11), value("b", 21));
  const two = tuning("acme/prod/two", value("b", 21), value("c", 31));

  test("writes them, who wants them, and what was there before", async () => {
    await make({ put: one }, { put: two });
    expect(values()).toEqual(["11", "21", "31"]);
    expect(ledger()).toEqual([
      HEAD,
      ...about("original", "a", "b", "c"),
      ...about("record", "one", "two"),
      ...about("set", "a", "b", "c"),
    ]);
    const seen = await session.read([]);
    expect([...seen.originals.values()]).toEqual(["10", "20", "30"]);
    // What the ledger names is looked at although nobody asked for it.
    expect([...seen.sysctl.values()]).toEqual(["11", "21", "31"]);
  });

  test("edits what it remembers, and leaves the rest", async () => {
    await make({ put: tuning("acme/prod/one", value("a", 12)) });
    expect(values()).toEqual(["12", "21", "31"]);
    expect(ledger()).toEqual([
      HEAD,
      ...about("original", "a", "b", "c"),
      ...about("record", "one", "two"),
      ...about("set", "a", "b", "c"),
    ]);
    await make({ remove: two });
    expect(values()).toEqual(["12", "20", "30"]);
    expect(ledger()).toEqual([HEAD, "original\ta", "record\tone", "set\ta"]);
  });

  test("of which the kernel refuses one leaves all as it was", async () => {
    // The kernel lets nobody write this one.
    const frozen = { kind: "sysctl", key: "kernel.ostype", value: "Other" } as const;
    await expect(make({ put: tuning("acme/prod/two", value("c", 31), frozen) })).rejects.toThrow(
      /^apply Tuning acme\/prod\/two on lb1: kernel\.ostype: Permission denied\n  outcome: undone, the host is as it was\n/,
    );
    expect([values(), ledger()]).toEqual([
      ["12", "20", "30"],
      [HEAD, "original\ta", "record\tone", "set\ta"],
    ]);
  });

  test("that is the last leaves nothing", async () => {
    await make({ remove: one });
    expect(values()).toEqual(["10", "20", "30"]);
    expect(host.files("/var/lib")).toEqual({});
  });
});
