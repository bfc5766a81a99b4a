/**
 * Law 5, case by case: every command that a change runs on the host is made to fail, and is the moment at which the
 * shell or its connection is killed. Afterwards the host is as it was or as declared, never between, and the next
 * change comes through.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { type Declaration } from "../../provider/engine/desired";
import { type Change } from "../../provider/engine/plan";
import { HostSession } from "../../provider/engine/session";
import { type Outcome } from "../../provider/engine/transaction";
import { type Shell } from "../../provider/host/shell";
import { openSsh } from "../../provider/host/ssh";
import { sysctl } from "../../provider/kernel/sysctl/sysctl";
import { shared } from "../../provider/kernel/object";
import { LAYOUT } from "../../provider/resources/layout";
import { SYNPROXY_RULE } from "../../provider/resources/synproxy-rule";
import { Lab } from "../support/lab";

let lab: Lab;
let clean: HostSession;

/** What a change runs. What the guard runs is told apart by its descriptors. */
const TOOLS = ["nft", "cat", "mv", "rm", "rmdir", "mkdir", "sync", "awk", "flock", "cut", "touch", "sed", "modprobe"];

const WRAPPER = `#!/bin/sh
real=/opt/fault/real/\${0##*/}
case "$*" in */out*/err) exec "$real" "$@" ;; esac
[ -e /tmp/fault/at ] && [ -e /proc/self/fd/8 ] || exec "$real" "$@"
read -r n </tmp/fault/n
n=$((n + 1))
echo $n >/tmp/fault/n
echo "\${0##*/} $*" >>/tmp/fault/log
read -r at how shell sshd </tmp/fault/at
if [ "$n" = "$at" ]; then
  case $how in
  fail) echo "\${0##*/}: made to fail" >&2; exit 1 ;;
  shell) kill -9 "$shell" ;;
  sshd) kill -9 "$sshd" ;;
  hang) /bin/sleep 300 ;;
  cut) /opt/fault/real/nft 'table ip cut { chain input { type filter hook input priority -10; tcp dport 22 drop; }; }' ;;
  esac
fi
exec "$real" "$@"
`;

beforeAll(async () => {
  lab = await Lab.up("fault", "10.84", 1);
  const install = TOOLS.map((t) => `ln -s "$(command -v ${t})" real/${t}; cp wrapper ${t}`).join("; ");
  const made = await lab.exec(
    1,
    `mkdir -p /tmp/fault /opt/fault/real && cd /opt/fault && cat >wrapper <<'END' && chmod +x wrapper && { ${install}; }
${WRAPPER}END
for t in ${TOOLS.join(" ")}; do ln -sf /opt/fault/$t /usr/local/sbin/$t; done`,
  );
  expect(made).toMatchObject({ code: 0 });
  // One tracked connection: conntrack is awake, and no case waits for it to warm up.
  clean = new HostSession(open, LAYOUT);
  await lab.exec(1, "conntrack -I -p udp -s 192.0.2.1 -d 192.0.2.2 --sport 1 --dport 2 --timeout 9999");
});

afterAll(async () => {
  process.stdout.write(`  ${count.toString()} cases of fault injection\n`);
  await clean.close();
  await lab.down();
});

const open = (): Promise<Shell> => {
  const { address, user, hostKey, privateKey } = lab.host(1);
  const credentials = [{ from: "the test", privateKey }];
  return openSsh([{ host: address, port: 22, user, hostKey, credentials, dialErrorLimit: 3, perDialTimeout: 2 }]);
};

function declare(options: object, ports: readonly (number | string)[], max: number): Declaration {
  const name = "synproxy/shop/test/web";
  const args = { chain: "input", match: { destinations: [lab.host(1).vip()], ports }, options };
  const compiled = SYNPROXY_RULE.compile(`${name}/`, SYNPROXY_RULE.model.parse(args));
  const value = shared(sysctl("net.ipv4.tcp_max_syn_backlog", max));
  return { name, label: "SynproxyRule web", needs: compiled.needs, wanted: [...compiled.wanted, value] };
}

/** The kernel's part of a fingerprint, and the files that are not ours. */
const withoutOurs = (text: string): string =>
  text
    .split("\n")
    .filter((line) => !/'(run|var\/lib)\/lbshield/.test(line))
    .join("\n");

interface Case {
  readonly at: number;
  readonly how: "fail" | "shell" | "sshd" | "hang" | "cut";
}

/** Makes a change with a fault in it; tells what came of it, and how many commands it ran. */
async function inject(change: Change, fault: Case, within = 30): Promise<{ error?: unknown; calls: string[] }> {
  let shell: Shell | undefined;
  const session = new HostSession(async () => {
    const opened = await open();
    shell ??= opened;
    return opened;
  }, LAYOUT);
  await session.read([]); // connects
  const pids = await lab.exec(
    1,
    `read -r shell <"$(ls -t /run/lbshield/*/pid | head -n 1)"; echo "$shell $(ps -o ppid= -p "$(ps -o ppid= -p $shell)")"`,
  );
  await lab.exec(
    1,
    `rm -f /tmp/fault/*; echo 0 >/tmp/fault/n; echo ${fault.at} ${fault.how} ${pids.stdout.trim()} >/tmp/fault/at`,
  );
  const care = { guard: "never", confirmWithin: within } as const;
  const result = await session.change(change, { care }).then(
    () => ({}),
    (error: unknown) => ({ error }),
  );
  const { stdout } = await lab.exec(
    1,
    "cat /tmp/fault/log; rm -f /tmp/fault/at; nft delete table ip cut 2>/dev/null; :",
  );
  await session.close();
  return { ...result, calls: stdout.trim().split("\n") };
}

/** One clean change, over a connection that no fault touches. */
const make = (change: Change): Promise<Outcome> =>
  clean.change(change, { care: { guard: "never", confirmWithin: 30 } });

/** Nothing is under way any more. */
async function settled(): Promise<void> {
  const open = "ls /run/lbshield/*/open /run/lbshield/*/rollback /run/lbshield/*/confirmed 2>/dev/null";
  for (let i = 0; i < 150 && (await lab.exec(1, open)).stdout !== ""; i++) await sleep(100);
  expect(await lab.exec(1, open)).toMatchObject({ stdout: "" });
}

const first = (): Declaration => declare({ mss: 1400 }, [80, 443], 1234);
const second = (): Declaration => declare({ mss: 1300, timestamp: true, wscale: 7 }, [443, "8000-8080"], 2345);

interface Scenario {
  readonly name: string;
  readonly before: () => Declaration | undefined;
  readonly change: () => Change;
}

const SCENARIOS = {
  create: { name: "create", before: () => undefined, change: () => ({ put: first() }) },
  update: { name: "update", before: first, change: () => ({ put: second() }) },
  remove: { name: "remove", before: first, change: () => ({ remove: first() }) },
} satisfies Record<string, Scenario>;

let count = 0;

async function check(scenario: Scenario, fault: Case, within?: number): Promise<string[]> {
  count++;
  const change = scenario.change();
  await make({ remove: first() });
  const old = scenario.before();
  if (old) await make({ put: old });
  const before = withoutOurs(await lab.fingerprint(1));
  const { error, calls } = await inject(change, fault, within);
  await settled();
  const after = withoutOurs(await lab.fingerprint(1));
  const what = `${scenario.name}, ${fault.how} at ${fault.at.toString()} (${calls[fault.at - 1] ?? "never"}): ${String(error)}`;
  if (error !== undefined) {
    expect({ what, after }).toEqual({ what, after: before });
    expect(what).toMatch(/(apply|remove) SynproxyRule web on 10\.84\.1\.2: [^]*outcome: /);
  }
  // As declared, or as it was; and the next one comes through.
  expect({ what, changed: (await make(change)).changed }).toEqual({ what, changed: error !== undefined });
  // Of those who died nothing is left: one folder is that of the clean session.
  const folders = () => lab.exec(1, "ls -d /run/lbshield/??????/ | wc -l");
  for (let i = 0; i < 50 && (await folders()).stdout !== "1\n"; i++) await sleep(100);
  expect(await folders()).toMatchObject({ stdout: "1\n" });
  return calls;
}

/** All of them take a quarter of an hour: a usual run takes every fifth, from another one each time. */
const EVERY = process.env.LBSHIELD_FAULTS === "all" ? 1 : 5;

/** The commands of a change, which a run without a fault finds, each in its turn. */
async function each(scenario: Scenario, how: Case["how"]): Promise<void> {
  const began = count;
  const calls = await check(scenario, { at: 0, how });
  const first = 1 + Math.floor(Math.random() * EVERY);
  for (let at = first; at <= calls.length; at += EVERY) await check(scenario, { at, how });
  const which = `${calls.length.toString()} commands, from ${first.toString()} on`;
  process.stdout.write(`  ${scenario.name}, ${how}: ${(count - began).toString()} cases of ${which}\n`);
  expect(count - began).toBeGreaterThanOrEqual(Math.floor(calls.length / EVERY));
}

/** Faults that only time mends: the first command of a kind, in the part that changes the host. */
async function once(scenario: Scenario, how: Case["how"], command: RegExp): Promise<void> {
  const calls = await check(scenario, { at: 0, how });
  const at = calls.findIndex((call) => command.test(call)) + 1;
  expect(at).toBeGreaterThan(0);
  await check(scenario, { at, how }, 3);
}

const LONG = 900_000;

test("an update whose commands fail, each in its turn", () => each(SCENARIOS.update, "fail"), LONG);
test("an update whose shell is killed at each command", () => each(SCENARIOS.update, "shell"), LONG);
test("an update whose connection is killed at each command", () => each(SCENARIOS.update, "sshd"), LONG);
test("a first rule whose shell is killed at each command", () => each(SCENARIOS.create, "shell"), LONG);
test("a removal whose commands fail, each in its turn", () => each(SCENARIOS.remove, "fail"), LONG);
test("an nft that hangs is ended by the host", () => once(SCENARIOS.update, "hang", /^nft -f/), LONG);
test("a network that falls silent before the rules", () => once(SCENARIOS.update, "cut", /^nft -f/), LONG);
test("a network that falls silent before the confirmation", () => once(SCENARIOS.update, "cut", /confirmed/), LONG);
