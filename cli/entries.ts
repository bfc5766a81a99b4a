/** What is on a host, and whose it is. */
import { ownerOf, stackOf } from "../provider/engine/desired";
import { Draft } from "../provider/engine/plan";
import { type Snapshot } from "../provider/engine/snapshot";
import { type KernelObject, type Wanted, sysctlsOf } from "../provider/kernel/object";
import { LAYOUT } from "../provider/resources/layout";

/** A resource that a host knows. */
export interface Entry {
  /** On the host, `kind/project/stack/name`. */
  readonly name: string;
  /** As people know it, `SynproxyRule web (acme/prod)`; its name where the host has no record of it. */
  readonly label: string;
  /** `acme/prod` */
  readonly stack: string;
  /** By which name and port its host was reached when it was put there. */
  readonly via: string | undefined;
  /** How many objects of each kind it put there, values aside. Not which: arguments may be secret. */
  readonly objects: Readonly<Record<string, number>>;
  /** The values that it claims, by key. */
  readonly values: readonly string[];
  /** Has the ledger a record of it? Otherwise there are objects of its name, and nothing else. */
  readonly recorded: boolean;
}

/** All that the ledger holds, and all objects of ours that stand in the table without a record. */
export function entriesOf(seen: Pick<Snapshot, "nft" | "records">): Entry[] {
  const recorded = [...seen.records.values()].map(({ name, label, via, wanted }): Entry => ({
    ...{ name, label, via, stack: stackOfLabel(label) ?? stackOf(name), recorded: true },
    ...contentOf(wanted),
  }));
  const stray = new Map<string, KernelObject[]>();
  for (const o of seen.nft.values()) {
    const owner = ownerOf(o);
    if (owner !== undefined && !seen.records.has(owner)) stray.set(owner, [...(stray.get(owner) ?? []), o]);
  }
  const unrecorded = [...stray].map(([name, objects]): Entry => {
    const content = contentOf(objects.map((object) => ({ object, shared: false })));
    return { name, label: name, stack: stackOf(name), via: undefined, recorded: false, ...content };
  });
  return [...recorded, ...unrecorded].toSorted((a, b) => order(a.stack, b.stack) || order(a.label, b.label));
}

const order = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });

function contentOf(wanted: readonly Wanted[]): Pick<Entry, "objects" | "values"> {
  const objects: Record<string, number> = {};
  for (const { object } of wanted) if (object.kind !== "sysctl") objects[object.kind] = (objects[object.kind] ?? 0) + 1;
  return { objects, values: sysctlsOf(wanted).map((s) => s.key) };
}

/** In full: a name on a host holds the first 60 characters of a project or a stack. */
const stackOfLabel = (label: string): string | undefined => / \(([^()]+\/[^()]+)\)$/.exec(label)?.[1];

/** `SynproxyRule web`, without the stack. */
export const resourceOf = ({ label, stack }: Pick<Entry, "label" | "stack">): string =>
  label.endsWith(` (${stack})`) ? label.slice(0, -` (${stack})`.length) : label;

/** The values that nobody claims any more once these are gone, and what they go back to. */
export function freedBy(gone: readonly Entry[], seen: Snapshot): Map<string, string> {
  const draft = new Draft(seen, LAYOUT);
  for (const { name, label } of gone) draft.enter({ remove: { name, label } });
  return new Map([...seen.originals].filter(([key]) => !draft.originals.has(key)));
}
