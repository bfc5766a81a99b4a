/**
 * The difference between two states of one table, as a script for `nft -f`: one transaction, so there is no moment
 * without protection and no half of a change. The reverse of a change is the same function with its ends exchanged.
 */
import { type Chain, type NftObject, type NftObjects, type NftSet, hookText, nftEqual, nftId } from "./objects";
import { printRule } from "./rule";

/** One line of a script, with the id of the object it is for: an error of nft names a line, we name the object. */
export interface Line {
  readonly text: string;
  readonly id: string;
}

/**
 * The way back. It may run although the way there never did: then it is refused as a whole, or leads to where the table
 * is already.
 */
export const nftReverse = (table: string, from: NftObjects, to: NftObjects): Line[] =>
  nftScript(table, to, from).flatMap((line) =>
    line.text.startsWith(`add chain ${table} `)
      ? [line, { ...line, text: `flush chain ${table} ${line.text.split(" ")[4] ?? ""}` }]
      : [line],
  );

export function nftScript(table: string, from: NftObjects, to: NftObjects): Line[] {
  const changed = [...to].filter(([id, o]) => !nftEqual(from.get(id), o));
  const removed = [...from].filter(([id]) => !to.has(id));
  if (changed.length === 0 && removed.length === 0) return [];
  if (to.size === 0) return [{ text: `delete table ${table}`, id: "table" }];
  // The type of a set or the hook of a chain cannot be changed in place.
  if (changed.some(([id, o]) => needsRebuild(from.get(id), o)))
    return [
      { text: `add table ${table}`, id: "table" },
      { text: `delete table ${table}`, id: "table" },
      ...nftScript(table, new Map(), to),
    ];

  const write = new Writer(table);
  if (from.size === 0) write.lines.push({ text: `add table ${table}`, id: "table" });
  const gone = removed.map(([id, o]) => ({ id, o }));
  const next = changed.map(([id, o]) => ({ id, o, old: from.get(id) }));

  for (const { id, o } of gone) if (o.kind === "element") write.element("delete", id, o);
  for (const { id, old } of next) if (old?.kind === "element") write.element("delete", id, old);
  for (const { id, o } of gone) if (o.kind === "chain") write.line(id, "flush chain", o.name);
  // Chains before maps: of a new map of intervals nft (1.0.6) sends the elements along with the map, and these name chains.
  for (const { id, o, old } of next) if (o.kind === "chain") write.chainHead(id, o, old !== undefined);
  for (const { id, o } of next) {
    if (o.kind === "set" || o.kind === "map") write.set(id, o);
    else if (o.kind === "foreign") write.line(id, `add ${word(o.name)}`, `${name(o.name)} { ${o.text} ; }`);
  }
  for (const { id, o } of next) if (o.kind === "chain") write.rules(id, o);
  for (const { id, o } of next) if (o.kind === "element") write.element("add", id, o);
  for (const { id, o } of gone) if (o.kind === "chain") write.line(id, "delete chain", o.name);
  for (const { id, o } of gone) {
    if (o.kind === "foreign") write.line(id, `delete ${word(o.name)}`, name(o.name));
    else if (o.kind === "set" || o.kind === "map") write.line(id, `delete ${o.kind}`, o.name);
  }
  return write.lines;
}

/**
 * Can nft say by itself what it has written (`nft -e`)? That costs a fraction of listing a large table. Of chains, rules
 * and elements of plain sets it can; elements of intervals it prints wrong (1.0.6), and what has a hook or a type is seldom
 * written.
 */
export const isEchoed = (lines: readonly Line[], to: NftObjects): boolean =>
  lines.every(({ text, id }) => {
    const o = to.get(id);
    if (/^(?:flush|delete) /.test(text)) return true;
    if (o?.kind === "chain") return o.hook === undefined;
    if (o?.kind !== "element") return false;
    const set = to.get(`map ${o.of}`) ?? to.get(`set ${o.of}`);
    return (set?.kind === "map" || set?.kind === "set") && set.flags.length === 0;
  });

/** The table after a script, as its echo tells it. */
export function echoedTable(lines: readonly Line[], to: NftObjects, echoed: readonly NftObject[]): NftObjects {
  const seen = new Map(to);
  for (const { text, id } of lines) if (text.startsWith("add ")) seen.delete(id);
  for (const o of echoed) seen.set(nftId(o), o);
  return seen;
}

class Writer {
  readonly lines: Line[] = [];
  constructor(private readonly table: string) {}

  line(id: string, verb: string, rest: string): void {
    this.lines.push({ text: `${verb} ${this.table} ${rest}`, id });
  }

  element(verb: "add" | "delete", id: string, o: NftObject & { kind: "element" }): void {
    const value = verb === "add" && o.value !== undefined ? ` : ${o.value}` : "";
    this.line(id, `${verb} element`, `${o.of} { ${o.key}${value} }`);
  }

  set(id: string, o: NftSet): void {
    const flags = o.flags.length > 0 ? [`flags ${o.flags.join(",")}`] : [];
    this.line(id, `add ${o.kind}`, `${o.name} { ${[o.key, ...(o.limits ?? []), ...flags].join(" ; ")} ; }`);
  }

  chainHead(id: string, o: Chain, exists: boolean): void {
    if (exists) this.line(id, "flush chain", o.name);
    else this.line(id, "add chain", o.hook ? `${o.name} { ${hookText(o.hook)} ; }` : o.name);
  }

  rules(id: string, o: Chain): void {
    for (const rule of o.rules) this.line(id, "add rule", `${o.name} ${printRule(rule)}`);
  }
}

function needsRebuild(old: NftObject | undefined, o: NftObject): boolean {
  if (old === undefined) return false;
  if (o.kind === "set" || o.kind === "map" || o.kind === "foreign") return true;
  if (o.kind !== "chain" || old.kind !== "chain") return false;
  return (o.hook ? hookText(o.hook) : "") !== (old.hook ? hookText(old.hook) : "");
}

/** `ct helper` and `sip` of `ct helper sip`. */
const word = (id: string): string => id.slice(0, id.lastIndexOf(" "));
const name = (id: string): string => id.slice(id.lastIndexOf(" ") + 1);
