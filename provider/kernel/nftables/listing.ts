/**
 * Reads what `nft list` prints. Text and not JSON, because only text is whole: JSON omits ingress devices and some
 * typeof names, and `nft -j list synproxys` aborts (nft 1.0.6).
 */
import { type Chain, type Element, type Foreign, type Hook, type NftObject, type NftSet } from "./objects";
import { type Rule, parseRule } from "./rule";

/** Remembers what a text was read as, over many listings of one table. */
export interface ListingCache {
  block(text: string, parse: () => readonly NftObject[]): readonly NftObject[];
  element(text: string, parse: () => Element): Element;
}

const NO_CACHE: ListingCache = { block: (_text, parse) => parse(), element: (_text, parse) => parse() };

/** The objects of table `family name` in a listing that may show the table several times, in parts. */
export function parseTables(listing: string, family: string, table: string, cache = NO_CACHE): NftObject[] {
  const lines = listing.split("\n");
  const found: NftObject[] = [];
  const head = `table ${family} ${table} {`;
  for (let at = lines.indexOf(head); at >= 0; at = lines.indexOf(head, at + 1)) {
    const end = lines.indexOf("}", at);
    found.push(...blocks(lines.slice(at + 1, end < 0 ? undefined : end)).flatMap((b) => parseBlock(b, cache)));
  }
  return found;
}

/** A rule may come with the handle of the one before it. */
const ECHOED = /^add (chain|rule|element) ([a-z0-9]+ [^ ]+) ([^ ]+)(?: (?:handle [0-9]+ )?(.*))?$/;

/**
 * The objects in what `nft -e` prints, which is what the kernel says that it has taken up: chains without a hook, rules
 * and elements. Undefined when there is anything else.
 */
export function parseEcho(echo: string, table: string): NftObject[] | undefined {
  const chains = new Map<string, Rule[]>();
  const elements: Element[] = [];
  for (const line of echo.split("\n")) {
    if (line === "" || line.startsWith("# ")) continue;
    const [, verb, of, name = "", rest = ""] = ECHOED.exec(line) ?? [];
    if (verb === undefined || of !== table) return undefined;
    if (verb === "element") elements.push(parseElement(name, rest.replace(/^\{ (.*) \}$/, "$1")));
    else {
      if (verb === "chain" && rest !== "") return undefined;
      const rules = chains.get(name) ?? [];
      chains.set(name, verb === "rule" ? [...rules, parseRule(rest)] : rules);
    }
  }
  return [...[...chains].map(([name, rules]): Chain => ({ kind: "chain", name, rules })), ...elements];
}

interface Block {
  /** The words before the brace, e.g. `chain input`. */
  readonly head: string;
  readonly body: readonly string[];
}

/** nft indents what is inside the table by one tab, and what is inside an object by two. */
function blocks(lines: readonly string[]): Block[] {
  const found: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const head = /^\t([a-z].*) \{$/.exec(lines[i] ?? "")?.[1];
    if (head === undefined) continue;
    const end = lines.indexOf("\t}", i);
    found.push({ head, body: lines.slice(i + 1, end).map((line) => line.replace(/^\t\t/, "")) });
    i = end;
  }
  return found;
}

function parseBlock({ head, body }: Block, cache: ListingCache): readonly NftObject[] {
  const space = head.indexOf(" ");
  const [kind, name] = [head.slice(0, space), head.slice(space + 1)];
  if (kind === "set" || kind === "map") return parseSet(kind, name, body, cache);
  return cache.block([head, ...body].join("\n"), () => [
    kind === "chain" ? parseChain(name, body) : foreign(head, body),
  ]);
}

const foreign = (name: string, body: readonly string[]): Foreign => ({
  kind: "foreign",
  name,
  text: body.map((line) => line.trim()).join("; "),
});

const PRIORITIES: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
};

function parsePriority(text: string): number {
  const m = /^([a-z]+)(?: ([+-]) ([0-9]+))?$/.exec(text);
  if (!m) return Number(text);
  return (PRIORITIES[m[1] ?? ""] ?? NaN) + Number(`${m[2] ?? ""}${m[3] ?? "0"}`);
}

const HOOK =
  /^type (filter|nat|route) hook ([a-z]+)(?: device "?([^" ]+)"?)? priority ([^;]+);(?: policy (accept|drop);)?$/;

function parseChain(name: string, body: readonly string[]): Chain {
  // A comment cannot be changed in place, and changes nothing: it is neither kept nor drift.
  const rules = body.filter((line) => line.trim() !== "" && !line.trim().startsWith('comment "'));
  const m = HOOK.exec(rules[0] ?? "");
  if (!m) return { kind: "chain", name, rules: rules.map(parseRule) };
  const hook: Hook = {
    type: m[1] as Hook["type"],
    hook: m[2] as Hook["hook"],
    ...(m[3] === undefined ? {} : { device: m[3] }),
    priority: parsePriority(m[4] ?? ""),
    policy: m[5] === "drop" ? "drop" : "accept",
  };
  return { kind: "chain", name, hook, rules: rules.slice(1).map(parseRule) };
}

function parseSet(kind: "set" | "map", name: string, body: readonly string[], cache: ListingCache): NftObject[] {
  const text = body.map((line) => line.trim()).join("\n");
  const key = /^type(?:of)? .*$/m.exec(text)?.[0] ?? "";
  const flags = /^flags (.*)$/m.exec(text)?.[1]?.split(",") ?? [];
  const limits = [/^size [0-9]+/m, /^timeout [0-9a-z]+/m].flatMap((limit) => limit.exec(text)?.[0] ?? []);
  const elements = /^elements = \{([\s\S]*)\}$/m.exec(text)?.[1] ?? "";
  const set: NftSet = { kind, name, key, flags, ...(limits.length > 0 ? { limits } : {}) };
  // What packets put there is no declaration of anybody's.
  if (flags.includes("dynamic")) return [set];
  return [set, ...splitElements(elements).map((e) => cache.element(`${name} ${e}`, () => parseElement(name, e)))];
}

/** A comma separates elements, unless it stands within the quotes of a comment. */
const splitElements = (text: string): string[] =>
  (text.match(/(?:[^,"]|"[^"]*")+/g) ?? []).map((e) => e.replace(/\s+/g, " ").trim()).filter((e) => e !== "");

/** What nft lists behind a key and is no part of it. */
const ATTRIBUTES = / (?:timeout|expires|counter|last) .*$/;

function parseElement(of: string, listed: string): Element {
  const text = listed.replace(/ comment "[^"]*"/, "");
  // The verdict follows the last " : "; an IPv6 address has no spaces around its colons.
  const at = text.lastIndexOf(" : ");
  const key = (at < 0 ? text : text.slice(0, at)).replace(ATTRIBUTES, "");
  return { kind: "element", of, key, ...(at < 0 ? {} : { value: text.slice(at + 3) }) };
}
