"use strict";
// Commands with a limit, the lab, and what can be counted from outside.
const { execFileSync, spawn } = require("node:child_process");
const { existsSync, readFileSync, readdirSync, writeFileSync } = require("node:fs");
const { join, resolve } = require("node:path");
const { clearTimeout, setTimeout } = require("node:timers");
const { OTHER, USUAL } = require("./rules.cjs");

const { LAB = "bench", LAB_NET = "10.77" } = process.env;
const state = `/run/lbshield-lab/${LAB}`;
let mine = false;
const pidFile = join(state, "bench.pid");
const script = resolve(__dirname, "../../tools/lab/lab.sh");

/** In the environment of all that we start, and of their children: what runs on after its parent is found by it. */
const MARK = `LBSHIELD_BENCH=${process.pid}-${Date.now()}`;

const textOf = (file) => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
};

function killMarked() {
  for (let round = 0; round < 20; round++) {
    const ours = readdirSync("/proc").filter(
      (pid) => /^\d+$/.test(pid) && textOf(`/proc/${pid}/environ`).split("\0").includes(MARK),
    );
    if (ours.length === 0) return;
    for (const pid of ours) {
      try {
        process.kill(Number(pid), "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
  }
}

/** Runs a command for `limit` seconds at most; after that nothing of it is left. */
function run(file, args, { limit, input = "", ...options }) {
  return new Promise((done, failed) => {
    const [name, value] = MARK.split("=");
    const began = process.hrtime.bigint();
    const child = spawn(file, args, { ...options, env: { ...options.env, [name]: value }, detached: true });
    const said = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"])
      child[stream].setEncoding("utf8").on("data", (data) => (said[stream] += data));
    let limited = false;
    let ran;
    const timer = setTimeout(() => {
      limited = true;
      killMarked();
    }, limit * 1000);
    child.on("error", failed);
    child.on("exit", (code) => {
      clearTimeout(timer);
      ran = { code, seconds: Number(process.hrtime.bigint() - began) / 1e9, limited };
      // ssh's master process, which Ansible leaves behind, holds the pipes: they may not close.
      setTimeout(() => done({ ...said, ...ran }), 1000);
    });
    child.on("close", () => done({ ...said, ...ran }));
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

const lab = (...args) =>
  execFileSync(script, args, {
    env: { ...process.env, LAB, LAB_NET, LAB_STATE: state },
    encoding: "utf8",
    maxBuffer: 64 << 20,
    stdio: ["ignore", "pipe", "inherit"],
  });

const exec = (host, command) => lab("exec", host.name.slice(1), "sh", "-c", command);

function up(count) {
  const other = textOf(pidFile);
  if (other !== "" && existsSync(`/proc/${other}`))
    throw new Error(`process ${other} uses the lab ${LAB}: set LAB and LAB_NET`);
  mine = true;
  lab("down");
  lab("up", String(count), "--quiet");
  writeFileSync(pidFile, String(process.pid));
  return Array.from({ length: count }, (_, i) => {
    const name = `h${i + 1}`;
    const hostKey = textOf(`${state}/${name}/ssh_host_ed25519_key.pub`).split(" ").slice(0, 2).join(" ");
    return { name, connection: { host: `${LAB_NET}.${i + 1}.2`, user: "root", hostKey } };
  });
}

/** Only when it is ours. */
function down() {
  killMarked();
  if (mine) lab("down");
}

/** What says that connections are tracked, as an operator's stateful firewall would. */
const TRACK = "nft 'table inet bench { chain input { type filter hook input priority 0; ct state new counter; }; }'";

/** As after power off and on, and as if nobody had ever been there. */
function renew(host, tracked) {
  lab("restart", host.name.slice(1));
  exec(host, `rm -rf /var/lib/lbshield; ${tracked ? TRACK : ":"}`);
}

/** What is wrong with the rules on a host, or undefined. */
function wrongOn(host, table, perHost, changed) {
  const listing = exec(host, `nft list table inet ${table} 2>/dev/null || echo none`);
  const seen = [USUAL, OTHER].map((mss) => listing.split(`synproxy mss ${mss} `).length - 1);
  const want = [perHost - (changed ? 1 : 0), changed ? 1 : 0];
  return seen.join() === want.join()
    ? undefined
    : `${host.name} has ${seen.join(" + ")} rules, not ${want.join(" + ")}`;
}

const noTable = (host, table) =>
  exec(host, "nft list tables").includes(`table inet ${table}\n`) ? `${host.name} still has table ${table}` : undefined;

/** Logins by sshd's own count, and bytes on the hosts' management wire, both directions, all of TCP and SSH included. */
function outside(hosts) {
  const logins = hosts.map(({ name }) => textOf(`${state}/${name}/log`).split("Accepted ").length - 1);
  const wire = hosts.flatMap(({ name }) =>
    ["rx", "tx"].map((way) => Number(textOf(`/sys/class/net/${LAB}m${name.slice(1)}/statistics/${way}_bytes`))),
  );
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  return { logins: sum(logins), wire: sum(wire) };
}

/** What LBSHIELD_TRACE was told; see provider/host/trace.ts. */
function traced(file) {
  const found = { dials: 0, execs: 0, sent: 0, back: 0 };
  for (const line of textOf(file).split("\n").filter(Boolean)) {
    const [, , what, how, , sent = ""] = line.split("\t");
    if (what === "dial") found.dials++;
    else {
      found.execs++;
      found.sent += Number(/^\d+/.exec(sent)?.[0] ?? 0);
      found.back += Number(/(\d+) B back/.exec(how)?.[1] ?? 0);
    }
  }
  writeFileSync(file, "");
  return found;
}

const key = () => textOf(`${state}/id_ed25519`);
const sshConfig = `${state}/ssh_config`;
module.exports = { TRACK, down, exec, key, killMarked, noTable, outside, renew, run, sshConfig, traced, up, wrongOn };
