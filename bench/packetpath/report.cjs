"use strict";
// Records as Markdown, and whether the aims are met.
const { FLOORS, LAYOUTS, OPEN } = require("./variants.cjs");

const QUIET = 0.1; // the quickest tenth; see LEGEND
/** With the most services: the part of its speed that ours may lose, and how many times the others' it should be. */
const AIM = { loss: 0.1, times: 15 };

const LEGEND = `One core does everything: it sends the packets, and a veth makes it receive, filter and answer them within the same
call. Time in which that core was others' is taken off. What they cost us all the same (a cache, the other half of a core)
only ever slows down: figures are those of the quickest tenth of all slices of 10 ms, ratios are medians of the rounds.
SYNs have random sources, and the addresses of all services take turns. The proxy's SYN-ACKs go the whole way through the
balancer and are dropped when they leave it (netdev egress), which every row that answers pays alike. Each measurement is
checked against the kernel's counters: every SYN was received and, where there is a proxy, reached it and was answered;
none was tracked.`;

function quantile(values, part) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)];
}

function median(values) {
  const [low, high] = [quantile(values, 0.5 - 1e-9), quantile(values, 0.5)];
  return values.length % 2 === 1 || high === undefined ? high : (low + high) / 2;
}

const grouped = (number) => number.toLocaleString("en-US");
const figure = (value) =>
  Math.abs(value) >= 100 ? grouped(Math.round(value)) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
const bracketed = (ratio) => (ratio === undefined ? "" : ` (${ratio.toFixed(2)})`);
const percent = (part) => `${(part * 100).toFixed(1)} %`;
const table = (head, rows) =>
  [head, head.map((_, i) => (i === 0 ? "---" : "---:")), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

function report(records, about) {
  const cells = Map.groupBy(records, ({ what, id, services }) => `${what} ${id} ${services}`);
  const good = (key) => (cells.get(key) ?? []).filter(({ problem }) => problem === undefined);
  const quiet = (some) =>
    quantile(
      some.flatMap(({ costs }) => costs),
      QUIET,
    );
  /** Nanoseconds for a SYN, for a byte. */
  const cost = (what, id, services) => quiet(good(`${what} ${id} ${services}`));
  /** How many times as much `other` costs: in each round, where they are measured close together, and their median. */
  const times = (what, [id, count], [other, otherCount]) => {
    const rounds = good(`${what} ${id} ${count}`).flatMap((record) => {
      const same = good(`${what} ${other} ${otherCount}`).filter(({ repeat }) => repeat === record.repeat);
      return same.length === 0 ? [] : [quiet(same) / quiet([record])];
    });
    return { rounds, all: median(rounds) };
  };
  const { services } = about;
  const [least, most] = [services[0], services.at(-1)];
  const chosen = (variants) => Object.entries(variants).filter(([id]) => records.some((record) => record.id === id));
  const measured = chosen(LAYOUTS);
  const cell = (value, show) => (value === undefined ? "FAILED" : show(value));

  const syns = () => {
    const floor = cost("syns", "raw", most);
    const beyond = (id, count) => cell(floor && cost("syns", id, count), (value) => grouped(Math.round(value - floor)));
    const rows = measured.map(([id, { label, beside }]) => [
      label,
      ...services.map((count) =>
        cell(
          cost("syns", id, count),
          (value) => `${figure(1e6 / value)}${bracketed(times("syns", [beside, count], [id, count]).all)}`,
        ),
      ),
    ]);
    const costs = measured.map(([id, { label }]) => [label, ...services.map((count) => beyond(id, count))]);
    const floors = chosen(FLOORS).map(([id, { label }]) => {
      const value = cost("syns", id, most);
      return [label, cell(value && 1e6 / value, figure), cell(value, figure), beyond(id, most)];
    });
    const heads = services.map((count) => `${grouped(count)} service${count === 1 ? "" : "s"}`);
    return [
      "## Spoofed SYNs: thousands a second on one core",
      "In brackets: how many times as many lbshield handles, with an interface where the row has one.",
      table(["", ...heads], rows),
      "## What no layout can be quicker than",
      table(["", "thousands a second", "ns a packet", "ns beyond the raw drop"], floors),
      "## Nanoseconds a SYN takes beyond the raw drop",
      table(["", ...heads], costs),
      ...aims(),
    ];
  };

  const aims = () => {
    if (least === most) return [];
    const line = (what, { rounds, all }, show, met) => {
      if (all === undefined) return `- ${what}: not known.`;
      const ends = [Math.min(...rounds), Math.max(...rounds)].map(show).join(" to ");
      return `- ${what}: ${show(all)}, ${met(all) ? "met" : "NOT MET"} (single rounds: ${ends}).`;
    };
    const lines = measured.map(([id, { label, beside }]) =>
      beside === undefined
        ? line(
            `${label}, ${grouped(most)} services against ${grouped(least)}: at least ${percent(1 - AIM.loss)} as many`,
            times("syns", [id, most], [id, least]),
            percent,
            (part) => part >= 1 - AIM.loss,
          )
        : line(
            `${label}, ${grouped(most)} services: lbshield does at least ${AIM.times} times as many`,
            times("syns", [beside, most], [id, most]),
            (part) => part.toFixed(1),
            (part) => part >= AIM.times,
          ),
    );
    return ["## Aims", lines.join("\n")];
  };

  const established = () => {
    const ends = least === most ? [most] : [least, most];
    const shown = (id, count) =>
      cell(
        cost("stream", id, count),
        (value) => `${figure(8 / value)}${bracketed(times("stream", [id, count], ["none", most]).all)}`,
      );
    const rows = [
      ...chosen(OPEN).map(([id, { label }]) => [label, ...ends.map(() => shown(id, most))]),
      ...measured.map(([id, { label }]) => [label, ...ends.map((count) => shown(id, count))]),
    ];
    return [
      "## Established connections: Gbit a second on one core",
      "Ten connections, as many bytes either way, a packet for each segment of 1,448 bytes; that core is both ends as well. In brackets: the part of what is carried without rules.",
      table(["", ...ends.map((count) => `${grouped(count)} service${count === 1 ? "" : "s"}`)], rows),
    ];
  };

  const longer = [...cells.keys()].flatMap((key) => {
    const costs = good(key).flatMap((record) => record.costs);
    return costs.length === 0 ? [] : [quantile(costs, 0.5) / quantile(costs, QUIET) - 1];
  });
  const load = (averages) => averages.map((average) => average.toFixed(1)).join(" ");
  const machine = `${about.date}, pulumi-lbshield ${about.package}, ${about.nft}, ${about.iptables ?? "no iptables"}, Linux ${about.kernel}, ${about.processor}, ${about.cores} cores. Load before ${load(about.loadBefore)}, after ${load(about.loadAfter)}. ${about.repeat} rounds of ${about.seconds} s for each cell. How quiet it was: half of all slices took up to ${percent(quantile(longer, 0.5) ?? 0)} longer than the figure that is given for them; in the noisiest cell ${percent(Math.max(0, ...longer))}.`;
  const problems = [
    ...new Set(
      records.flatMap(({ what, label, services: n, problem }) =>
        problem ? [`- ${what}, ${n} services, ${label}: ${problem}`] : [],
      ),
    ),
  ];
  return `${[
    machine,
    LEGEND,
    ...about.missing.map(({ label, needs }) => `NOT MEASURED: ${label}, because ${needs} is not installed.`),
    ...(about.cases.includes("syns") ? syns() : []),
    ...(about.cases.includes("established") ? established() : []),
    ...(problems.length > 0 ? ["## What went wrong", problems.join("\n")] : []),
  ].join("\n\n")}\n`;
}

module.exports = { report };
