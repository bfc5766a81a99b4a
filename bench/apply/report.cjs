"use strict";
// Records as Markdown: first the times side by side, then everything that was counted.

const STEPS = ["create", "preview", "refresh", "change", "destroy"];
const TITLES = {
  lb: "One LoadBalancer on one host",
  single: "Single SynproxyRules on one host",
  fleet: "Several hosts in one stack",
  peers: "The same rules by other means, on one host",
};

const LEGEND = `Wall time of the whole command, the CLI's start included. create and change: \`up --skip-preview\`; preview: without a
change; refresh: \`--preview-only\`, without a change; change: another mss in one rule. In brackets: how many times the
floor's, which is the same command with resources that hold the same and do nothing; for other means, how many times
the LoadBalancer's. Dials, execs, sent and received: what the provider's trace says; of other means, what sshd
counted as logins. Wire: all bytes on the hosts' management interface, both ways. State: \`pulumi stack export\`.
Ansible runs without facts, with pipelining and one persistent connection for each playbook; its preview is \`--check --diff\`.`;

function median(values) {
  const known = values.filter((value) => typeof value === "number").sort((a, b) => a - b);
  if (known.length === 0) return undefined;
  const middle = known.length >> 1;
  return known.length % 2 === 1 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
}

const grouped = (number) => Math.round(number).toLocaleString("en-US");
const shown = (value, as = grouped) => (value === undefined ? "–" : as(value));
const seconds = (value) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
const table = (head, rows) =>
  [head, head.map((_, i) => (i < 2 ? "---" : "---:")), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

function report(records, about) {
  const sizeOf = ({ hosts, perHost }) => `${hosts > 1 ? `${hosts} × ` : ""}${grouped(perHost)}`;
  const keyOf = (record) => `${sizeOf(record)} ${record.group} ${record.label}`;
  const cells = Map.groupBy(records, (record) => `${keyOf(record)} ${record.step}`);
  const value = (key, step, name) => median((cells.get(`${key} ${step}`) ?? []).map((record) => record[name]));
  const notes = (key, step) =>
    [...new Set((cells.get(`${key} ${step}`) ?? []).flatMap(({ note }) => note ?? []))].join("; ");
  const stopped = (key, step) =>
    (cells.get(`${key} ${step}`) ?? []).some(({ note }) => /^(>|FAILED|not)/.test(note ?? ""));

  const time = (key, base, step) => {
    if (stopped(key, step)) return notes(key, step);
    const took = value(key, step, "seconds");
    if (took === undefined) return "–";
    const floor = key === base || stopped(base, step) ? undefined : value(base, step, "seconds");
    return `${seconds(took)}${floor === undefined ? "" : ` (${(took / floor).toFixed(2)})`}`;
  };

  const section = ([group, all]) => {
    const rows = [...new Map(all.map((record) => [keyOf(record), record])).values()].sort(
      (a, b) => a.perHost - b.perHost,
    );
    const times = rows.map((record) => {
      const key = keyOf(record);
      const base = `${sizeOf(record)} ${record.base}`;
      return [
        sizeOf(record),
        record.label,
        ...STEPS.map((step) => time(key, base, step)),
        shown(value(key, "create", "state")),
      ];
    });
    const counted = rows.flatMap((record) =>
      STEPS.filter((step) => cells.has(`${keyOf(record)} ${step}`)).map((step) => {
        const of = (name) => shown(value(keyOf(record), step, name));
        const dials = value(keyOf(record), step, "dials") === undefined ? of("logins") : of("dials");
        const took = shown(value(keyOf(record), step, "seconds"), seconds);
        return [
          sizeOf(record),
          record.label,
          step,
          took,
          dials,
          ...["execs", "sent", "back", "wire", "state"].map(of),
          notes(keyOf(record), step),
        ];
      }),
    );
    return [
      `## ${TITLES[group]}`,
      table(["rules", "", ...STEPS.map((step) => `${step}, s`), "state, B"], times),
      "<details><summary>Everything that was counted</summary>",
      table(
        ["rules", "", "step", "s", "dials", "execs", "sent, B", "received, B", "wire, B", "state, B", "note"],
        counted,
      ),
      "</details>",
    ].join("\n\n");
  };

  const load = (averages) => averages.map((average) => average.toFixed(1)).join(" ");
  const machine = `${about.date}, pulumi-lbshield ${about.package}, Pulumi ${about.pulumi}, Node ${about.node}, ${about.nft}, Linux ${about.kernel}, ${about.cores} cores, ${about.memory}${about.ansible ? `, ansible-core ${about.ansible}` : ""}. Load before ${load(about.loadBefore)}, after ${load(about.loadAfter)}. ${about.repeat > 1 ? `Medians of ${about.repeat} runs. ` : ""}Hosts ${about.tracked ? "already tracked connections" : "tracked no connections before: a create waits a second for that"}.`;
  return `${[machine, LEGEND, ...[...Map.groupBy(records, ({ group }) => group)].map(section)].join("\n\n")}\n`;
}

module.exports = { report };
