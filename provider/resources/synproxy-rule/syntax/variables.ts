/** FireHOL's variables: what the text assigns, what the caller gives, and FireHOL 3.1.7's own defaults. */
import { type Span, Trouble, type Word, fail, slice, wordAt } from "./text";

/** FireHOL keeps these lists in files, too (/etc/firehol/RESERVED_IPV4 and so on), which go before its own. */
const NETWORKS: Readonly<Record<string, { readonly 4: string; readonly 6: string }>> = {
  reserved: {
    4: "0.0.0.0/8 127.0.0.0/8 240.0.0.0/4",
    6:
      "::/8 100::/8 200::/7 400::/6 800::/5 1000::/4 4000::/3 6000::/3 8000::/3 a000::/3 c000::/3 e000::/4 " +
      "f000::/5 f800::/6 fe00::/9 fec0::/10",
  },
  private: {
    4: "10.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16",
    6: "fc00::/7 fe80::/10",
  },
  multicast: { 4: "224.0.0.0/4", 6: "ff00::/8" },
};

const LISTS = [...Object.keys(NETWORKS), "unroutable"];

/**
 * The networks behind `unroutable_ips()`, which is FireHOL's way to write a list whose family the statement decides;
 * `unroutable_ipv4()` is one that has its family.
 */
export function networksNamed(text: string, family: 4 | 6): readonly string[] {
  const [, name = "", only = "s"] = /^([a-z]+)_ip(s|v4|v6)\(\)$/.exec(text) ?? [];
  if (only !== "s" && only !== `v${family.toString()}`) return [];
  const names = name === "unroutable" ? ["reserved", "private"] : [name];
  return names.flatMap((n) => (Object.hasOwn(NETWORKS, n) ? (NETWORKS[n]?.[family].split(" ") ?? []) : []));
}

const listVariables = (name: string): [string, string][] =>
  ["s", "v4", "v6"].map((f) => [`${name}_ip${f}`.toUpperCase(), `${name}_ip${f}()`]);

const DEFAULTS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(LISTS.flatMap(listVariables)),
  FIREHOL_SYNPROXY_OPTIONS: "--sack-perm --timestamp --wscale 7 --mss 1460",
  FIREHOL_SYNPROXY_LOG: "0",
  FIREHOL_SYNPROXY_EXCLUDE_OWNER: "0",
  FIREHOL_LOG_FREQUENCY: "1/second",
  FIREHOL_LOG_BURST: "5",
  FIREHOL_LOG_LEVEL: "warning",
  FIREHOL_LOG_PREFIX: "",
};

/** Those that say something of a SYNPROXY rule. */
const OF_RULES = new Set(Object.keys(DEFAULTS).filter((name) => name.startsWith("FIREHOL_")));

export class Variables {
  private readonly assigned = new Map<string, Word>();

  constructor(private readonly given: Readonly<Record<string, string>> = {}) {}

  /** What the caller gives goes before what the text says: a value that only the host can compute is given so. */
  readonly valueOf = (name: string): string | undefined =>
    this.givenValue(name) ??
    this.assigned.get(name)?.text ??
    (Object.hasOwn(DEFAULTS, name) ? DEFAULTS[name] : undefined);

  /** The value, with its place where the text assigns it. */
  wordOf(name: string, otherwise: Span): Word {
    const word = this.givenValue(name) === undefined ? this.assigned.get(name) : undefined;
    return word ?? wordAt(this.valueOf(name) ?? "", otherwise);
  }

  /** 0 or 1. */
  isOn(name: string, otherwise: Span): boolean {
    const word = this.wordOf(name, otherwise);
    if (word.text === "0" || word.text === "1") return word.text === "1";
    throw new Trouble(word, `${JSON.stringify(word.text)}: ${name} is 0 or 1`);
  }

  assign(name: string, value: Word): void {
    this.assigned.set(name, value);
  }

  isGiven = (name: string): boolean => this.givenValue(name) !== undefined;

  private givenValue = (name: string): string | undefined =>
    Object.hasOwn(this.given, name) ? this.given[name] : undefined;
}

export const saysOfRules = (name: string): boolean => OF_RULES.has(name);

/** `NAME=value`; undefined if the word is no assignment. */
export function assignmentOf(word: Word): { readonly name: Word; readonly value: Word } | undefined {
  const [whole, name = "", plus] = /^([A-Za-z_]\w*)(\+?)=/.exec(word.text) ?? [];
  if (whole === undefined) return undefined;
  if (plus === "+") return fail(word, "is not read; write the whole value: NAME=...");
  return { name: slice(word, 0, name.length), value: slice(word, whole.length) };
}
