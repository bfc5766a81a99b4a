/** What was found, for people and for programs. */
import { type Ledger } from "../provider/engine/ledger";
import { type Entry, resourceOf } from "./entries";
import { type Findings, type Orphan } from "./match";
import { type StateResource } from "./state";

/** Columns as wide as they must be. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export const count = (n: number, one: string, many = `${one}s`): string => `${n.toString()} ${n === 1 ? one : many}`;

const COLUMNS = ["RESOURCE", "OBJECTS", "VALUES", "REACHED AS"];

const row = (entry: Entry): string[] => [
  entry.recorded ? resourceOf(entry) : `${entry.label} (no record)`,
  Object.entries(entry.objects)
    .map(([kind, n]) => count(n, kind))
    .join(", ") || "-",
  entry.values.length === 0 ? "-" : entry.values.length.toString(),
  entry.via ?? "-",
];

export function ledgerText(host: string, entries: readonly Entry[], { originals }: Ledger): string {
  if (entries.length + originals.size === 0) return `${host}: the ledger is empty`;
  const rows = entries.map((e) => [e.stack, ...row(e)]);
  const values = [...originals].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, value]);
  return [
    `${host}: ${count(entries.length, "resource")}\n`,
    ...(entries.length > 0 ? [table(["STACK", ...COLUMNS], rows)] : []),
    ...(values.length > 0 ? [`\n${table(["VALUE", "BEFORE THE FIRST CLAIM"], values)}`] : []),
  ].join("\n");
}

const entryJson = ({ name, label, stack, via, objects, values, recorded }: Entry) => ({
  ...{ name, label, stack, ...(via === undefined ? {} : { via }), objects, values, recorded },
});

export const ledgerJson = (host: string, entries: readonly Entry[], { originals }: Ledger): string =>
  JSON.stringify({ host, entries: entries.map(entryJson), originals: Object.fromEntries(originals) }, null, 2);

export interface Report extends Findings {
  readonly host: string;
  readonly stacks: readonly string[];
  /** Values that go back once the orphans are gone. */
  readonly freed: ReadonlyMap<string, string>;
  readonly purged: boolean;
}

export function findingsText(report: Report): string {
  const { host, stacks, orphans, pending, lost, known, freed } = report;
  const whose = stacks.join(", ");
  return [
    ...(orphans.length > 0
      ? [
          `${host}: ${count(orphans.length, "resource")} that the state of ${whose} does not know\n`,
          table(COLUMNS, orphans.map(orphanRow)),
          ...[...freed].map(([key, value], i) => `${i === 0 ? "\n" : ""}without them ${key} goes back to ${value}`),
        ]
      : [`${host}: nothing that the state of ${whose} does not know; ${count(known, "resource")} known to both`]),
    ...(pending.length > 0
      ? [
          `\n${count(pending.length, "resource")} that a run began to create, and whose end the state does not know: pulumi up ` +
            `settles what the program still has, pulumi refresh --clear-pending-creates makes orphans of the others\n`,
          table(COLUMNS, pending.map(row)),
        ]
      : []),
    ...(lost.length > 0
      ? [
          `\n${count(lost.length, "resource")} that the state has here and the ledger has not: ` +
            `pulumi up --refresh puts them back\n`,
          lost.map((r) => `${stacks.length > 1 ? r.label : resourceLabel(r)}${r.standing ? STANDING : ""}`).join("\n"),
        ]
      : []),
  ].join("\n");
}

const STANDING = " (its objects are there: its next change writes the record)";

const resourceLabel = (r: StateResource): string => r.label.replace(/ \([^()]*\)$/, "");

const orphanRow = (orphan: Orphan): string[] => {
  const [name = "", ...others] = row(orphan);
  const { elsewhere } = orphan;
  return [elsewhere.length > 0 ? `${name} (the state has it on ${elsewhere.join(", ")})` : name, ...others];
};

export const findingsJson = ({ host, stacks, orphans, pending, lost, known, freed, purged }: Report): string =>
  JSON.stringify(
    {
      host,
      stacks,
      orphans: orphans.map((o) => ({ ...entryJson(o), elsewhere: o.elsewhere })),
      pending: pending.map(entryJson),
      lost: lost.map(({ name, label, at, standing }) => ({ name, label, via: at, standing })),
      known,
      freed: Object.fromEntries(freed),
      purged,
    },
    null,
    2,
  );
