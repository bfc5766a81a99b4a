/** Do two keys of an interval map match the same packet? A key is a concatenation of values and ranges. */
import { parseAddresses } from "../addresses";

export function keysOverlap(a: string, b: string): boolean {
  const [as, bs] = [a.split(" . "), b.split(" . ")];
  return as.length === bs.length && as.every((part, i) => partsOverlap(part, bs[i] ?? ""));
}

function partsOverlap(a: string, b: string): boolean {
  const [x, y] = [interval(a), interval(b)];
  return x && y ? x[0] <= y[1] && y[0] <= x[1] : a === b;
}

const PORTS = /^([0-9]+)(?:-([0-9]+))?$/;

/** A number, an address, or a range of either; undefined for what has no order, such as an interface's name. */
export function interval(part: string): readonly [bigint, bigint] | undefined {
  if (part.startsWith('"')) return undefined;
  const [, from, to = from] = PORTS.exec(part) ?? [];
  if (from !== undefined && to !== undefined) return [BigInt(from), BigInt(to)];
  const range = parseAddresses(part);
  return typeof range === "string" ? undefined : [range.from, range.to];
}

/** Could the key match a packet to this address and port? A part of another sort, an interface, may match any packet. */
export function keyMatches(key: string, address: string, port: number): boolean {
  const parts = key.split(" . ");
  const ports = parts.filter((part) => PORTS.test(part)).flatMap((part) => [interval(part) ?? []].flat());
  const ranges = parts.filter((part) => !PORTS.test(part)).map(parseAddresses);
  const addresses = ranges.filter((range) => typeof range !== "string");
  const to = parseAddresses(address);
  const [low, high] = ports;
  const portMatches = low === undefined || high === undefined || (low <= BigInt(port) && BigInt(port) <= high);
  const addressMatches =
    addresses.length === 0 ||
    typeof to === "string" ||
    addresses.some((r) => r.family === to.family && r.from <= to.from && to.from <= r.to);
  return portMatches && addressMatches;
}
