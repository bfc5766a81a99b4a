/** What is asked of a host, in which order, and what the caller is told: without a host. */
import { type Declaration } from "../../../provider/engine/desired";
import { type Change } from "../../../provider/engine/plan";
import { BUSY, LOCK_WAIT, applyWithin } from "../../../provider/engine/script";
import { Reader, type Snapshot } from "../../../provider/engine/snapshot";
import { type Care, type Outcome, type Request, Transactions } from "../../../provider/engine/transaction";
import { HostError, type Problem } from "../../../provider/errors";
import { type Reply, type Shell } from "../../../provider/host/shell";
import { own } from "../../../provider/kernel/object";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { FRESH, LAYOUT, after, planFor, printAnswer, rule, tuning, withObjects, withValue } from "./paper-host";
import { LOST, PaperShell, type Scene, said } from "./paper-shell";

const put = (declaration: Declaration): Change => ({ put: declaration });
const remove = (declaration: Declaration): Change => ({ remove: declaration });

/** We came in by 192.0.2.1, port 22: these change nothing that our own packets meet. */
const base = rule("acme/prod/base", ["203.0.113.1 . 80"]);
const web = rule("acme/prod/web", ["203.0.113.2 . 80"]);
const api = rule("acme/prod/api", ["203.0.113.3 . 80"]);
const HOST = after(FRESH, put(base));
/** And this one does. */
const ssh = rule("acme/prod/ssh", ["192.0.2.1 . 22"]);

const NEVER: Care = { guard: "never", confirmWithin: 5 };

const KEPT = "@@kept\n";
const UNDONE = "@@undone\n";
const refused = (step: string | undefined, stderr: string, undone = UNDONE): Reply =>
  said(`${step === undefined ? "" : `@@failed ${step}\n`}${undone}`, stderr, 71);

/** The ways to a host: one that is open, and those that could be opened. */
function ways(first: PaperShell, ...others: readonly (PaperShell | Error)[]) {
  const more = [...others];
  const dialled: number[] = [];
  const link = {
    current: first as Shell,
    dialled,
    shell: () => Promise.resolve(link.current),
    another: (seconds: number): Promise<Shell> => {
      dialled.push(seconds);
      const next = more.shift() ?? new Error("nobody there");
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
    adopt: (shell: Shell) => {
      link.current = shell;
    },
  };
  return { link, transactions: new Transactions(link, LAYOUT, new Reader()) };
}

const requests = (...changes: readonly Change[]): Request[] => changes.map((change) => ({ change }));
const one = () => false;

/** Was it written? Or why not? */
function told(results: readonly PromiseSettledResult<Outcome>[]): (boolean | Problem)[] {
  return results.map((r) => {
    if (r.status === "fulfilled") return r.value.changed;
    if (r.reason instanceof HostError) return r.reason.problem;
    throw r.reason;
  });
}

async function make(scenes: readonly Scene[], changes: readonly Change[], ...others: readonly (PaperShell | Error)[]) {
  const shell = new PaperShell(...scenes);
  const { link, transactions } = ways(shell, ...others);
  const results = await transactions.run(requests(...changes), one);
  return { shell, link, results, told: told(results) };
}

describe("a change", () => {
  test("is a look, an apply and a confirmation; what was read back is the outcome", async () => {
    const next = after(HOST, put(web));
    const { shell, results } = await make(
      [
        ["look", HOST],
        ["apply", { ...next, records: HOST.records }],
        ["confirm", KEPT],
      ],
      [put(web)],
    );
    expect(shell.whats()).toEqual(["look", "apply", "confirm"]);
    expect(results).toEqual([
      { status: "fulfilled", value: { seen: { ...next, transaction: expect.any(String) as string }, changed: true } },
    ]);
    expect(shell.last("apply").seconds).toBe(applyWithin(30) + 30);
    expect(shell.last("confirm").script).toMatch(/mv \/run\/lbshield\/paper\/open [^]*flock -u 9/);
  });

  test("that is there already is a look, and the lock is given back", async () => {
    const { shell, told } = await make(
      [
        ["look", HOST],
        ["unlock", ""],
      ],
      [put(base)],
    );
    expect([shell.whats(), told]).toEqual([["look", "unlock"], [false]]);
  });

  test("in conflict with another fails alone; the others stand", async () => {
    const rival = rule("acme/test/rival", ["203.0.113.2 . 80"]);
    const { told } = await make(
      [
        ["look", HOST],
        ["apply", after(HOST, put(web), put(api))],
        ["confirm", KEPT],
      ],
      [put(web), put(rival), put(api)],
    );
    expect(told).toEqual([
      true,
      {
        tried: "apply",
        resource: "Rule acme/test/rival",
        host: "lb1",
        reason: "203.0.113.2 port 80 already belongs to demo/acme/prod/web on this host",
        outcome: "nothing was changed",
        remedy: "declare it once; to move it to another stack, remove it there first",
      },
      true,
    ]);
  });

  test("in conflict with what is there, and alone, is a look", async () => {
    const { shell, told } = await make(
      [
        ["look", HOST],
        ["unlock", ""],
      ],
      [put(rule("acme/test/x", ["203.0.113.1 . 80"]))],
    );
    expect(shell.whats()).toEqual(["look", "unlock"]);
    expect(told).toMatchObject([{ outcome: "nothing was changed" }]);
  });

  test("that the host does not show as written is undone, and says what differs", async () => {
    const shown = withValue(HOST, "net.a", "12");
    const { shell, told } = await make(
      [
        ["look", HOST],
        ["apply", shown],
        ["undo", UNDONE],
      ],
      [put(tuning("acme/prod/t", sysctl("net.a", 11)))],
    );
    expect(shell.last("undo").script).toContain("flock -u 9");
    expect(told).toEqual([
      {
        tried: "apply",
        resource: "Tuning acme/prod/t",
        host: "lb1",
        reason: "the host does not show what was written: net.a is 12, not 11",
        outcome: "undone, the host is as it was",
        remedy: "does something else on the host write to table inet lbshield or to these values?",
      },
    ]);
  });

  test("whose undo fails as well says so loudly", async () => {
    const { told } = await make(
      [
        ["look", HOST],
        ["apply", HOST],
        ["undo", "@@undo-failed\n"],
      ],
      [put(web)],
    );
    expect(told).toMatchObject([{ outcome: expect.stringContaining("THE UNDO FAILED AS WELL") as string }]);
  });
});

describe("the lock of another", () => {
  const busy = said("", "acme/test (3 resources), from deploy1\n", BUSY);

  async function waiting(scenes: readonly Scene[]) {
    const shell = new PaperShell(...scenes);
    const heard: [string, string][] = [];
    const tell = (message: string, severity: string) => heard.push([severity, message]);
    const { transactions } = ways(shell);
    const results = await transactions.run(
      [web, api].map((d) => ({ change: put(d), tell })),
      one,
    );
    return { shell, heard, told: told(results) };
  }

  test("is waited for, and the first who waits is told whose it is", async () => {
    const { shell, heard, told } = await waiting([
      ["look", busy],
      ["look", HOST],
      ["apply", after(HOST, put(web), put(api))],
      ["confirm", KEPT],
    ]);
    expect(told).toEqual([true, true]);
    expect(shell.asked.slice(0, 2).map(({ script, seconds }) => [/flock -(\w+)/.exec(script)?.[1], seconds])).toEqual([
      ["n", undefined],
      ["w", LOCK_WAIT + 30],
    ]);
    const message = "waiting: lb1 is being changed by acme/test (3 resources), from deploy1";
    expect(heard).toEqual([["status", message]]);
  });

  test("is not waited for without end", async () => {
    const { shell, told } = await waiting([
      ["look", busy],
      ["look", busy],
    ]);
    expect(shell.whats()).toEqual(["look", "look"]);
    expect(told).toMatchObject([
      {
        resource: "Rule acme/prod/web",
        reason: "another change of this host has held the lock for 300 s: acme/test (3 resources), from deploy1",
        outcome: "nothing was changed",
      },
      { resource: "Rule acme/prod/api" },
    ]);
  });

  test("is ours to others: they are told which stacks, how many resources, from where", async () => {
    const { shell } = await make(
      [
        ["look", HOST],
        ["unlock", ""],
      ],
      [put(base), remove(rule("shop/test/x", []))],
    );
    expect(shell.last("look").script).toMatch(/printf "%s" 'acme\/prod, shop\/test \(2 resources\), from [^\n]+'/);
  });
});

describe("a look that fails", () => {
  test.each<[string, Reply, Partial<Problem>]>([
    [
      "without nft",
      said("", "nft: not found\n", 127),
      { reason: "nft: not found\n", remedy: expect.stringContaining("install nftables on the host") as string },
    ],
    [
      "without the right to",
      said("", "Operation not permitted (you must be root)\n", 1),
      { remedy: expect.stringContaining("CAP_NET_ADMIN") as string },
    ],
    ["without a word", said("", "", 2), { reason: expect.stringContaining("ended with 2 and no words") as string }],
  ])("%s gives the lock back, and says why", async (_name, look, problem) => {
    const { shell, told } = await make(
      [
        ["look", look],
        ["unlock", ""],
      ],
      [put(web)],
    );
    expect(shell.whats()).toEqual(["look", "unlock"]);
    expect(told).toEqual([
      expect.objectContaining({ resource: "Rule acme/prod/web", outcome: "nothing was changed", ...problem }),
    ]);
  });

  test("with the connection has changed nothing", async () => {
    const { told } = await make([["look", LOST]], [put(web), remove(base)]);
    expect(told).toMatchObject([
      { tried: "apply", reason: "the connection was lost: Timed out", outcome: "nothing was changed" },
      { tried: "remove", resource: "Rule acme/prod/base", outcome: "nothing was changed" },
    ]);
  });

  // The shell lives on with the lock, and others wait for it as long as the run takes.
  test("at a ledger that is not ours gives the lock back", async () => {
    const shell = new PaperShell(["look", printAnswer(HOST).replace("@@end", "# do not touch\n@@end")], ["unlock", ""]);
    const results = await ways(shell).transactions.run(requests(put(web)), one);
    expect(results).toMatchObject([{ status: "rejected" }]);
    expect(shell.whats()).toEqual(["look", "unlock"]);
  });
});

test("what the host has undone by itself is told once, as a warning", async () => {
  const undone = [
    "undone\tacme/prod (1 resource)\tnobody confirmed it in time",
    "undo-failed\tacme/test (1 resource)\tX",
  ];
  const shell = new PaperShell(["look", { ...HOST, undone }], ["unlock", ""]);
  const heard: string[][] = [];
  const tell = (...what: string[]) => heard.push(what);
  await ways(shell).transactions.run(
    [
      { change: put(base), tell },
      { change: put(base), tell },
    ],
    one,
  );
  expect(heard).toEqual([
    ["lb1: an earlier change was undone: acme/prod (1 resource): nobody confirmed it in time", "warning"],
    [
      "lb1: an earlier change was undone: acme/test (1 resource): X; AND THE UNDO FAILED: compare the host with its last declaration",
      "warning",
    ],
  ]);
});

describe("a refusal", () => {
  const frozen = tuning("acme/prod/frozen", sysctl("net.a", 11));

  test("of a value: whoever wants it fails with the kernel's word, the others are tried again without a look", async () => {
    const { shell, told } = await make(
      [
        ["look", HOST],
        ["apply", refused("net.a", "Read-only file system\n")],
        ["apply", after(HOST, put(web))],
        ["confirm", KEPT],
      ],
      [put(web), put(frozen)],
    );
    expect(shell.whats()).toEqual(["look", "apply", "apply", "confirm"]);
    expect(told).toEqual([
      true,
      {
        tried: "apply",
        resource: "Tuning acme/prod/frozen",
        host: "lb1",
        reason: "net.a: Read-only file system\n",
        outcome: "undone, the host is as it was",
        remedy:
          "the value is read-only here: in a container or network namespace it belongs to the machine outside. Set it there, and leave it out here",
      },
    ]);
  });

  /** What nft says of a line of the script that these changes make. */
  function complaint(changes: readonly Change[], of: string, what: string): string {
    const line = planFor(changes, HOST).nft.forward.findIndex(({ id, text }) => id === of && text.startsWith("add"));
    return `/run/lbshield/x/forward.nft:${(line + 1).toString()}:1-9: Error: ${what}\nadd ...\n^^^\n/run/lbshield/x/forward.nft:99:1-9: Error: more\n`;
  }

  test("of a rule by nft: its line says whose it is", async () => {
    const chain = "chain demo/acme/prod/api/in";
    const { told } = await make(
      [
        ["look", HOST],
        ["apply", refused("nft", complaint([put(web), put(api)], chain, "syntax error"))],
        ["apply", after(HOST, put(web))],
        ["confirm", KEPT],
      ],
      [put(web), put(api)],
    );
    expect(told).toMatchObject([
      true,
      { resource: "Rule acme/prod/api", reason: `${chain}: nft: Error: syntax error\nadd ...\n^^^\n` },
    ]);
  });

  test("of a key that overlaps another's: its owner is named", async () => {
    const wide = rule("acme/prod/wide", ["203.0.113.1 . 79-81"]);
    const said = complaint([put(wide)], "element ports { 203.0.113.1 . 79-81 }", "Could not process rule: File exists");
    const { told } = await make(
      [
        ["look", HOST],
        ["apply", refused("nft", said)],
        ["unlock", ""],
      ],
      [put(wide)],
    );
    expect(told).toMatchObject([
      {
        reason: expect.stringMatching(
          /^203\.0\.113\.1 port 79-81 already belongs to demo\/acme\/prod\/base on this host\nnft: Error: .*File exists/,
        ) as string,
        remedy: "declare it once; to move it to another stack, remove it there first",
      },
    ]);
  });

  test("that names nobody: the halves are tried, down to whose fault it is", async () => {
    const unclear = refused("conntrack", "Device or resource busy\n");
    const three = [put(web), put(api), put(frozen)];
    const { shell, told } = await make(
      [
        ["look", HOST],
        ["apply", unclear],
        ["unlock", ""],
        ["look", HOST],
        ["apply", after(HOST, put(web), put(api))],
        ["confirm", KEPT],
        ["look", after(HOST, put(web), put(api))],
        ["apply", unclear],
        ["unlock", ""],
      ],
      three,
    );
    expect(shell.whats()).toHaveLength(9);
    expect(told).toMatchObject([
      true,
      true,
      { resource: "Tuning acme/prod/frozen", reason: "conntrack: Device or resource busy\n" },
    ]);
  });

  test.each<[string, Reply, Partial<Problem>]>([
    [
      "whose undo failed",
      refused("net.a", "Permission denied\n", "@@undo-failed\n"),
      { outcome: expect.stringContaining("THE UNDO FAILED") as string },
    ],
    [
      "before the first step",
      said("", "cat: write error: No space left on device\n", 74),
      {
        outcome: "nothing was changed",
        remedy: "make room on the host: /run and /var/lib/lbshield must be writable",
      },
    ],
  ])("%s fails for all, and nothing more is tried", async (_name, reply, problem) => {
    const { shell, told } = await make(
      [
        ["look", HOST],
        ["apply", reply],
        ["unlock", ""],
      ],
      [put(web), put(frozen)],
    );
    expect(shell.whats()).toEqual(["look", "apply", "unlock"]);
    expect(told).toMatchObject([problem, problem]);
  });
});

describe("a connection that is lost at the", () => {
  const next = after(HOST, put(web));
  const LATE = "@@late\nundone\tacme/prod (1 resource)\tthe connection was lost\n";
  const TIMED_OUT = expect.stringContaining("the connection was lost: Timed out") as string;
  const at: Readonly<Record<string, readonly Scene[]>> = {
    apply: [
      ["look", HOST],
      ["apply", LOST],
    ],
    confirm: [
      ["look", HOST],
      ["apply", next],
      ["confirm", LOST],
    ],
    undo: [
      ["look", HOST],
      ["apply", HOST],
      ["undo", LOST],
    ],
  };

  test.each<[string, string, readonly Scene[], true | Partial<Problem>]>([
    [
      "apply",
      "kept",
      [
        ["outcome", KEPT],
        ["read", next],
      ],
      true,
    ],
    [
      "confirm",
      "kept",
      [
        ["outcome", KEPT],
        ["read", next],
      ],
      true,
    ],
    [
      "apply",
      "undone",
      [["outcome", LATE]],
      { outcome: "undone by the host itself: acme/prod (1 resource): the connection was lost" },
    ],
    [
      "undo",
      "undone",
      [["outcome", LATE]],
      { outcome: "undone by the host itself: acme/prod (1 resource): the connection was lost" },
    ],
    [
      "apply",
      "unknown",
      [["outcome", "@@unknown\n"]],
      { outcome: expect.stringContaining("gone with the host's restart, or was never begun") as string },
    ],
  ])("%s: the host is asked over another one, which then is in use; %s", async (when, _answer, scenes, expected) => {
    const other = new PaperShell(...scenes);
    const { link, told } = await make(at[when]!, [put(web)], other);
    expect(link.current).toBe(other);
    expect(other.whats()).toEqual(scenes.map(([what]) => what));
    expect(told).toEqual([
      expected === true
        ? true
        : expect.objectContaining({ reason: TIMED_OUT, remedy: "run the same command again", ...expected }),
    ]);
  });

  test("apply, and no other comes about: the host undoes it, we cannot know", async () => {
    const { link, told } = await make(at.apply!, [put(web)], new Error("connect EHOSTUNREACH"));
    expect(link.dialled).toEqual([applyWithin(30) + 60]);
    expect(told).toMatchObject([
      {
        reason: expect.stringMatching(
          /the connection was lost: Timed out[^]*; and it could not be reached again within 180 s: connect EHOSTUNREACH$/,
        ) as string,
        outcome: "the host undoes the change by itself when nobody confirms it; the next run shows what it did",
      },
    ]);
  });

  test("apply: that is the reason, without the outcome that the shell supposed", async () => {
    const { told } = await make(at.apply!, [put(web)], new PaperShell(["outcome", LATE]));
    expect(told).toMatchObject([{ reason: "the connection was lost: Timed out" }]);
  });

  // Others may hold the lock longer than we wait: then we know nothing of the change.
  test("apply, and the lock is not free in time: the outcome is not known", async () => {
    const { told } = await make(at.apply!, [put(web)], new PaperShell(["outcome", said("", "", BUSY)]));
    expect(told).not.toMatchObject([{ outcome: expect.stringContaining("the host is as it was") as string }]);
  });
});

describe("a change that could cut off the way to the host", () => {
  const next = after(HOST, put(ssh));
  const APPLIED: readonly Scene[] = [
    ["look", HOST],
    ["apply", next],
  ];
  const CUT = {
    reason: "the change cut off the way to the host: connect ETIMEDOUT",
    remedy: expect.stringContaining("something in this change catches the management connection") as string,
  };

  test("is confirmed over a new connection, which then is the one in use", async () => {
    const other = new PaperShell(["confirm", KEPT]);
    const { shell, link, told } = await make(APPLIED, [put(ssh)], other);
    expect([shell.whats(), other.whats()]).toEqual([["look", "apply"], ["confirm"]]);
    expect(link.current).toBe(other);
    expect(told).toEqual([true]);
    // The lock is the old shell's, and ends with it.
    expect(other.last("confirm").script).toContain("mv /run/lbshield/paper/open");
    expect(other.last("confirm").script).not.toContain("flock -u");
    // There is time left to take it back.
    expect(link.dialled[0]).toBeLessThan(30);
  });

  test("is undone over the open one when no new one comes about", async () => {
    const { shell, told } = await make([...APPLIED, ["undo", UNDONE]], [put(ssh)], new Error("connect ETIMEDOUT"));
    expect(shell.whats()).toEqual(["look", "apply", "undo"]);
    expect(told).toMatchObject([{ ...CUT, outcome: "undone, the host is as it was" }]);
  });

  test("is asked for when the open one has gone as well", async () => {
    const late = new PaperShell(["outcome", "@@late\nundone\tacme/prod (1 resource)\tnobody confirmed it in time\n"]);
    const { told } = await make([...APPLIED, ["undo", LOST]], [put(ssh)], new Error("connect ETIMEDOUT"), late);
    expect(told).toMatchObject([
      { ...CUT, outcome: "undone by the host itself: acme/prod (1 resource): nobody confirmed it in time" },
    ]);
  });

  test("is asked for when the new one is lost as it confirms", async () => {
    const late = new PaperShell(["outcome", KEPT], ["read", next]);
    const { link, told } = await make(APPLIED, [put(ssh)], new PaperShell(["confirm", LOST]), late);
    expect([told, link.current]).toEqual([[true], late]);
  });

  test("that the host was quicker to undo says why, with its reason", async () => {
    const other = new PaperShell(["confirm", "@@late\nundone\tacme/prod (1 resource)\tnobody confirmed it in time\n"]);
    const { told } = await make(APPLIED, [put(ssh)], other);
    expect(told).toMatchObject([
      {
        reason: "the change could not be confirmed: acme/prod (1 resource): nobody confirmed it in time",
        outcome: "undone, the host is as it was",
      },
    ]);
  });
});

describe("care", () => {
  async function confirmedOver(changes: readonly Change[], ...cares: readonly (Care | undefined)[]) {
    const [shell, other] = [
      new PaperShell(["look", HOST], ["apply", after(HOST, ...changes)], ["confirm", KEPT]),
      new PaperShell(["confirm", KEPT]),
    ];
    const how = (care: Care | undefined) => (care === undefined ? {} : { care });
    const results = await ways(shell, other).transactions.run(
      changes.map((change, i) => ({ change, ...how(cares[i]) })),
      one,
    );
    expect(told(results)).toEqual(changes.map(() => true));
    return { over: other.asked.length > 0 ? "another" : "the same", seconds: shell.last("apply").seconds };
  }

  test.each<[string, Change[], (Care | undefined)[], string, number]>([
    ["one that says nothing, of no danger", [put(web)], [], "the same", 30],
    ["one that says nothing, of danger", [put(ssh)], [], "another", 30],
    ["never, of danger", [put(ssh)], [NEVER], "the same", 5],
    ["always, of no danger", [put(web)], [{ guard: "always", confirmWithin: 60 }], "another", 60],
    ["never beside one that says nothing, of danger", [put(ssh), put(web)], [NEVER, undefined], "another", 30],
    ["never beside always", [put(web), put(api)], [NEVER, { guard: "always", confirmWithin: 1 }], "another", 5],
    ["never beside never", [put(ssh), put(api)], [NEVER, { guard: "never", confirmWithin: 7 }], "the same", 7],
  ])("of %s: the most careful wins", async (_name, changes, cares, over, within) => {
    expect(await confirmedOver(changes, ...cares)).toEqual({ over, seconds: applyWithin(within) + 30 });
  });
});

describe("while more is waiting", () => {
  const more = () => true;
  const next = after(HOST, put(web));
  const last = after(next, put(api));

  test("the lock is kept, and what was read back is where the next begins", async () => {
    const shell = new PaperShell(
      ["look", HOST],
      ["apply", next],
      ["confirm", KEPT],
      ["apply", last],
      ["confirm", KEPT],
    );
    const { transactions } = ways(shell);
    expect(told(await transactions.run(requests(put(web)), more))).toEqual([true]);
    expect(shell.last("confirm").script).not.toContain("flock -u");
    expect(told(await transactions.run(requests(put(api)), one))).toEqual([true]);
    expect(shell.last("confirm").script).toContain("flock -u");
    expect(shell.asked.map(({ what }) => what)).toEqual(["look", "apply", "confirm", "apply", "confirm"]);
  });

  test("a change of nothing keeps it as well, and the last one gives it back", async () => {
    const shell = new PaperShell(["look", next], ["unlock", ""]);
    const { transactions } = ways(shell);
    expect(told(await transactions.run(requests(put(web)), more))).toEqual([false]);
    expect(told(await transactions.run(requests(put(base)), one))).toEqual([false]);
    expect(shell.whats()).toEqual(["look", "unlock"]);
  });

  test("what the next one needs and nobody has looked at is looked at", async () => {
    const values = tuning("acme/prod/t", sysctl("net.a", 11));
    const shell = new PaperShell(
      ["look", HOST],
      ["apply", next],
      ["confirm", KEPT],
      ["look", next],
      ["apply", after(next, put(values))],
      ["confirm", KEPT],
    );
    const { transactions } = ways(shell);
    await transactions.run(requests(put(web)), more);
    expect(told(await transactions.run([{ change: put(values), care: NEVER }], one))).toEqual([true]);
    expect(shell.whats()).toEqual(["look", "apply", "confirm", "look", "apply", "confirm"]);
  });

  describe("a removal of what another tool made", () => {
    const mark = { kind: "ip-rule", family: 4, pref: 50, fwmark: 1, table: 100 } as const;
    const marking: Declaration = { name: "mark/acme/prod/m", label: "Marking", needs: [], wanted: [own(mark)] };
    const there = after(HOST, put(marking));
    /** What a look says that asks ip. */
    const withRules = (host: Snapshot): Reply =>
      said(
        printAnswer(host).replace("@@ledger", "@@tool-ip\n= -4 rule\n50:\tfrom all fwmark 0x1 lookup 100 proto 76\n$&"),
      );
    const request: Request = { change: remove(marking), care: NEVER };

    test("looks at it as soon as the host says that it remembers it", async () => {
      const shell = new PaperShell(["look", there], ["look", withRules(there)], ["apply", HOST], ["confirm", KEPT]);
      expect(told(await ways(shell).transactions.run([request], one))).toEqual([true]);
      expect(shell.last("apply").script).toContain("ip -4 rule del pref 50");
    });

    // Otherwise the record goes, and the rule stays for ever.
    test("looks at it although the lock was kept, too", async () => {
      const then = after(there, put(web));
      const shell = new PaperShell(
        ["look", there],
        ["apply", then],
        ["confirm", KEPT],
        ["look", withRules(then)],
        ["apply", after(then, remove(marking))],
        ["confirm", KEPT],
      );
      const { transactions } = ways(shell);
      await transactions.run(requests(put(web)), more);
      expect(told(await transactions.run([request], one))).toEqual([true]);
    });
  });

  test("it is kept for twenty seconds at most: others wait as well", async () => {
    let now = 1_000_000;
    const clock = jest.spyOn(Date, "now").mockImplementation(() => now);
    const shell = new PaperShell(
      ["look", HOST],
      ["apply", next],
      ["confirm", KEPT],
      ["apply", last],
      ["confirm", KEPT],
      ["look", last],
      ["unlock", ""],
    );
    const { transactions } = ways(shell);
    await transactions.run(requests(put(web)), more);
    now += 20_000;
    await transactions.run(requests(put(api)), more);
    expect(shell.last("confirm").script).toContain("flock -u");
    await transactions.run(requests(put(api)), one);
    expect(shell.whats().slice(5)).toEqual(["look", "unlock"]);
    clock.mockRestore();
  });

  test("it is not kept past a change that is confirmed over a new connection", async () => {
    const guarded = after(HOST, put(ssh));
    const other = new PaperShell(["confirm", KEPT], ["look", guarded], ["unlock", ""]);
    const { transactions } = ways(new PaperShell(["look", HOST], ["apply", guarded]), other);
    await transactions.run(requests(put(ssh)), more);
    await transactions.run(requests(put(ssh)), one);
    expect(other.whats()).toEqual(["confirm", "look", "unlock"]);
  });

  test("what was known is forgotten with the shell that held the lock", async () => {
    const { link, transactions } = ways(new PaperShell(["look", HOST], ["apply", next], ["confirm", KEPT]));
    await transactions.run(requests(put(web)), more);
    const other = new PaperShell(["look", withObjects(next)], ["unlock", ""]);
    link.adopt(other);
    await transactions.run(requests(put(web)), one);
    expect(other.whats()).toEqual(["look", "unlock"]);
  });

  test("what was known is forgotten with a change that came to nothing", async () => {
    const shell = new PaperShell(["look", HOST], ["apply", HOST], ["undo", UNDONE], ["look", HOST], ["unlock", ""]);
    const { transactions } = ways(shell);
    await transactions.run(requests(put(web)), more);
    await transactions.run(requests(put(base)), one);
    expect(shell.whats()).toEqual(["look", "apply", "undo", "look", "unlock"]);
  });
});
