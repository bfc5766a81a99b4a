/** Law 5: a change that is cut off between its steps is undone by the host itself. */
import { setTimeout as sleep } from "node:timers/promises";

import { type Declaration } from "../../provider/engine/desired";
import { Draft, planOf } from "../../provider/engine/plan";
import { applyScript, lookScript } from "../../provider/engine/script";
import { Reader, interestOf } from "../../provider/engine/snapshot";
import { type Shell } from "../../provider/host/shell";
import { openSsh } from "../../provider/host/ssh";
import { LAYOUT } from "../../provider/resources/layout";
import { SYNPROXY_RULE } from "../../provider/resources/synproxy-rule";
import { changeOne } from "../support/change";
import { Lab } from "../support/lab";

let lab: Lab;
let before: string;
let rule: Declaration;

beforeAll(async () => {
  lab = await Lab.up("lost", "10.89", 1);
  await lab.exec(1, "mkdir -p /run/mount"); // mount(8) makes it, below
  before = await lab.fingerprint(1);
  rule = declare("shop/test");
});

afterAll(async () => {
  await lab.down();
});

/** The same rule in one stack or another. */
function declare(stack: string): Declaration {
  const name = `synproxy/${stack}/web`;
  const match = { destinations: [lab.host(1).vip()], ports: [80, "90-99"] };
  const compiled = SYNPROXY_RULE.compile(`${name}/`, SYNPROXY_RULE.model.parse({ chain: "input", match }));
  return { name, label: `SynproxyRule web (${stack})`, ...compiled };
}

const open = (): Promise<Shell> => {
  const { address, user, hostKey, privateKey } = lab.host(1);
  const credentials = [{ from: "the test", privateKey }];
  return openSsh([{ host: address, port: 22, user, hostKey, credentials, dialErrorLimit: 1, perDialTimeout: 5 }]);
};

/** Takes the lock and applies the rule, but does not confirm it. */
async function applyOnly(shell: Shell, confirmWithin = 30): Promise<void> {
  const interest = interestOf(rule.wanted);
  const look = await shell.run(lookScript("a test", 0, interest));
  expect(look).toMatchObject({ code: 0 });
  const draft = new Draft(new Reader().parse(look.stdout), LAYOUT);
  draft.enter({ put: rule });
  const script = applyScript({ transaction: "t1", label: "a test", plan: planOf(draft), interest, confirmWithin });
  expect(await shell.run(script)).toMatchObject({ code: 0 });
  expect(await lab.fingerprint(1)).not.toBe(before);
}

/** Waits until the host is as it was, for at most ten seconds, and takes the note that says why. */
async function expectUndone(why?: RegExp): Promise<void> {
  const look = () => lab.exec(1, "cat /run/lbshield/outcomes/* 2>/dev/null; [ ! -e /run/lbshield/*/open ]");
  for (let i = 0; i < 100 && ((await look()).stdout === "") === (why !== undefined); i++) await sleep(100);
  if (why) expect((await look()).stdout).toMatch(why);
  await lab.exec(1, "rm -rf /run/lbshield/outcomes; rmdir /run/lbshield");
  expect(await lab.fingerprint(1)).toBe(before);
}

/** Confirmed over the open connection. */
const SAME_WAY = { care: { guard: "never", confirmWithin: 30 } } as const;

const ENDED = /^undone\ta test\tthe connection ended before the change was confirmed$/m;

test("the connection is closed", async () => {
  const shell = await open();
  await applyOnly(shell);
  shell.close();
  await expectUndone(ENDED);
});

test("the host's sshd ends the session", async () => {
  const shell = await open();
  await applyOnly(shell);
  await lab.exec(1, "pkill -f '[s]shd: root@notty'");
  await expectUndone(ENDED);
  expect(shell.alive).toBe(false);
  await expect(shell.run("true")).rejects.toThrow(/the connection was lost[^]*is undone by the host itself/);
});

test("the root shell is told to end", async () => {
  const shell = await open();
  await applyOnly(shell);
  await lab.exec(1, "pkill -TERM -f '[l]bshield-ready'");
  await expectUndone(ENDED);
  shell.close();
});

test("the network falls silent: the change is given up within the keepalive's time, and nobody waits for ever", async () => {
  const shell = await open();
  await applyOnly(shell);
  await lab.exec(1, "nft 'table ip cut { chain input { type filter hook input priority -10; tcp dport 22 drop; }; }'");
  await expect(shell.run("true")).rejects.toThrow(/the connection was lost/);
  await lab.exec(1, "nft delete table ip cut; pkill -f '[s]shd: root@notty'");
  await expectUndone(ENDED);
}, 60_000);

test("the disk is full: nothing is begun, or all of it is undone", async () => {
  await lab.exec(
    1,
    "mkdir -p /var/lib/lbshield && mount -t tmpfs -o size=4k full /var/lib/lbshield && head -c 4096 /dev/zero >/var/lib/lbshield/fill",
  );
  const shell = await open();
  await expect(changeOne(shell, { put: rule })).rejects.toThrow(/No space left on device/);
  shell.close();
  expect((await lab.exec(1, "find /var/lib/lbshield -type f")).stdout).toBe("/var/lib/lbshield/fill\n");
  await lab.exec(1, "umount /var/lib/lbshield && rmdir /var/lib/lbshield");
  await expectUndone();
});

test.each([0, 4, 12, 24, 40, 80])("/run has %i KB left: nothing is begun, or all of it is undone", async (free) => {
  const fill = `mount -t tmpfs -o size=256k full /run/lbshield && head -c $(((256 - ${free.toString()}) * 1024)) /dev/zero >/run/lbshield/fill`;
  expect(await lab.exec(1, `mkdir -p /run/lbshield && ${fill}`)).toMatchObject({ code: 0 });
  const result = await open()
    .then(async (shell) => {
      await changeOne(shell, { put: rule }, SAME_WAY).finally(() => {
        shell.close();
      });
    })
    .then(
      () => "done",
      (error: unknown) => String(error),
    );
  expect(result).toMatch(/done|No space left on device|I\/O error|is \/run or \/var full|ended with 74/);
  await sleep(1500); // the guard's last look
  await lab.exec(1, "umount /run/lbshield && rmdir /run/lbshield");
  if (result === "done") {
    const shell = await open();
    await changeOne(shell, { remove: rule }, SAME_WAY);
    shell.close();
  }
  await expectUndone();
});

test("another change waits for the lock, and what it finds is whole", async () => {
  const [first, second] = [await open(), await open()];
  await applyOnly(first);
  const other = changeOne(second, { put: declare("shop/prod") }, SAME_WAY);
  await sleep(500);
  first.close();
  // The first was undone before its lock was free: the same key belongs to nobody.
  expect((await other).changed).toBe(true);
  await changeOne(second, { remove: declare("shop/prod") }, SAME_WAY);
  second.close();
  await expectUndone();
});
