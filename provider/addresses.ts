/** Sets of addresses and of ports, as ranges of numbers: so that a negation, too, is a set of what does match. */
import { isIPv4, isIPv6 } from "node:net";

export type Family = 4 | 6;
export const FAMILIES: readonly Family[] = [4, 6];

/** From and to, both in it. */
export interface Range {
  readonly from: bigint;
  readonly to: bigint;
}

export interface AddressRange extends Range {
  readonly family: Family;
}

const BITS = { 4: 32, 6: 128 } as const;

/** All that there is. */
export const all = (family: Family): AddressRange => ({ family, from: 0n, to: (1n << BigInt(BITS[family])) - 1n });

/** An address, a network (`192.0.2.0/24`) or a range (`192.0.2.1-192.0.2.9`); or why it is none. */
export function parseAddresses(text: string): AddressRange | string {
  const [first = "", ...rest] = text.split("-");
  const [base = "", prefix] = first.split("/");
  const from = parseAddress(base);
  if (from === undefined || rest.length > 1 || first.split("/").length > 2)
    return "is not an address (203.0.113.10), a network (203.0.113.0/24) or a range (203.0.113.10-203.0.113.20)";
  if (rest[0] !== undefined) return rangeTo(from, prefix, rest[0]);
  if (prefix === undefined) return { ...from, to: from.from };
  const bits = BITS[from.family];
  const length = /^[0-9]{1,3}$/.test(prefix) ? Number(prefix) : Infinity;
  if (length > bits) return `has a prefix that is no number from 0 to ${bits.toString()}`;
  const size = 1n << BigInt(bits - length);
  const rests = from.from % size;
  if (rests !== 0n)
    return `has host bits: the network is ${printAddress(from.family, from.from - rests)}/${length.toString()}`;
  return { ...from, to: from.from + size - 1n };
}

function rangeTo(from: Omit<AddressRange, "to">, prefix: string | undefined, text: string): AddressRange | string {
  const to = parseAddress(text);
  if (prefix !== undefined || to === undefined) return "is not a range of addresses (203.0.113.10-203.0.113.20)";
  if (to.family !== from.family) return "begins with an address of one family and ends with one of the other";
  if (to.from < from.from) return "ends before it begins";
  return { ...from, to: to.from };
}

function parseAddress(text: string): Omit<AddressRange, "to"> | undefined {
  if (isIPv4(text)) return { family: 4, from: octets(text) };
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const dotted = /^(.*:)([0-9.]+)$/.exec(text);
  const [, head = "", tail = ""] = dotted && isIPv4(dotted[2] ?? "") ? dotted : [];
  const low = octets(tail === "" ? "0.0.0.0" : tail);
  const hex = tail === "" ? text : `${head}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  const [left = [], right = []] = hex.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => "0"), ...right];
  return { family: 6, from: groups.reduce((n, group) => (n << 16n) + BigInt(`0x${group}`), 0n) };
}

const octets = (text: string): bigint => text.split(".").reduce((n, octet) => (n << 8n) + BigInt(octet), 0n);

export function printAddress(family: Family, n: bigint): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => ((n >> shift) & 255n).toString()).join(".");
  // As inet_ntop(3) writes it, and nft with it.
  const low = printAddress(4, n & 0xffffffffn);
  if (n >> 32n === 0xffffn) return `::ffff:${low}`;
  // An address of the long-gone form `::192.0.2.1`: above 16 bits, which are `::1` and its like.
  if (n >> 32n === 0n && n >> 16n !== 0n) return `::${low}`;
  const groups = Array.from({ length: 8 }, (_, i) => ((n >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  const zeros = [...groups.join(":").matchAll(/(?<=^|:)0(?::0)+(?=:|$)/g)].toSorted(
    (a, b) => b[0].length - a[0].length,
  );
  const longest = zeros[0];
  if (longest === undefined) return groups.join(":");
  const text = groups.join(":");
  const [before, after] = [text.slice(0, longest.index), text.slice(longest.index + longest[0].length)];
  return `${before.replace(/:$/, "")}::${after.replace(/^:/, "")}`;
}

/** As nft lists it: an address, a network where it is one, or a range. */
export function printAddresses({ family, from, to }: AddressRange): string {
  if (from === to) return printAddress(family, from);
  const size = to - from + 1n;
  const isNetwork = (size & (size - 1n)) === 0n && from % size === 0n;
  if (!isNetwork) return `${printAddress(family, from)}-${printAddress(family, to)}`;
  return `${printAddress(family, from)}/${(BITS[family] - size.toString(2).length + 1).toString()}`;
}

export const isSingle = ({ from, to }: Range): boolean => from === to;

/** Sorted; what overlaps or touches is one. */
export function joined<R extends Range>(ranges: readonly R[]): R[] {
  const found: R[] = [];
  for (const range of ranges.toSorted((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))) {
    const last = found.at(-1);
    if (last && range.from <= last.to + 1n)
      found[found.length - 1] = { ...last, to: range.to > last.to ? range.to : last.to };
    else found.push(range);
  }
  return found;
}

/** The same, but single ones that are within no range stay by themselves: they are found by a hash. */
export function canonical<R extends Range>(ranges: readonly R[]): R[] {
  const wide = joined(ranges.filter((r) => !isSingle(r)));
  const singles = new Map(
    ranges.filter((r) => isSingle(r) && !wide.some((w) => w.from <= r.from && r.to <= w.to)).map((r) => [r.from, r]),
  );
  return [...wide, ...singles.values()].toSorted((a, b) => (a.from < b.from ? -1 : 1));
}

/** Of some ranges, what the others leave of them. */
export function without<R extends Range>(ranges: readonly R[], gone: readonly Range[]): R[] {
  return joined(gone).reduce(
    (left, hole) =>
      left.flatMap((r) => {
        if (hole.to < r.from || hole.from > r.to) return [r];
        return [
          ...(hole.from > r.from ? [{ ...r, to: hole.from - 1n }] : []),
          ...(hole.to < r.to ? [{ ...r, from: hole.to + 1n }] : []),
        ];
      }),
    [...ranges],
  );
}

/** Do they hold the same? */
export const sameRanges = (a: readonly Range[], b: readonly Range[]): boolean =>
  without(a, b).length === 0 && without(b, a).length === 0;

/** The networks that a range is made of. */
export function networks({ family, from, to }: AddressRange): AddressRange[] {
  const found: AddressRange[] = [];
  for (let at = from; at <= to; at = (found.at(-1)?.to ?? to) + 1n) {
    let size = at === 0n ? 1n << BigInt(BITS[family]) : at & -at;
    while (at + size - 1n > to) size >>= 1n;
    found.push({ family, from: at, to: at + size - 1n });
  }
  return found;
}
