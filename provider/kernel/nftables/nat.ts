/** Where DNAT leads: an address or a range of them, a port or a range of them, or both. */
import { type AddressRange, isSingle, parseAddresses, printAddress, printAddresses } from "../../addresses";

export interface Target {
  /** Undefined: the address stays. */
  readonly addresses: AddressRange | undefined;
  /** `8080` or `8080-8090`; undefined: the port stays. */
  readonly ports: string | undefined;
}

export const TARGET =
  'where to is an address or a range of them ("10.1.1.1", "10.1.1.1-10.1.1.10"), with or without ports ' +
  '("10.1.1.1:8080", "[2001:db8::1]:8080-8090"), or ports alone (":8080")';

export function parseTarget(text: string): Target | string {
  const bracketed = /^\[([^\]]+)\](?:-\[([^\]]+)\])?(?::([0-9-]+))?$/.exec(text);
  // nft lists a range of IPv6 addresses that is a network without brackets: `2001:db8::130/127:80`.
  const plain = /^([0-9.]*(?:-[0-9.]+|\/[0-9]+)?|[0-9a-f:.]+\/[0-9]+)(?::([0-9-]+))?$/.exec(text);
  const [addresses, ports] = bracketed
    ? [[bracketed[1], bracketed[2]].filter((part) => part !== undefined).join("-"), bracketed[3]]
    : plain
      ? [plain[1] ?? "", plain[2]]
      : [text, undefined];
  const range = addresses === "" ? undefined : parseAddresses(addresses);
  if (typeof range === "string" || (range === undefined && ports === undefined)) return TARGET;
  if (ports === undefined) return { addresses: range, ports };
  const [from = "", to = from, ...more] = ports.split("-");
  const numbers = [from, to].map(Number);
  if (more.length > 0 || ![from, to].every((p) => /^[0-9]{1,5}$/.test(p)) || numbers.some((n) => n < 1 || n > 65535))
    return `${TARGET}; ports are 1 to 65535`;
  if (Number(to) < Number(from)) return "the range of ports ends before it begins";
  return { addresses: range, ports: [...new Set(numbers)].join("-") };
}

/** What nft loads: with ports it takes no network, without it lists one. */
export function printTarget({ addresses: a, ports }: Target): string {
  if (a === undefined) return `:${ports ?? ""}`;
  if (ports === undefined) return printAddresses(a);
  const text = isSingle(a) ? [a.from] : [a.from, a.to];
  const parts = text.map((n) => printAddress(a.family, n)).map((n) => (a.family === 6 ? `[${n}]` : n));
  return `${parts.join("-")}:${ports}`;
}
