/** What a host has and a state does not, and the reverse. */
import { type Entry } from "./entries";
import { type State, type StateResource } from "./state";

export interface Findings {
  /** On the host, of the state's own stack, and not in the state. */
  readonly orphans: readonly Orphan[];
  /** On the host, and begun by a run that was cut off: the engine keeps them as pending creates until it is told. */
  readonly pending: readonly Entry[];
  /** In the state for this host, and not in its ledger. */
  readonly lost: readonly Lost[];
  /** How many are known to both. */
  readonly known: number;
}

export interface Orphan extends Entry {
  /** By which names the state has it on other hosts. */
  readonly elsewhere: readonly string[];
}

export interface Lost extends StateResource {
  /** Are objects of its name in the table all the same? Then a refresh sees nothing missing. */
  readonly standing: boolean;
}

/** `here` is by which name and port the host is reached now. What belongs to other stacks is not looked at. */
export function match(here: string, entries: readonly Entry[], { stacks, resources }: State): Findings {
  const named = new Map<string, StateResource[]>();
  for (const r of resources) named.set(r.name, [...(named.get(r.name) ?? []), r]);
  // A state that knows a host by another name than we were given means the same host where the ledger says so.
  const isHere = (entry: Entry, at: string | undefined): boolean =>
    at === undefined || at === here || entry.via === undefined || at === entry.via;
  const orphans: Orphan[] = [];
  const pending: Entry[] = [];
  const names = new Set([here]);
  let known = 0;
  for (const entry of entries) {
    const all = named.get(entry.name) ?? [];
    const mine = all.filter((r) => isHere(entry, r.at));
    if (mine.some((r) => !r.pending)) {
      known++;
      for (const { at } of mine) if (at !== undefined && at === entry.via) names.add(at);
    } else if (mine.length > 0) pending.push(entry);
    else if (stacks.includes(entry.stack))
      orphans.push({ ...entry, elsewhere: [...new Set(all.flatMap((r) => r.at ?? []))] });
  }
  const recorded = new Map(entries.map((e) => [e.name, e.recorded]));
  const lost = resources
    .filter((r) => !r.pending && !r.leaving && r.at !== undefined && names.has(r.at) && recorded.get(r.name) !== true)
    .map((r): Lost => ({ ...r, standing: recorded.has(r.name) }));
  return { orphans, pending, lost: [...new Map(lost.map((r) => [r.name, r])).values()], known };
}
