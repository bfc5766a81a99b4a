/** What waits for a host is done together, over one connection: without a host. */
import { type Declaration } from "../../../provider/engine/desired";
import { HostSession } from "../../../provider/engine/session";
import { type Wanted, shared } from "../../../provider/kernel/object";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { type Reply, type Shell } from "../../../provider/host/shell";
import { FRESH, LAYOUT, after, rule, tuning } from "./paper-host";
import { PaperShell, type Scene } from "./paper-shell";

const base = rule("acme/prod/base", ["203.0.113.1 . 80"]);
const web = rule("acme/prod/web", ["203.0.113.2 . 80"]);
const api = rule("acme/prod/api", ["203.0.113.3 . 80"]);
const HOST = after(FRESH, { put: base });
const KEPT = "@@kept\n";

const wanted = (...keys: string[]): Wanted[] => keys.map((key) => shared(sysctl(key, 1)));

/** A session that dials these, one after the other. */
function sessionOver(...shells: readonly (Shell | Error)[]) {
  const left = [...shells];
  const dial = jest.fn(() => {
    const next = left.shift() ?? new Error("nobody there");
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  });
  return { session: new HostSession(dial, LAYOUT), dial };
}

function over(...scenes: readonly Scene[]) {
  const shell = new PaperShell(...scenes);
  return { shell, ...sessionOver(shell) };
}

const put = (session: HostSession, ...declarations: readonly Declaration[]) =>
  Promise.all(declarations.map((declaration) => session.change({ put: declaration })));

/** A shell that answers when it is told to. */
class SlowShell extends PaperShell {
  private readonly held: (() => void)[] = [];

  override async run(script: string, what?: string, seconds?: number): Promise<Reply> {
    const reply = super.run(script, what, seconds);
    await new Promise<void>((resolve) => this.held.push(resolve));
    return reply;
  }

  /** Answers what it is asked, this often. */
  async answer(times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      while (this.held.length === 0) await new Promise((resolve) => setImmediate(resolve));
      this.held.shift()?.();
    }
  }
}

describe("reads", () => {
  test("of one moment share one look, at all that they want", async () => {
    const { shell, session, dial } = over(["read", HOST]);
    const [one, other] = await Promise.all([session.read(wanted("net.a")), session.read(wanted("net.b"))]);
    expect(one).toBe(other);
    expect(one).toEqual(HOST);
    expect(shell.last("read").script).toMatch(/^net\.a\t.*\nnet\.b\t/m);
    expect(dial).toHaveBeenCalledTimes(1);
  });

  test.each<[string, number, string[], number]>([
    ["within five seconds share a look", 5_000, ["net.a"], 1],
    ["after that look again", 5_001, ["net.a"], 2],
    ["of what was not looked at look again", 0, ["net.b"], 2],
    ["of nothing but the table share a look", 5_000, [], 1],
  ])("%s", async (_name, later, keys, looks) => {
    let now = 1_000_000;
    const clock = jest.spyOn(Date, "now").mockImplementation(() => now);
    const { shell, session } = over(["read", HOST], ["read", HOST]);
    await session.read(wanted("net.a"));
    now += later;
    await session.read(wanted(...keys));
    expect(shell.asked).toHaveLength(looks);
    clock.mockRestore();
  });

  test("of values that the ledger names share a look: it shows them", async () => {
    const { shell, session } = over(["read", after(HOST, { put: tuning("acme/prod/t", sysctl("net.a", 11)) })]);
    await session.read([]);
    const seen = await session.read(wanted("net.a"));
    expect(seen.sysctl.get("net.a")).toBe("11");
    expect(shell.asked).toHaveLength(1);
  });

  test("that look again look at what was wanted before, too", async () => {
    const { shell, session } = over(["read", HOST], ["read", HOST]);
    await session.read(wanted("net.a"));
    await session.read(wanted("net.b"));
    await session.read(wanted("net.a"));
    expect(shell.asked).toHaveLength(2);
  });

  test("look again after a change", async () => {
    const next = after(HOST, { put: web });
    const { shell, session } = over(["read", HOST], ["look", HOST], ["apply", next], ["confirm", KEPT], ["read", next]);
    expect(await session.read([])).toEqual(HOST);
    await put(session, web);
    expect((await session.read([])).nft).toEqual(next.nft);
    expect(shell.whats()).toEqual(["read", "look", "apply", "confirm", "read"]);
  });

  test("look again after a change that came to nothing", async () => {
    const { shell, session } = over(
      ["read", HOST],
      ["look", HOST],
      ["apply", HOST],
      ["undo", "@@undone\n"],
      ["read", HOST],
    );
    await session.read([]);
    await expect(put(session, web)).rejects.toThrow("the host does not show what was written");
    await session.read([]);
    expect(shell.last("read")).toBe(shell.asked[4]);
  });

  test("that fail fail for all who wait, and the next ones look again", async () => {
    const { session } = over(["read", { code: 127, stdout: "", stderr: "nft: not found" }], ["read", HOST]);
    const results = await Promise.allSettled([session.read([]), session.read([])]);
    expect(results.map((r) => r.status)).toEqual(["rejected", "rejected"]);
    expect(await session.read([])).toEqual(HOST);
  });
});

describe("changes", () => {
  test("of one moment are one transaction", async () => {
    const { shell, session } = over(
      ["look", HOST],
      ["apply", after(HOST, { put: web }, { put: api })],
      ["confirm", KEPT],
    );
    expect((await put(session, web, api)).map((o) => o.changed)).toEqual([true, true]);
    expect(shell.whats()).toEqual(["look", "apply", "confirm"]);
  });

  test("answer each for itself", async () => {
    const { session } = over(["look", HOST], ["apply", after(HOST, { put: web })], ["confirm", KEPT]);
    const rival = rule("acme/test/x", ["203.0.113.1 . 80"]);
    const results = await Promise.allSettled([rival, web].map((declaration) => session.change({ put: declaration })));
    expect(results.map((r) => r.status)).toEqual(["rejected", "fulfilled"]);
  });

  test("that come while one is under way are the next one, under the same lock", async () => {
    const next = after(HOST, { put: web });
    const shell = new SlowShell(
      ["look", HOST],
      ["apply", next],
      ["confirm", KEPT],
      ["apply", after(next, { put: api })],
      ["confirm", KEPT],
    );
    const { session } = sessionOver(shell);
    const first = put(session, web);
    await shell.answer(1);
    const second = put(session, api);
    await shell.answer(4);
    await Promise.all([first, second]);
    expect(shell.whats()).toEqual(["look", "apply", "confirm", "apply", "confirm"]);
  });

  test("are made after the reads of the same moment", async () => {
    const { shell, session } = over(
      ["read", HOST],
      ["look", HOST],
      ["apply", after(HOST, { put: web })],
      ["confirm", KEPT],
    );
    const [, seen] = await Promise.all([put(session, web), session.read([])]);
    expect(seen).toEqual(HOST);
    expect(shell.whats()).toEqual(["read", "look", "apply", "confirm"]);
  });
});

describe("a connection", () => {
  test("that cannot be opened fails all that waits; the next dials again", async () => {
    const { session, dial } = sessionOver(new Error("no route to host"), new PaperShell(["read", HOST]));
    const results = await Promise.allSettled([session.read([]), put(session, web)]);
    expect(results).toEqual([1, 2].map(() => ({ status: "rejected", reason: new Error("no route to host") })));
    expect(await session.read([])).toEqual(HOST);
    expect(dial).toHaveBeenCalledTimes(2);
  });

  test("that has ended is replaced by a new one", async () => {
    const [one, other] = [new PaperShell(["read", HOST]), new PaperShell(["read", HOST])];
    const { session } = sessionOver(one, other);
    await session.read(wanted("net.a"));
    one.alive = false;
    await session.read(wanted("net.b"));
    expect([one.asked.length, other.asked.length]).toEqual([1, 1]);
  });

  const guarded = after(HOST, { put: rule("acme/prod/ssh", ["192.0.2.1 . 22"]) });
  const ssh = rule("acme/prod/ssh", ["192.0.2.1 . 22"]);

  test("by which a change was confirmed takes the place of the one before, which is closed", async () => {
    const one = new PaperShell(["look", HOST], ["apply", guarded]);
    const other = new PaperShell(["confirm", KEPT], ["read", guarded]);
    const { session } = sessionOver(one, other);
    await put(session, ssh);
    await session.read([]);
    expect([one.closed, other.closed]).toEqual([true, false]);
    expect(other.whats()).toEqual(["confirm", "read"]);
  });

  test("that comes about too late to confirm by is closed", async () => {
    const late = new PaperShell();
    const one = new PaperShell(["look", HOST], ["apply", guarded], ["undo", "@@undone\n"]);
    let come: (shell: Shell) => void = () => undefined;
    const dials = [Promise.resolve<Shell>(one), new Promise<Shell>((resolve) => (come = resolve))];
    const session = new HostSession(() => dials.shift()!, LAYOUT);
    const change = session.change({ put: ssh }, { care: { guard: "auto", confirmWithin: 0.1 } });
    await expect(change).rejects.toThrow(/the change cut off the way to the host: no new connection within [0-9.]+ s/);
    come(late);
    await new Promise((resolve) => setImmediate(resolve));
    expect(late.closed).toBe(true);
  });
});

describe("closing", () => {
  test("finishes what is under way, refuses what waits and what comes, and closes the connection", async () => {
    const shell = new SlowShell(["look", HOST], ["apply", after(HOST, { put: web })], ["confirm", KEPT]);
    const { session, dial } = sessionOver(shell);
    const first = put(session, web);
    await shell.answer(1);
    const waiting = Promise.allSettled([put(session, api), session.read([])]);
    const closed = session.close();
    await shell.answer(2);
    await closed;
    expect((await first)[0]?.changed).toBe(true);
    // Nobody needs the lock any more.
    expect(shell.last("confirm").script).toContain("flock -u");
    const refused = { status: "rejected", reason: expect.objectContaining({ name: "HostError" }) as Error };
    expect(await waiting).toEqual([refused, refused]);
    await expect(session.read([])).rejects.toThrow("the run was ended");
    expect([shell.closed, dial.mock.calls.length]).toEqual([true, 1]);
  });

  test("a session that nobody has used reaches nobody", async () => {
    const { session, dial } = sessionOver();
    await session.close();
    expect(dial).not.toHaveBeenCalled();
  });
});
