/**
 * nftables rules as data. A rule is a list of statements; `printRule` writes the spelling that every nft since 0.9
 * loads, `parseRule` reads any spelling nft lists it back in. Two rules are the same when they print the same, so a
 * release of nft that lists `tcp flags syn / fin,syn,rst,ack` where another lists `tcp flags & (fin | syn | rst | ack)
 * == syn` never shows as drift.
 */

import { parseTarget, printTarget } from "./nat";

/** A TCP flag by nft's name. */
export type TcpFlag = "fin" | "syn" | "rst" | "psh" | "ack" | "urg" | "ecn" | "cwr";

/** A conntrack state by nft's name. */
export type CtState = "invalid" | "established" | "related" | "new" | "untracked";

/** A packet or metadata field that keys a set or a map. */
export type Field = "iifname" | "ip daddr" | "ip saddr" | "ip6 daddr" | "ip6 saddr" | "tcp dport" | "tcp sport";

/** nft(8), SYNPROXY STATEMENT. */
export interface SynproxyOptions {
  readonly mss: number;
  /** nft has no way to say that there is none: it loads and lists 0 then. Without timestamp it has no effect. */
  readonly wscale: number;
  readonly timestamp: boolean;
  readonly sackPerm: boolean;
}

/** nft(8), LIMIT STATEMENT. */
export interface Limit {
  /** Matches what is above the rate, not what is below. */
  readonly over: boolean;
  /** As nft writes it, e.g. `2000/second`. */
  readonly rate: string;
  /** Packets above the rate that do not count yet. nft's own default is 5. */
  readonly burst: number;
}

export type Statement =
  | { readonly is: "tcp-flags"; readonly mask: readonly TcpFlag[]; readonly equal: readonly TcpFlag[] }
  | { readonly is: "ct-state"; readonly states: readonly CtState[] }
  | { readonly is: "l4proto"; readonly protocol: "tcp" }
  | { readonly is: "tcp-window"; readonly window: number }
  | { readonly is: "lookup"; readonly key: readonly Field[]; readonly set: string }
  | { readonly is: "vmap"; readonly key: readonly Field[]; readonly map: string }
  | { readonly is: "jump" | "goto"; readonly chain: string }
  | { readonly is: "interfaces"; readonly names: readonly string[] }
  /** Any bit of the mask is set in the packet's mark. */
  | { readonly is: "marked"; readonly mask: number }
  /** Writes the packet's own values into a set. */
  | { readonly is: "add" | "update"; readonly set: string; readonly element: string }
  | ({ readonly is: "limit" } & Limit)
  | { readonly is: "connections"; readonly over: number }
  | { readonly is: "log"; readonly prefix: string; readonly level: string }
  | { readonly is: "counter" }
  | {
      readonly is: "dnat";
      readonly family: "ip" | "ip6" | undefined;
      readonly to: string;
      readonly persistent: boolean;
    }
  | ({ readonly is: "synproxy" } & SynproxyOptions)
  | { readonly is: "accept" | "drop" | "return" | "notrack" }
  /** Something this program does not write: kept word for word, so that it can be shown, compared and put back. */
  | { readonly is: "foreign"; readonly text: string };

export type Rule = readonly Statement[];

const FLAGS: readonly TcpFlag[] = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];
const STATES: readonly CtState[] = ["invalid", "established", "related", "new", "untracked"];

function printStatement(s: Statement): string {
  switch (s.is) {
    case "tcp-flags":
      return `tcp flags & (${inOrder(FLAGS, s.mask).join("|")}) == ${bits(inOrder(FLAGS, s.equal))}`;
    case "ct-state":
      return `ct state ${inOrder(STATES, s.states).join(",")}`;
    case "l4proto":
      return `meta l4proto ${s.protocol}`;
    case "tcp-window":
      return `tcp window ${s.window.toString()}`;
    case "lookup":
      return `${s.key.join(" . ")} @${s.set}`;
    case "vmap":
      return `${s.key.join(" . ")} vmap @${s.map}`;
    case "jump":
    case "goto":
      return `${s.is} ${s.chain}`;
    case "interfaces":
      return `iifname ${s.names.length === 1 ? quoted(s.names[0]) : `{ ${s.names.toSorted().map(quoted).join(", ")} }`}`;
    case "marked":
      return `meta mark & ${hex(s.mask)} != ${hex(0)}`;
    case "add":
    case "update":
      return `${s.is} @${s.set} { ${s.element} }`;
    case "limit":
      return printLimit(s);
    case "connections":
      return `ct count over ${s.over.toString()}`;
    case "log":
      return `log prefix ${quoted(s.prefix)} level ${s.level}`;
    case "counter":
      return "counter";
    case "dnat":
      return `dnat ${s.family === undefined ? "" : `${s.family} `}to ${s.to}${s.persistent ? " persistent" : ""}`;
    case "synproxy":
      return printSynproxy(s);
    case "accept":
    case "drop":
    case "return":
    case "notrack":
      return s.is;
    case "foreign":
      return s.text;
    default:
      return s satisfies never;
  }
}

const quoted = (text = ""): string => `"${text}"`;
const hex = (n: number): string => `0x${n.toString(16).padStart(8, "0")}`;

export const printLimit = ({ over, rate, burst }: Limit): string =>
  `limit rate ${over ? "over " : ""}${rate} burst ${burst.toString()} packets`;

function printSynproxy({ mss, wscale, timestamp, sackPerm }: SynproxyOptions): string {
  const scale = timestamp || wscale !== 0 ? ` wscale ${wscale.toString()}` : "";
  return `synproxy mss ${mss.toString()}${scale}${timestamp ? " timestamp" : ""}${sackPerm ? " sack-perm" : ""}`;
}

/** The rule as one line of nft. */
export function printRule(rule: Rule): string {
  return rule.map(printStatement).join(" ");
}

const NAME = String.raw`[A-Za-z_.][A-Za-z0-9_./-]*`;
const KEY = String.raw`(?:iifname|ip6? [sd]addr|tcp [sd]port)(?: \. (?:iifname|ip6? [sd]addr|tcp [sd]port))*`;

/** What nft leaves out of a listing. */
const DEFAULT_BURST = 5;
const DEFAULT_LEVEL = "warn";

const spellBurst = (element: string): string =>
  element.replace(/(limit rate over [0-9]+\/[a-z]+)$/, `$1 burst ${DEFAULT_BURST.toString()} packets`);

/** One reader per statement; the first whose pattern fits the head of the line takes it. */
const READERS: readonly (readonly [RegExp, (m: RegExpExecArray) => Statement | undefined])[] = [
  [
    /^tcp flags & \(([a-z |]+)\) == (?:\(([a-z |]+)\)|([a-z]+(?: \| [a-z]+)*))(?= |$)/,
    (m) => tcpFlags(m[1], m[2] ?? m[3]),
  ],
  [/^tcp flags ([a-z,]+) \/ ([a-z,]+)(?= |$)/, (m) => tcpFlags(m[2], m[1])],
  [/^ct state \{? ?([a-z]+(?:, ?[a-z]+)*) ?\}?(?= |$)/, (m) => ctState(m[1])],
  [/^meta l4proto (?:tcp|6)(?= |$)/, () => ({ is: "l4proto", protocol: "tcp" })],
  [/^tcp window ([0-9]+)(?= |$)/, (m) => ({ is: "tcp-window", window: Number(m[1]) })],
  [new RegExp(`^(${KEY}) vmap @(${NAME})(?= |$)`), (m) => ({ is: "vmap", key: fields(m[1]), map: m[2] ?? "" })],
  [new RegExp(`^(${KEY}) @(${NAME})(?= |$)`), (m) => ({ is: "lookup", key: fields(m[1]), set: m[2] ?? "" })],
  [new RegExp(`^(jump|goto) (${NAME})(?= |$)`), (m) => ({ is: m[1] === "jump" ? "jump" : "goto", chain: m[2] ?? "" })],
  [
    /^synproxy mss ([0-9]+)(?: wscale ([0-9]+))?( timestamp)?( sack-perm)?(?= |$)/,
    (m) => ({
      is: "synproxy",
      mss: Number(m[1]),
      wscale: Number(m[2] ?? 0),
      timestamp: m[3] !== undefined,
      sackPerm: m[4] !== undefined,
    }),
  ],
  [
    /^iifname (?:"([^"]+)"|\{ ("[^{}]*") \})(?= |$)/,
    (m) => ({ is: "interfaces", names: m[1] === undefined ? (m[2] ?? "").slice(1, -1).split('", "') : [m[1]] }),
  ],
  [/^meta mark & (0x[0-9a-f]+) != 0(?:x0+)?(?= |$)/, (m) => ({ is: "marked", mask: Number(m[1]) })],
  [
    new RegExp(`^(add|update) @(${NAME}) \\{ ([^{}]+) \\}(?= |$)`),
    (m) => ({ is: m[1] === "add" ? "add" : "update", set: m[2] ?? "", element: spellBurst(m[3] ?? "") }),
  ],
  [
    /^limit rate (over )?([0-9]+\/[a-z]+)(?: burst ([0-9]+) packets)?(?= |$)/,
    (m) => ({ is: "limit", over: m[1] !== undefined, rate: m[2] ?? "", burst: Number(m[3] ?? DEFAULT_BURST) }),
  ],
  [/^ct count over ([0-9]+)(?= |$)/, (m) => ({ is: "connections", over: Number(m[1]) })],
  [
    // With a group there is no level.
    /^log prefix "([^"]*)"(?: level ([a-z]+))?(?= |$)(?! (?:group|snaplen|queue-threshold|flags|level) )/,
    (m) => ({ is: "log", prefix: m[1] ?? "", level: m[2] ?? DEFAULT_LEVEL }),
  ],
  [/^dnat (?:(ip6?) )?to (\S+)( persistent)?(?= |$)/, (m) => dnat(m[1], m[2] ?? "", m[3] !== undefined)],
  [/^counter(?: packets [0-9]+ bytes [0-9]+)?(?= |$)/, () => ({ is: "counter" })],
  [/^(accept|drop|return|notrack)(?= |$)/, (m) => ({ is: m[1] as "accept" | "drop" | "return" | "notrack" })],
];

/** Reads one line of a listing. What is not understood becomes a `foreign` statement that holds the rest of the line. */
export function parseRule(line: string): Rule {
  const rule: Statement[] = [];
  let rest = line.trim();
  while (rest !== "") {
    const read = readStatement(rest);
    if (read === undefined) return [...rule, { is: "foreign", text: rest }];
    rule.push(read.statement);
    rest = read.rest;
  }
  return rule;
}

function readStatement(text: string): { statement: Statement; rest: string } | undefined {
  for (const [pattern, read] of READERS) {
    const match = pattern.exec(text);
    const statement = match ? read(match) : undefined;
    if (match && statement) return { statement, rest: text.slice(match[0].length).trimStart() };
  }
  return undefined;
}

/** nft lists a range with ports as a network, which it does not load (1.0.6). */
function dnat(family: string | undefined, to: string, persistent: boolean): Statement | undefined {
  const target = parseTarget(to);
  if (typeof target === "string") return undefined;
  return { is: "dnat", family: family as "ip" | "ip6" | undefined, to: printTarget(target), persistent };
}

function tcpFlags(mask = "", equal = ""): Statement | undefined {
  const split = (text: string) => text.split(/[|, ]+/).filter((word) => word !== "");
  const [m, e] = [split(mask), split(equal)];
  return [...m, ...e].every(isFlag) ? { is: "tcp-flags", mask: m as TcpFlag[], equal: e as TcpFlag[] } : undefined;
}

function ctState(list = ""): Statement | undefined {
  const states = list.split(/, ?/);
  return states.every(isState) ? { is: "ct-state", states } : undefined;
}

const isFlag = (word: string): word is TcpFlag => (FLAGS as readonly string[]).includes(word);
const isState = (word: string): word is CtState => (STATES as readonly string[]).includes(word);
const fields = (key = ""): Field[] => key.split(" . ") as Field[];
const inOrder = <T>(order: readonly T[], some: readonly T[]): T[] => order.filter((x) => some.includes(x));
const bits = (flags: readonly string[]): string => (flags.length === 1 ? (flags[0] ?? "") : `(${flags.join("|")})`);
