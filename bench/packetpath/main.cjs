"use strict";
// Which cells there are, and what one measurement is.
const { execFileSync } = require("node:child_process");
const { appendFileSync, mkdirSync, readFileSync } = require("node:fs");
const os = require("node:os");
const { join, resolve } = require("node:path");
const { parseArgs } = require("node:util");
const { report } = require("./report.cjs");
const { FLOORS, LAYOUTS, OPEN, addressesOf } = require("./variants.cjs");

const CASES = ["syns", "established"];
const CONNECTIONS = 10;
const DEFAULTS = {
  cases: CASES.join(),
  services: "1,10,100,1000",
  seconds: "1",
  repeat: "5",
  rows: Object.keys(LAYOUTS).join(),
};
const say = (text) => process.stderr.write(`${text}\n`);

/** The last of the cores that we may use. */
function lastCpu() {
  const [, list] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return list.split(/[,-]/).at(-1);
}

function settings() {
  const texts = Object.entries({ ...DEFAULTS, cpu: lastCpu() });
  const { values } = parseArgs({
    options: Object.fromEntries(texts.map(([name, value]) => [name, { type: "string", default: value }])),
  });
  const numbers = (name, least, most) =>
    values[name].split(",").map((value) => {
      const number = Number(value);
      if (!/^\d+$/.test(value) || number < least || number > most)
        throw new Error(`--${name}: ${value} is not a whole number from ${least} to ${most}`);
      return number;
    });
  const cases = values.cases.split(",");
  const unknown = cases.find((name) => !CASES.includes(name));
  if (unknown !== undefined) throw new Error(`--cases: there is no ${unknown}, but ${CASES.join(", ")}`);
  const rows = values.rows.split(",");
  const stranger = rows.find((id) => !(id in LAYOUTS));
  if (stranger !== undefined)
    throw new Error(`--rows: there is no ${stranger}, but ${Object.keys(LAYOUTS).join(", ")}`);
  const [cpu] = numbers("cpu", 0, os.cpus().length - 1);
  // Above 4,000 not every service would get a packet; see FRAMES in packets.py.
  const services = numbers("services", 1, 4000).toSorted((a, b) => a - b);
  const [[seconds], [repeat]] = [numbers("seconds", 1, 60), numbers("repeat", 1, 100)];
  return { cases, services, seconds, repeat, rows, cpu };
}

const found = (tool) => {
  try {
    execFileSync("sh", ["-c", `command -v ${tool}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

/** One round. The sizes of a layout are neighbours: between them small differences count. */
function round({ cases, services }, layouts) {
  const [least, most] = [services[0], services.at(-1)];
  const of = (what, variants, counts) =>
    Object.entries(variants).flatMap(([id, v]) => counts.map((count) => ({ what, id, ...v, services: count })));
  const syns = [...of("syns", FLOORS, [most]), ...of("syns", layouts, services)];
  const ends = least === most ? [most] : [least, most];
  const established = [...of("stream", OPEN, [most]), ...of("stream", layouts, ends)];
  return [...(cases.includes("syns") ? syns : []), ...(cases.includes("established") ? established : [])];
}

/** Whether each packet took the way that the cell is about; what is wrong, or undefined. */
function wrong({ what, stage, open }, got) {
  const { packets, received, connections, resent } = got;
  const differ = (expected) =>
    Object.entries(expected).flatMap(([name, count]) =>
      got[name] === count ? [] : [`${name} ${got[name]}, not ${count}`],
    );
  if (what === "syns") {
    const through = stage === undefined ? packets : 0;
    const seen = stage === "ingress" ? 0 : packets;
    const bad = differ({ received: packets, routed: seen, proxied: through, answered: through, tracked: 0 });
    return bad.length > 0 ? `of ${packets} SYNs: ${bad.join(", ")}` : undefined;
  }
  const bad = differ({ opened: open ? 0 : connections, proxied: open ? 0 : connections });
  // What is sent again is waited for.
  if (resent > received / 100) bad.push(`${resent} of ${received} packets sent again`);
  return bad.length > 0 ? `of ${connections} connections: ${bad.join(", ")}` : undefined;
}

function measure({ what, load, services, ...rest }, { seconds, cpu }) {
  const all = addressesOf(services);
  const spread = Array.from({ length: CONNECTIONS }, (_, i) => all[Math.floor((i * services) / CONNECTIONS)]);
  const addresses = what === "syns" ? all : spread;
  const input = JSON.stringify({ what, seconds, cpu, addresses, load: load(all) });
  const limit = { input, encoding: "utf8", timeout: (seconds + 120) * 1000, killSignal: "SIGKILL" };
  const got = JSON.parse(execFileSync("python3", ["-B", join(__dirname, "cell.py")], limit));
  const problem = got.problem ?? wrong({ what, ...rest }, got);
  return { ...got, ...(problem === undefined ? {} : { problem }) };
}

function main() {
  const chosen = settings();
  const wanted = Object.entries(LAYOUTS).filter(([id]) => chosen.rows.includes(id));
  const layouts = Object.fromEntries(wanted.filter(([, { needs }]) => !needs || found(needs)));
  const missing = wanted.flatMap(([id, layout]) => (id in layouts ? [] : [layout]));
  for (const { label, needs } of missing)
    say(`NOT MEASURED: ${label}: ${needs} is not installed (Debian: apt-get install iptables)`);
  const results = resolve(__dirname, "../results");
  mkdirSync(results, { recursive: true });
  const file = join(results, `packetpath-${new Date().toISOString().replace(/[:.]/g, "-")}.jsonl`);
  const said = (command, ...args) => execFileSync(command, args, { encoding: "utf8" }).trim().split("\n")[0];
  const about = {
    date: new Date().toISOString().slice(0, 10),
    processor: os.cpus()[0]?.model ?? "unknown processor",
    cores: os.availableParallelism(),
    kernel: os.release(),
    nft: said("nft", "--version"),
    iptables: found("iptables-nft") ? said("iptables-nft", "--version") : null,
    package: JSON.parse(readFileSync(resolve(__dirname, "../../package.json"), "utf8")).version,
    missing: missing.map(({ label, needs }) => ({ label, needs })),
    loadBefore: os.loadavg(),
    ...chosen,
  };
  appendFileSync(file, `${JSON.stringify(about)}\n`);
  const records = [];
  for (let repeat = 1; repeat <= chosen.repeat; repeat++) {
    const cells = round(chosen, layouts);
    // There and back: a machine that grows slower or quicker does so to all of them.
    for (const cell of repeat % 2 === 1 ? cells : cells.toReversed()) {
      let got;
      try {
        got = measure(cell, chosen);
      } catch (error) {
        got = { problem: error.message };
      }
      const { what, id, label, services } = cell;
      const record = { what, id, label, services, repeat, ...got, load: os.loadavg()[0] };
      records.push(record);
      appendFileSync(file, `${JSON.stringify(record)}\n`);
      const rate = () => {
        const middle = got.costs.toSorted((a, b) => a - b)[got.costs.length >> 1];
        return what === "syns" ? `${(1e6 / middle).toFixed(1)} kpps` : `${(8 / middle).toFixed(2)} Gbit/s`;
      };
      say(`${repeat}/${chosen.repeat} ${what}, ${services} services, ${label}: ${got.problem ?? rate()}`);
    }
  }
  process.stdout.write(report(records, { ...about, loadAfter: os.loadavg() }));
  say(`Every measurement: ${file}`);
  process.exitCode = records.some(({ problem }) => problem) ? 1 : 0;
}

try {
  main();
} catch (error) {
  say(`bench: ${error.message}`);
  process.exitCode = 1;
}
