/**
 * Keys of dispatch maps, found by what they match: an equal one by one look-up, an overlapping one among those that
 * differ from it in nothing but their ranges. A thousand rules are not each compared with all others.
 */
import { interval, keysOverlap } from "./overlap";

export class KeyIndex<Value> {
  private readonly maps = new Map<string, MapKeys<Value>>();

  /** The values whose keys in the map match a packet that this one matches. When there is none, it is entered itself. */
  enter(map: string, key: string, value: Value): Value[] {
    const keys = this.maps.get(map) ?? { exact: new Map<string, Value>(), ranged: new Map<string, Ranged<Value>>() };
    this.maps.set(map, keys);
    const taken = overlapping(keys, key);
    if (taken.length === 0) add(keys, key, value);
    return taken;
  }

  /** Takes back what was entered with this value. */
  leave(map: string, key: string, value: Value): void {
    const keys = this.maps.get(map);
    if (keys?.exact.get(key) === value) keys.exact.delete(key);
    const { shape, rest } = read(key);
    const group = keys?.ranged.get(shape);
    group?.set(rest, group.get(rest)?.filter((e) => e.key !== key || e.value !== value) ?? []);
  }
}

/** The keys of one map. No two overlap. */
interface MapKeys<Value> {
  readonly exact: Map<string, Value>;
  /** Those with ranges, by shape, which says which parts are ranges. */
  readonly ranged: Map<string, Ranged<Value>>;
}

/** By the parts that are no ranges. */
type Ranged<Value> = Map<string, Entry<Value>[]>;

interface Entry<Value> {
  readonly key: string;
  readonly value: Value;
  readonly spans: Spans;
}

/** From and to of each range; undefined where one has no order. */
type Spans = readonly (readonly [bigint, bigint])[] | undefined;

function add<Value>({ exact, ranged }: MapKeys<Value>, key: string, value: Value): void {
  if (isExact(key)) {
    exact.set(key, value);
    return;
  }
  const { parts, shape, rest } = read(key);
  const group = ranged.get(shape) ?? new Map<string, Entry<Value>[]>();
  ranged.set(shape, group);
  const entries = group.get(rest) ?? [];
  group.set(rest, entries);
  entries.push({ key, value, spans: spansOf(parts, shape) });
}

function overlapping<Value>({ exact, ranged }: MapKeys<Value>, key: string): Value[] {
  const exactly = isExact(key);
  const same = exactly ? exact.get(key) : undefined;
  const among = exactly ? [] : [...exact].filter(([other]) => keysOverlap(key, other)).map(([, value]) => value);
  const groups = [...ranged].flatMap(([shape, group]) => inGroup(group, shape, key));
  return [...(same === undefined ? [] : [same]), ...among, ...groups];
}

function inGroup<Value>(group: Ranged<Value>, shape: string, key: string): Value[] {
  const { parts, shape: own } = read(key);
  // Unless a range of ours stands where theirs have single values, the keys to compare are known.
  const known = Array.from(own).every((kind, i) => kind === SINGLE || shape[i] === RANGE);
  const entries = known ? (group.get(restOf(parts, shape)) ?? []) : [...group.values()].flat();
  const spans = known ? spansOf(parts, shape) : undefined;
  return entries.filter((e) => spansOverlap(spans, e.spans) ?? keysOverlap(key, e.key)).map((e) => e.value);
}

const [SINGLE, RANGE] = ["=", "-"] as const;

/** A name in quotes may have a hyphen. */
const isExact = (key: string): boolean => !/[-/]/.test(key.startsWith('"') ? key.slice(key.indexOf('"', 1)) : key);

function read(key: string): { readonly parts: readonly string[]; readonly shape: string; readonly rest: string } {
  const parts = key.split(" . ");
  const shape = parts.map((part) => (isExact(part) ? SINGLE : RANGE)).join("");
  return { parts, shape, rest: restOf(parts, shape) };
}

const restOf = (parts: readonly string[], shape: string): string =>
  parts.filter((_, i) => shape[i] !== RANGE).join(" . ");

function spansOf(parts: readonly string[], shape: string): Spans {
  const spans = parts.filter((_, i) => shape[i] === RANGE).map(interval);
  return spans.every((span) => span !== undefined) ? spans : undefined;
}

function spansOverlap(a: Spans, b: Spans): boolean | undefined {
  if (a === undefined || b === undefined) return undefined;
  return a.every(([from, to], i) => {
    const [otherFrom, otherTo] = b[i] ?? [0n, -1n];
    return from <= otherTo && otherFrom <= to;
  });
}
