"use strict";
// The same rules without Pulumi: Ansible in two ways, and plain ssh. They neither look first nor verify, undo or see drift.
const { execFileSync } = require("node:child_process");
const { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } = require("node:fs");
const { homedir } = require("node:os");
const { join } = require("node:path");
const { noTable, run, sshConfig, wrongOn } = require("./lab.cjs");
const { BASE, ruleText, rules, script, text } = require("./rules.cjs");

const { LBSHIELD_CACHE, XDG_CACHE_HOME = join(homedir(), ".cache") } = process.env;
const venv = join(LBSHIELD_CACHE ?? join(XDG_CACHE_HOME, "lbshield"), "ansible-core");
const playbook = join(venv, "bin/ansible-playbook");

/** What Ansible says it is; installed when it is not there. */
function ansibleVersion() {
  const ask = () => /core ([\d.]+)/.exec(execFileSync(playbook, ["--version"], { encoding: "utf8" }))[1];
  if (existsSync(playbook)) return ask();
  process.stderr.write("Installing ansible-core\n");
  execFileSync("python3", ["-m", "venv", "--clear", venv], { stdio: "ignore" });
  execFileSync(join(venv, "bin/pip"), ["install", "--quiet", "ansible-core"], { stdio: "ignore", timeout: 300_000 });
  return ask();
}

const task = (stdin) => ({ "ansible.builtin.command": { cmd: "nft -f -", stdin } });
const REMOVE = { "ansible.builtin.command": "nft delete table inet peer" };

/** Playbooks by step; JSON is YAML. */
function books(what, all, folder) {
  const play = (tasks, more = {}) => [{ hosts: "all", gather_facts: false, tasks, ...more }];
  if (what === "ansible-tasks")
    return {
      apply: play([task(BASE), ...Object.entries(all).map((one) => task(ruleText(...one)))]),
      destroy: play([REMOVE]),
    };
  const loop = "{% for r in rules %}\n" + text("{{ r.name }}", "{{ r.address }}", "{{ r.mss }}") + "{% endfor %}\n";
  writeFileSync(join(folder, "peer.nft.j2"), BASE + loop);
  const dest = "/root/peer.nft";
  const list = Object.entries(all).map(([name, { match, options }]) => ({
    name,
    address: match.destinations[0],
    mss: options.mss,
  }));
  return {
    apply: play([{ "ansible.builtin.template": { src: "peer.nft.j2", dest }, notify: "load" }], {
      vars: { rules: list },
      handlers: [{ name: "load", "ansible.builtin.command": `nft -f ${dest}` }],
    }),
    destroy: play([REMOVE, { "ansible.builtin.file": { path: dest, state: "absent" } }]),
  };
}

function peerSteps({ what, hosts: [host], perHost }, { scratch, limit }) {
  const folder = mkdtempSync(join(scratch, "peer-"));
  const put = (file, content) => writeFileSync(join(folder, file), content);
  const given = (changed) => rules(perHost, changed);
  const options = { cwd: folder, limit, env: { PATH: process.env.PATH, HOME: folder, LANG: "C.UTF-8" } };
  const ansible = async (book, ...args) => {
    const env = { ...options.env, ANSIBLE_CONFIG: join(folder, "ansible.cfg"), ANSIBLE_HOME: folder };
    const ran = await run(playbook, ["-i", "inventory", ...args, book], { ...options, env });
    // Between two runs of a person the connection that Ansible leaves open would have ended. It hides from killMarked:
    // ssh overwrites its environment with its title.
    for (const socket of existsSync(join(folder, "cp")) ? readdirSync(join(folder, "cp")) : [])
      await run(
        "ssh",
        ["-F", sshConfig, "-o", `ControlPath=${join(folder, "cp", socket)}`, "-O", "exit", host.name],
        options,
      );
    return ran;
  };
  const ssh = (input, ...command) => run("ssh", ["-F", sshConfig, host.name, ...command], { ...options, input });
  const write = (changed) => {
    const { apply, destroy } = books(what, given(changed), folder);
    put("apply.yml", JSON.stringify(apply));
    put("destroy.yml", JSON.stringify(destroy));
  };
  const right = (changed) => () => wrongOn(host, "peer", perHost, changed);
  const gone = () => noTable(host, "peer");
  const remove = () => rmSync(folder, { recursive: true, force: true });
  if (what === "ssh") {
    const apply = (changed) => () => ssh(script(given(changed)), "nft", "-f", "-");
    const steps = [
      ["create", apply(false), right(false)],
      ["change", apply(true), right(true)],
      ["destroy", () => ssh("", "nft", "delete", "table", "inet", "peer"), gone],
    ];
    return { steps, before: {}, remove };
  }
  put("inventory", `${host.name}\n`);
  const sshArgs = `-F ${sshConfig} -o ControlMaster=auto -o ControlPersist=60s`;
  put(
    "ansible.cfg",
    `[defaults]\ninterpreter_python = auto_silent\n[connection]\npipelining = True\n[ssh_connection]\nssh_args = ${sshArgs}\ncontrol_path_dir = ${folder}/cp\n`,
  );
  write(false);
  const same = ({ stdout }) => (/changed=0 /.test(stdout) ? right(false)() : "not unchanged");
  const steps = [
    ["create", () => ansible("apply.yml"), right(false)],
    // Of commands --check says nothing.
    ...(what === "ansible-tasks" ? [] : [["preview", () => ansible("apply.yml", "--check", "--diff"), same]]),
    ["change", () => ansible("apply.yml"), right(true)],
    ["destroy", () => ansible("destroy.yml"), gone],
  ];
  return { steps, before: { change: () => write(true) }, remove };
}

module.exports = { ansibleVersion, peerSteps };
