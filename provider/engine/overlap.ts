/** Do two keys of an interval map match the same packet? A key is a concatenation of values and ranges. */
import { isIPv4 } from "node:net";

export function keysOverlap(a: string, b: string): boolean {
  const [as, bs] = [a.split(" . "), b.split(" . ")];
  return as.length === bs.length && as.every((part, i) => partsOverlap(part, bs[i] ?? ""));
}

function partsOverlap(a: string, b: string): boolean {
  const [x, y] = [interval(a), interval(b)];
  return x && y ? x[0] <= y[1] && y[0] <= x[1] : a === b;
}

/** A number, an address, or a range of either; undefined for what has no order, such as an interface's name. */
export function interval(part: string): [number, number] | undefined {
  if (part.startsWith('"')) return undefined;
  const [from = "", to = from] = part.split("-");
  const [low, high] = [ordinal(from), ordinal(to)];
  return low === undefined || high === undefined ? undefined : [low, high];
}

export function ordinal(text: string): number | undefined {
  if (/^[0-9]+$/.test(text)) return Number(text);
  return isIPv4(text) ? text.split(".").reduce((n, octet) => n * 256 + Number(octet), 0) : undefined;
}
