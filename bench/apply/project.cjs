"use strict";
// One life of a stack through the Pulumi CLI, step by step.
const { execFileSync } = require("node:child_process");
const { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } = require("node:fs");
const { dirname, join, resolve } = require("node:path");
const { key, noTable, run, wrongOn } = require("./lab.cjs");

const root = resolve(__dirname, "../..");
const [NAME, STACK] = ["shop", "bench"];
const UP = ["up", "--yes", "--skip-preview"];

class Project {
  constructor(scratch, trace, checkpoints) {
    this.folder = mkdtempSync(join(scratch, "project-"));
    const home = join(this.folder, ".home");
    mkdirSync(join(home, "backend"), { recursive: true });
    const clean = Object.entries(process.env).filter(([name]) => !/^(PULUMI_|LBSHIELD_|SSH_AUTH_SOCK)/.test(name));
    this.env = {
      ...Object.fromEntries(clean),
      HOME: home,
      PULUMI_HOME: join(home, ".pulumi"),
      PULUMI_BACKEND_URL: `file://${join(home, "backend")}`,
      PULUMI_CONFIG_PASSPHRASE: "bench",
      PULUMI_SKIP_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      LBSHIELD_PRIVATE_KEY: key(),
      LBSHIELD_TRACE: trace,
      ...(checkpoints ? {} : { PULUMI_SKIP_CHECKPOINTS: "true", PULUMI_EXPERIMENTAL: "true" }),
    };
    this.write(
      "Pulumi.yaml",
      `name: ${NAME}\nmain: index.js\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n`,
    );
    this.write("package.json", JSON.stringify({ name: NAME, private: true }));
    this.write("index.js", 'require("lbshield-bench/program.cjs").declare(`${__dirname}/case.json`);\n');
    const modules = {
      "pulumi-lbshield": root,
      "lbshield-bench": __dirname,
      "@pulumi/pulumi": join(root, "node_modules/@pulumi/pulumi"),
    };
    for (const [module, target] of Object.entries(modules)) {
      const path = join(this.folder, "node_modules", module);
      mkdirSync(dirname(path), { recursive: true });
      symlinkSync(target, path);
    }
  }

  write(file, text) {
    writeFileSync(join(this.folder, file), text);
  }

  declare(chosen) {
    this.write("case.json", JSON.stringify(chosen));
    if (chosen.what !== "floor") return;
    const args = [join(__dirname, "program.cjs"), join(this.folder, "case.json"), NAME, STACK];
    const floor = JSON.parse(execFileSync(process.execPath, args, { maxBuffer: 1 << 30 }));
    this.write("case.json", JSON.stringify({ ...chosen, floor }));
  }

  pulumi(limit, ...args) {
    return run("pulumi", ["--non-interactive", ...args], { cwd: this.folder, env: this.env, limit });
  }

  async state() {
    const { code, stdout, stderr } = await this.pulumi(600, "stack", "export");
    if (code !== 0) throw new Error(`stack export: ${stderr}`);
    const resources = JSON.parse(stdout).deployment.resources ?? [];
    return {
      size: stdout.length,
      count: resources.filter(({ type }) => type.startsWith("pulumi-nodejs:dynamic/")).length,
    };
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The steps of a case, each as [name, what is run, what is wrong after it, more to record]. */
async function pulumiSteps(chosen, { scratch, trace, limit, checkpoints }) {
  const { what, shape, hosts, perHost } = chosen;
  const project = new Project(scratch, trace, checkpoints);
  const table = { lbshield: "lbshield", dial: "peer" }[what];
  const expected = hosts.length * (shape === "lb" ? 1 : perHost);
  const onHosts = (changed) => () =>
    table && hosts.map((host, i) => wrongOn(host, table, perHost, changed && i === 0)).find(Boolean);
  // A provider that knows of one rule at a time cannot know that it removes the last one.
  const gone = () =>
    table && hosts.map((host) => (what === "dial" ? wrongOn(host, table, 0) : noTable(host, table))).find(Boolean);
  const init = await project.pulumi(60, "stack", "init", STACK);
  if (init.code !== 0) throw new Error(`stack init: ${init.stderr}`);
  project.declare(chosen);
  let state;
  const steps = [
    [
      "create",
      () => project.pulumi(limit, ...UP),
      async () => {
        state = await project.state();
        if (state.count !== expected) return `${state.count} resources, not ${expected}`;
        return onHosts(false)();
      },
      () => ({ state: state.size }),
    ],
    ["preview", () => project.pulumi(limit, "preview", "--expect-no-changes"), onHosts(false)],
    ["refresh", () => project.pulumi(limit, "refresh", "--preview-only", "--expect-no-changes"), onHosts(false)],
    [
      "change",
      () => project.pulumi(limit, ...UP),
      ({ stdout }) => (/~ 1 updated/.test(stdout) ? onHosts(true)() : "not one resource updated"),
    ],
    ["destroy", () => project.pulumi(limit, "destroy", "--yes", "--skip-preview"), gone],
  ];
  const before = { change: () => project.declare({ ...chosen, changed: true }) };
  return { steps, before, remove: () => project.remove() };
}

module.exports = { pulumiSteps };
