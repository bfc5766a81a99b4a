/** Engines and providers that die, and two at once: the host is whole afterwards, and the next `up` converges. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { Lab } from "../support/lab";
import { Project } from "../support/project";

let lab: Lab;
let before: string;
const projects: Project[] = [];

const CRASH = { PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_CHECKPOINTS: "true" };
const COUNT = 50;

beforeAll(async () => {
  lab = await Lab.up("crash", "10.82", 1);
  before = await lab.fingerprint(1);
});

afterAll(async () => {
  for (const project of projects) project.remove();
  await lab.down();
});

/** Fifty rules, on ports of their own. */
async function project(stack: string, firstPort: number): Promise<Project> {
  const { address, hostKey, vip } = lab.host(1);
  const made = await Project.create({
    stack,
    env: { LBSHIELD_PRIVATE_KEY: lab.host(1).privateKey },
    program: `
const host = new lbshield.Host("lb1", { connection: { host: "${address}", hostKey: "${hostKey}" } });
for (let i = 0; i < ${COUNT.toString()}; i++)
  new lbshield.SynproxyRule(\`rule\${i}\`, { host, chain: "input", match: { destinations: ["${vip()}"], ports: [${firstPort.toString()} + i] } });`,
  });
  projects.push(made);
  return made;
}

/** How many records the host has, and what is under way there. */
async function onHost(): Promise<{ records: number; open: string; shells: number }> {
  const { stdout } = await lab.exec(
    1,
    "grep -c ^record /var/lib/lbshield/ledger 2>/dev/null; ls /run/lbshield/*/open /run/lbshield/*/rollback 2>/dev/null | wc -l; ls -d /run/lbshield/??????/ 2>/dev/null | wc -l",
  );
  const numbers = stdout.trim().split("\n").map(Number);
  const [records = 0, open = 0, shells = 0] = numbers.length === 3 ? numbers : [0, ...numbers];
  return { records, open: open.toString(), shells };
}

async function until(what: () => Promise<boolean> | boolean, seconds: number): Promise<void> {
  for (let i = 0; i < seconds * 10 && !(await what()); i++) await sleep(100);
  expect(await what()).toBe(true);
}

/** The provider's process of a CLI: node, below the script that the CLI starts. */
function providerOf(cli: number): number | undefined {
  const children = (pid: number): number[] => {
    try {
      return execFileSync("pgrep", ["-P", pid.toString()], { encoding: "utf8" }).trim().split("\n").map(Number);
    } catch {
      return [];
    }
  };
  const all = [cli];
  for (const pid of all) all.push(...children(pid));
  return all.find((pid) => {
    const words = readFileSync(`/proc/${pid.toString()}/cmdline`, "utf8").split("\0");
    return words[0]?.endsWith("node") === true && (words[1]?.includes("dynamic-provider") ?? false);
  });
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test.each(["the CLI", "the provider"])(
  "kill -9 of %s half-way through fifty resources",
  async (victim) => {
    const shop = await project(`crash-${victim.slice(4)}`, 1000);
    const cli = shop.start(CRASH, "up", "--yes", "--skip-preview");
    const ended = new Promise((resolve) => cli.once("exit", resolve));
    await until(async () => (await onHost()).records > 5, 90);
    const provider = providerOf(cli.pid ?? 0);
    if (provider === undefined) throw new Error("no provider was found");
    if (victim === "the CLI") cli.kill("SIGKILL");
    else process.kill(provider, "SIGKILL");
    await ended;
    // The provider outlives its engine, notices, and goes; the host lets go of what it held.
    await until(() => !alive(provider), 15);
    await until(async () => {
      const { open, shells } = await onHost();
      return open === "0" && shells === 0;
    }, 15);
    const { records } = await onHost();
    expect(records).toBeGreaterThan(0);

    if (victim === "the CLI") await shop.run("cancel", "--yes");
    expect(await shop.up()).toMatchObject({ code: 0 });
    expect((await onHost()).records).toBe(COUNT);
    expect(await shop.run("preview", "--expect-no-changes")).toMatchObject({ code: 0 });
    expect(await shop.run("destroy", "--yes")).toMatchObject({ code: 0 });
    expect(await lab.fingerprint(1)).toBe(before);
  },
  300_000,
);

test("two engines at once on one host, fifty resources each, while a third reads", async () => {
  const [blue, green] = [await project("blue", 2000), await project("green", 3000)];
  const [one, two] = await Promise.all([
    blue.runWith(CRASH, "up", "--yes", "--skip-preview"),
    green.runWith(CRASH, "up", "--yes", "--skip-preview"),
  ]);
  expect([one, two]).toMatchObject([{ code: 0 }, { code: 0 }]);
  expect((await onHost()).records).toBe(2 * COUNT);
  const [three, four] = await Promise.all([
    blue.run("refresh", "--preview-only", "--expect-no-changes"),
    green.runWith(CRASH, "destroy", "--yes"),
  ]);
  expect([three, four]).toMatchObject([{ code: 0 }, { code: 0 }]);
  expect((await onHost()).records).toBe(COUNT);
  expect(await blue.run("preview", "--refresh", "--expect-no-changes")).toMatchObject({ code: 0 });
  expect(await blue.run("destroy", "--yes")).toMatchObject({ code: 0 });
  expect(await lab.fingerprint(1)).toBe(before);
}, 300_000);

test("a lock that somebody holds: whose it is stands on the resource's own line", async () => {
  const shop = await project("lock", 4000);
  const hold =
    "mkdir -p /run/lbshield/others; echo 'acme/prod (3 resources), from ci-7' >/run/lbshield/others/holder; flock /run sleep 12; rm -r /run/lbshield/others";
  const held = lab.exec(1, hold);
  const { code, text } = await shop.up();
  expect({ code, text }).toMatchObject({ code: 0 });
  expect(text).toMatch(
    /lbshield:SynproxyRule \(rule\d+\):\n +waiting: 10\.82\.1\.2 is being changed by acme\/prod \(3 resources\), from ci-7\n/,
  );
  await held;
  expect(await shop.run("destroy", "--yes")).toMatchObject({ code: 0 });
  expect(await lab.fingerprint(1)).toBe(before);
}, 300_000);

test("a change that silences the network: the host undoes it, the error says so, the next run gets through", async () => {
  const shop = await project("silent", 5000);
  // nft as it is, and with the rules comes a drop of all that is SSH, for nine seconds.
  const drop = "table ip cut { chain input { type filter hook input priority -10; tcp dport 22 drop; }; }";
  await lab.exec(
    1,
    `cat >/usr/local/sbin/nft <<'END' && chmod +x /usr/local/sbin/nft && touch /tmp/cut
#!/bin/sh
case "$*" in *forward.nft*) if [ -e /tmp/cut ]; then
  rm /tmp/cut
  /usr/sbin/nft '${drop}'
  setsid sh -c 'sleep 9; /usr/sbin/nft delete table ip cut' >/dev/null 2>&1 8>&- 9>&- &
fi ;; esac
exec /usr/sbin/nft "$@"
END`,
  );
  await shop.must("config", "set", "lbshield:confirmTimeout", "5s");
  const { code, text } = await shop.up("--parallel", "64");
  expect(code).not.toBe(0);
  expect(text).toMatch(
    /apply SynproxyRule rule\d+ \(shop\/silent\) on 10\.82\.1\.2: the (change c|connection was lost)[^]*outcome: undone/,
  );
  await lab.exec(1, "rm -rf /usr/local/sbin/nft");
  expect(await shop.up()).toMatchObject({ code: 0 });
  expect(await shop.run("destroy", "--yes")).toMatchObject({ code: 0 });
  expect(await lab.fingerprint(1)).toBe(before);
}, 300_000);
