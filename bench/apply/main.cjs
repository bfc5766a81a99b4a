"use strict";
// Which cases there are, and what one measurement is.
const { execFileSync } = require("node:child_process");
const { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } = require("node:fs");
const os = require("node:os");
const { join, resolve } = require("node:path");
const { parseArgs } = require("node:util");
const lab = require("./lab.cjs");
const { ansibleVersion, peerSteps } = require("./peers.cjs");
const { pulumiSteps } = require("./project.cjs");
const { report } = require("./report.cjs");

const CASES = ["lb", "single", "fleet", "peers"];
const say = (text) => process.stderr.write(`${text}\n`);

const DEFAULTS = { cases: CASES.join(), sizes: "1,100,1000", repeat: "1", limit: "300", hosts: "8", "per-host": "100" };

function settings() {
  const texts = Object.entries(DEFAULTS).map(([name, value]) => [name, { type: "string", default: value }]);
  const { values } = parseArgs({
    options: { ...Object.fromEntries(texts), tracked: { type: "boolean", default: false } },
  });
  const numbers = (name) =>
    values[name].split(",").map((value) => {
      if (!/^[1-9]\d*$/.test(value)) throw new Error(`--${name}: ${value} is not a whole number above 0`);
      return Number(value);
    });
  const [repeat, limit, hosts, perHost] = ["repeat", "limit", "hosts", "per-host"].flatMap(numbers);
  const cases = values.cases.split(",");
  const unknown = cases.find((name) => !CASES.includes(name));
  if (unknown !== undefined) throw new Error(`--cases: there is no ${unknown}, but ${CASES.join(", ")}`);
  return { cases, sizes: numbers("sizes"), repeat, limit, hosts, perHost, tracked: values.tracked };
}

const WITHOUT = ", no checkpoints";

/** All that is measured, in an order in which what is compared is neighbours. `base` is the row that ratios refer to. */
function plan({ cases, sizes, hosts, perHost }, all) {
  const one = all.slice(0, 1);
  const twice = (shape, where, size, group) =>
    (shape === "lb" ? [true] : [true, false]).flatMap((checkpoints) => {
      const label = (shape === "lb" ? "LoadBalancer" : "SynproxyRules") + (checkpoints ? "" : WITHOUT);
      const floor = `engine's floor of ${label}`;
      const common = { group, shape, hosts: where, perHost: size, checkpoints, base: `${group} ${floor}` };
      return [
        { ...common, what: "lbshield", label },
        { ...common, what: "floor", label: floor },
      ];
    });
  const peers = (size) => {
    const common = { group: "peers", shape: "single", hosts: one, perHost: size, base: "lb LoadBalancer" };
    return [
      { ...common, what: "dial", checkpoints: true, label: "Pulumi, a dial for each rule" },
      { ...common, what: "dial", checkpoints: false, label: `Pulumi, a dial for each rule${WITHOUT}` },
      { ...common, what: "ansible-tasks", label: "Ansible, a task for each rule" },
      { ...common, what: "ansible-template", label: "Ansible, a template and one nft -f" },
      { ...common, what: "ssh", label: "ssh host nft -f -" },
    ];
  };
  const of = {
    lb: () => sizes.flatMap((size) => twice("lb", one, size, "lb")),
    single: () => sizes.flatMap((size) => twice("single", one, size, "single")),
    fleet: () => ["lb", "single"].flatMap((shape) => twice(shape, all.slice(0, hosts), perHost, "fleet")),
    peers: () => sizes.flatMap(peers),
  };
  return cases.flatMap((name) => of[name]());
}

/** One life; what could not be measured is a record as well. */
async function measure(variant, context, record) {
  const { what, hosts } = variant;
  const isAnsible = what.startsWith("ansible");
  if (isAnsible && context.ansible.missing)
    return record({ step: "create", note: `not installed: ${context.ansible.missing}` });
  const isPulumi = ["lbshield", "floor", "dial"].includes(what);
  const { steps, before, remove } = await (isPulumi ? pulumiSteps : peerSteps)(variant, { ...context, ...variant });
  let ended = "ok";
  for (const [step, act, wrong, more] of steps) {
    before[step]?.();
    lab.traced(context.trace);
    const was = lab.outside(hosts);
    const ran = await act();
    const now = lab.outside(hosts);
    const counted = { logins: now.logins - was.logins, wire: now.wire - was.wire };
    const told = isPulumi ? lab.traced(context.trace) : {};
    const found = { step, seconds: ran.seconds, code: ran.code, ...told, ...counted };
    if (ran.limited) {
      record({ ...found, note: `> ${context.limit} s` });
      ended = "limited";
      break;
    }
    const problem =
      ran.code === 0 ? await wrong(ran) : `ended with ${ran.code}\n${`${ran.stdout}${ran.stderr}`.slice(-4000)}`;
    if (problem) {
      record({ ...found, note: "FAILED", problem });
      ended = "failed";
      break;
    }
    const dialled = isPulumi && told.dials !== counted.logins ? { note: `sshd: ${counted.logins} logins` } : {};
    record({ ...found, ...more?.(), ...dialled });
  }
  remove();
  // The next one finds what the first one found.
  for (const host of hosts) {
    if (ended !== "ok") lab.renew(host, context.tracked);
    else if (what === "dial") lab.exec(host, "nft delete table inet peer");
  }
  return ended !== "failed";
}

async function main() {
  const chosen = settings();
  if (process.getuid() !== 0) throw new Error("run as root: it makes network namespaces");
  const scratch = mkdtempSync(join(os.tmpdir(), "lbb-"));
  const finish = () => {
    lab.down();
    rmSync(scratch, { recursive: true, force: true });
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.once(signal, () => {
      say(`${signal}: removing the lab`);
      finish();
      process.exit(1);
    });
  const results = resolve(__dirname, "../results");
  mkdirSync(results, { recursive: true });
  const file = join(results, `apply-${new Date().toISOString().replace(/[:.]/g, "-")}.jsonl`);
  const records = [];
  let good = true;
  try {
    const ansible = {};
    if (chosen.cases.includes("peers")) {
      try {
        ansible.version = ansibleVersion();
      } catch (error) {
        ansible.missing = String(error.message).split("\n")[0];
      }
    }
    const hosts = lab.up(chosen.cases.includes("fleet") ? chosen.hosts : 1);
    if (chosen.tracked) for (const host of hosts) lab.exec(host, lab.TRACK);
    const said = (command, ...args) => execFileSync(command, args, { encoding: "utf8" }).trim().split("\n")[0];
    const about = {
      date: new Date().toISOString().slice(0, 10),
      cores: os.availableParallelism(),
      memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
      kernel: os.release(),
      node: process.version,
      pulumi: said("pulumi", "version"),
      nft: said("nft", "--version"),
      package: JSON.parse(readFileSync(resolve(__dirname, "../../package.json"), "utf8")).version,
      ansible: ansible.version ?? null,
      loadBefore: os.loadavg(),
      ...chosen,
    };
    appendFileSync(file, `${JSON.stringify(about)}\n`);
    const context = { ...chosen, scratch, trace: join(scratch, "trace"), ansible };
    for (let repeat = 1; repeat <= chosen.repeat; repeat++)
      for (const variant of plan(chosen, hosts)) {
        const { group, label, what, shape, perHost, checkpoints, base } = variant;
        const row = { group, label, what, shape, hosts: variant.hosts.length, perHost, checkpoints, base, repeat };
        const record = (found) => {
          const all = { ...row, ...found, load: os.loadavg()[0] };
          records.push(all);
          appendFileSync(file, `${JSON.stringify(all)}\n`);
          const note = found.problem ?? found.note ?? "";
          say(
            `${group} ${row.hosts} x ${perHost} ${label}: ${found.step} ${found.seconds?.toFixed(1) ?? "-"} s ${note}`,
          );
          return true;
        };
        const measured = await measure(variant, context, record).catch((error) => {
          record({ step: "create", note: "FAILED", problem: error.message });
          for (const host of variant.hosts) lab.renew(host, chosen.tracked);
          return false;
        });
        good &&= measured;
      }
    process.stdout.write(report(records, { ...about, loadAfter: os.loadavg() }));
    say(`Every measurement: ${file}`);
  } finally {
    finish();
  }
  process.exitCode = good ? 0 : 1;
}

main().catch((error) => {
  say(`bench: ${error.message}`);
  process.exitCode = 1;
});
