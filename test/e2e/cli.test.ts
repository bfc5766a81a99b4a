/** `lbshield orphans`: what a run that died left on a host, found and removed. The real engine, real SSH, a real host. */
import { once } from "node:events";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Lab } from "../support/lab";
import { Project, type Ran, connectionTo } from "../support/project";

const RULES = 50;
const MAIN = resolve(__dirname, "../../dist/cli/main.js");

let lab: Lab;
let project: Project;
let other: Project;
/** The host with nothing of the project, and with the other stack's rule. */
let before: string;

const rules = (count: number, first = 0) => `
const host = ${connectionTo(lab.host(1))};
for (let i = ${first}; i < ${first + count}; i++)
  new lbshield.SynproxyRule(\`rule-\${i}\`, {
    host, chain: "input", match: { destinations: ["${lab.host(1).vip()}"], ports: [1000 + i] },
  });`;

beforeAll(async () => {
  lab = await Lab.up("cli", "10.75", 1);
  const env = { LBSHIELD_PRIVATE_KEY: lab.host(1).privateKey };
  project = await Project.create({ program: rules(RULES), env });
  other = await Project.create({ program: rules(1, 500), env, name: "billing", stack: "prod" });
  expect(await other.up()).toMatchObject({ code: 0 });
  before = await fingerprint();
});

afterAll(async () => {
  project.remove();
  other.remove();
  await lab.down();
});

/** The ledger by its records: its first line is the name of the last transaction. */
const fingerprint = async (): Promise<string> => {
  const records = await lab.exec(1, "grep -v -e ^lbshield-ledger -e ^$ /var/lib/lbshield/ledger");
  return `${(await lab.fingerprint(1)).replace(/('var\/lib\/lbshield\/ledger') [0-9a-f]{64}$/m, "$1")}${records.stdout}`;
};

const lbshield = (where: Project, command: string, ...args: string[]): Promise<Ran> => {
  const { user, address, hostKey } = lab.host(1);
  return where.command({}, process.execPath, MAIN, command, `${user}@${address}`, "--host-key", hostKey, ...args);
};

/** How many of the project's resources the host knows. */
const recorded = async (): Promise<number> =>
  Number((await lab.exec(1, "grep -c '^record\tsynproxy/shop/test/' /var/lib/lbshield/ledger")).stdout);

/** `up`, killed with -9 half-way, with nothing of it in the state. */
async function crash(): Promise<number> {
  const env = { PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_CHECKPOINTS: "true" };
  const up = project.start(env, "up", "--yes", "--skip-preview", "--parallel", "4");
  const ended = once(up, "exit");
  const end = Date.now() + 90_000;
  while ((await recorded()) < RULES / 3 && Date.now() < end) await sleep(50);
  up.kill("SIGKILL");
  expect(await ended).toEqual([null, "SIGKILL"]);
  // The provider outlives the engine by what is under way.
  let [last, now] = [-1, await recorded()];
  while (last !== now) {
    await sleep(2_000);
    [last, now] = [now, await recorded()];
  }
  expect(now).toBeGreaterThanOrEqual(RULES / 3);
  expect(now).toBeLessThan(RULES);
  expect(await project.run("cancel", "--yes")).toMatchObject({ code: 0 });
  expect([...(await project.state()).keys()].filter((name) => name.startsWith("rule-"))).toEqual([]);
  return now;
}

// The steps of one life, in their order.
test("before anything, there is nothing to find", async () => {
  const { code, text } = await lbshield(project, "orphans");
  expect(text).toBe("10.75.1.2: nothing that the state of shop/test does not know; 0 resources known to both\n");
  expect(code).toBe(0);
});

test("a run that was killed is run again, and leaves no orphans", async () => {
  const left = await crash();
  const found = await lbshield(project, "orphans", "--json");
  expect(found.code).toBe(7);
  expect((JSON.parse(found.text) as { orphans: unknown[] }).orphans).toHaveLength(left);

  expect(await project.up()).toMatchObject({ code: 0 });
  const { code, text } = await lbshield(project, "orphans");
  expect(text).toBe("10.75.1.2: nothing that the state of shop/test does not know; 50 resources known to both\n");
  expect(code).toBe(0);
  expect(await project.run("destroy", "--yes")).toMatchObject({ code: 0 });
  expect(await fingerprint()).toBe(before);
}, 240_000);

test("a run that was killed, and a program that has changed since: orphans are listed and removed", async () => {
  const left = await crash();
  project.program("");
  expect(await project.up()).toMatchObject({ code: 0 });

  const found = await lbshield(project, "orphans");
  expect(found.code).toBe(7);
  expect(found.text).toContain(`10.75.1.2: ${left} resources that the state of shop/test does not know\n`);
  expect(found.text.match(/^SynproxyRule rule-[0-9]+ +4 elements, 2 chains +3 +10\.75\.1\.2$/gm)).toHaveLength(left);
  expect(found.text).not.toContain("rule-500");

  const asked = await lbshield(project, "orphans", "--purge");
  expect(asked).toMatchObject({ code: 2 });
  expect(asked.text).toContain("there is no terminal: add --yes");
  expect(await recorded()).toBe(left);

  const purged = await lbshield(project, "orphans", "--purge", "--yes");
  expect(purged.text).toContain(`removed ${left} resources from 10.75.1.2`);
  expect(purged.code).toBe(0);
  expect(await fingerprint()).toBe(before);
  expect(await lbshield(project, "orphans")).toMatchObject({ code: 0 });
}, 240_000);

test("the other stack's rule is there, is listed, and was nobody's orphan", async () => {
  expect(await lbshield(other, "orphans")).toMatchObject({ code: 0 });
  const { code, text } = await lbshield(project, "ledger");
  expect(text).toMatch(/^billing\/prod +SynproxyRule rule-500 +4 elements, 2 chains/m);
  expect(code).toBe(0);
  expect(await other.run("refresh", "--preview-only", "--expect-no-changes")).toMatchObject({ code: 0 });
});

test("a state that was lost: all of its stack's are orphans; what the ledger lost is told as well", async () => {
  const state = await other.must("stack", "export");
  other.write("state.json", state);
  other.write("empty.json", "[]");
  expect(await lbshield(other, "orphans", "--state", "state.json")).toMatchObject({ code: 0 });
  const orphans = await lbshield(other, "orphans", "--state", "empty.json", "--stack", "billing/prod");
  expect(orphans.code).toBe(7);
  expect(orphans.text).toContain("SynproxyRule rule-500");
  expect(orphans.text).toContain("without them net.netfilter.nf_conntrack_tcp_loose goes back to 1");

  const purged = await lbshield(
    other,
    "orphans",
    ...["--state", "empty.json", "--stack", "billing/prod", "--purge", "--yes"],
  );
  expect(purged.code).toBe(0);
  expect((await lab.exec(1, "nft list tables; ls /var/lib/lbshield 2>&1")).stdout).not.toMatch(/lbshield$|^ledger/m);
  const lost = await lbshield(other, "orphans", "--json");
  expect(lost.code).toBe(7);
  expect(JSON.parse(lost.text)).toMatchObject({ orphans: [], lost: [{ name: "synproxy/billing/prod/rule-500" }] });
});
