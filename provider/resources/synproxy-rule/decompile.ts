import {
  type Family,
  type Range,
  FAMILIES,
  all,
  canonical,
  parseAddresses,
  printAddresses,
  sameRanges,
  without,
} from "../../addresses";
import { type Element, type NftObjects, verdictChain } from "../../kernel/nftables/objects";
import { type Rule, type Statement, printRule } from "../../kernel/nftables/rule";
import { canonicalNames } from "../../values";
import { type Dispatch, type KeyParts, readTierElement } from "../layout";
import { labelOf, readTime } from "./compile";
import { type SynproxyRuleModel, type TcpOptions, families } from "./model";

type Found = Partial<SynproxyRuleModel>;

/**
 * The arguments that the observed objects amount to. A part that no arguments would produce (one key of a combination
 * is missing, the proxy's rule is gone) is left out: the lines say what differs. What is declared decides only how the
 * same thing is said: by what it is, or by what it is not.
 */
export function decompile(prefix: string, nft: NftObjects, declared?: SynproxyRuleModel): Found {
  const chains = (name: string): readonly Rule[] | undefined => {
    const o = nft.get(`chain ${prefix}${name}`);
    return o?.kind === "chain" ? o.rules : undefined;
  };
  const chain = chains("input") ? "input" : chains("forward") ? "forward" : undefined;
  if (chain === undefined) return {};
  const match = readMatch(prefix, nft, chain, chains(chain) ?? [], declared);
  const options = readOptions(chains(chain) ?? []);
  const own = chains("own");
  const prerouting = readPrerouting(prefix, chains("prerouting") ?? [], declared);
  const found: Found = {
    chain,
    ...(match ? { match: match.match } : {}),
    ...(options ? { options } : {}),
    ...prerouting,
    ...readProfiles(prefix, nft, chain),
    ...(own ? readOwn(prefix, own, prerouting.logHandshake !== undefined, declared) : {}),
    ...unseen(declared),
  };
  return withFamily(found, match?.families ?? [], declared);
}

/** What is no part of its own objects: the mark is everybody's, and how it is to go is nowhere. */
const unseen = (declared: SynproxyRuleModel | undefined): Found => ({
  ...(declared?.serverFirst === undefined ? {} : { serverFirst: declared.serverFirst }),
  ...(declared?.mark === undefined ? {} : { mark: declared.mark }),
  ...(declared?.onDelete === undefined ? {} : { onDelete: declared.onDelete }),
  ...(declared?.drainTimeout === undefined ? {} : { drainTimeout: declared.drainTimeout }),
});

/** Only where the addresses do not say so themselves, or where it was said anyway. */
function withFamily(found: Found, fams: readonly Family[], declared: SynproxyRuleModel | undefined): Found {
  if (found.match === undefined) return found;
  const { match, action } = found;
  const said = declared?.family;
  if (said !== undefined && families({ match, action, family: said }).join() === fams.join())
    return { ...found, family: said };
  if (families({ match, action }).join() === fams.join()) return found;
  return { ...found, family: fams.length === 2 ? "both" : fams[0] === 4 ? "ipv4" : "ipv6" };
}

interface FoundMatch {
  readonly match: SynproxyRuleModel["match"];
  readonly families: readonly Family[];
}

function readMatch(
  prefix: string,
  nft: NftObjects,
  chain: Dispatch,
  rules: readonly Rule[],
  declared: SynproxyRuleModel | undefined,
): FoundMatch | undefined {
  const keys = [...nft.values()]
    .filter((o): o is Element => o.kind === "element" && verdictChain(o) === `${prefix}${chain}`)
    .flatMap((e) => readTierElement(e) ?? [])
    .filter((k) => k.dispatch === chain);
  const fams = FAMILIES.filter((f) => keys.some((k) => k.family === f));
  const of = (f: Family) => keys.filter((k) => k.family === f);
  if (fams.length === 0 || !fams.every((f) => isProduct(of(f)))) return undefined;
  const elsewhere = rules[0]?.[0];
  const named = canonicalNames(keys.flatMap((k) => k.iface ?? []));
  const ranges = (part: (k: KeyParts) => string | undefined) =>
    unique(keys.map(part))
      .map(parseAddresses)
      .filter((r) => typeof r !== "string");
  const m = declared?.match;
  const match = {
    ...said(
      "destinations",
      "notDestinations",
      ranges((k) => k.destination),
      fams,
      m,
    ),
    ...saidPorts(unique(keys.map((k) => k.port)), m),
    ...said(
      "sources",
      "notSources",
      ranges((k) => k.source),
      fams,
      m,
    ),
    ...(named.length > 0 ? { interfaces: named } : {}),
    ...(elsewhere?.is === "interfaces" ? { notInterfaces: [...elsewhere.names].toSorted() } : {}),
  };
  return { match, families: fams };
}

const unique = (texts: readonly (string | undefined)[]): string[] => [
  ...new Set(texts.filter((text) => text !== undefined)),
];

/** Is each combination of what the keys name among them? */
function isProduct(keys: readonly KeyParts[]): boolean {
  const parts = (["iface", "source", "destination", "port"] as const).map(
    (part) => unique(keys.map((k) => k[part])).length,
  );
  return keys.length === parts.reduce((n, count) => n * Math.max(1, count), 1);
}

type Match = SynproxyRuleModel["match"];

function said(
  some: "destinations" | "sources",
  not: "notDestinations" | "notSources",
  found: readonly { readonly family: Family; readonly from: bigint; readonly to: bigint }[],
  fams: readonly Family[],
  declared: Match | undefined,
): Partial<Match> {
  if (found.length === 0) return {};
  const negated = (declared?.[not] ?? []).map(parseAddresses).filter((r) => typeof r !== "string");
  const left = fams.flatMap((f) =>
    without(
      [all(f)],
      negated.filter((r) => r.family === f),
    ),
  );
  const same = fams.every((f) => sameRanges(inFamily(found, f), inFamily(left, f)));
  if (same && declared?.[some] === undefined) return declared?.[not] === undefined ? {} : { [not]: declared[not] };
  const ours = (f: Family) => canonical(inFamily(found, f)).map(printAddresses);
  return { [some]: FAMILIES.flatMap(ours) };
}

const inFamily = <R extends { readonly family: Family }>(ranges: readonly R[], f: Family): R[] =>
  ranges.filter((r) => r.family === f);

function saidPorts(texts: readonly string[], declared: Match | undefined): Partial<Match> {
  const range = (p: string | number): Range => {
    const [from = "", to = from] = p.toString().split("-");
    return { from: BigInt(from), to: BigInt(to) };
  };
  const found = texts.map(range);
  const left = without([{ from: 0n, to: 65535n }], (declared?.notPorts ?? []).map(range));
  if (declared?.ports === undefined && sameRanges(found, left))
    return declared?.notPorts === undefined ? {} : { notPorts: declared.notPorts };
  // All but some: those are from 0, which no argument says.
  const ports = canonical(without(found, [{ from: 0n, to: 0n }])).map(({ from, to }) =>
    from === to ? Number(from) : `${from.toString()}-${to.toString()}`,
  );
  return { ports };
}

type StatementOf<Is> = Statement extends infer S
  ? S extends { is: infer I }
    ? Is extends I
      ? S
      : never
    : never
  : never;

const statement = <Is extends Statement["is"]>(rule: Rule | undefined, is: Is): StatementOf<Is> | undefined =>
  rule?.find((s): s is Statement & StatementOf<Is> => s.is === is);

/** The rule before the last, which drops. */
function readOptions(rules: readonly Rule[]): TcpOptions | undefined {
  const last = rules.at(-1);
  const proxy = rules.at(-2);
  if (last?.length !== 1 || last[0]?.is !== "drop" || proxy?.length !== 1 || proxy[0]?.is !== "synproxy")
    return undefined;
  const { mss, wscale, timestamp, sackPerm } = proxy[0];
  return timestamp ? { mss, wscale, timestamp, sackPerm } : { mss, timestamp, sackPerm };
}

function readPrerouting(prefix: string, rules: readonly Rule[], declared: SynproxyRuleModel | undefined): Found {
  const limit = statement(
    rules.find((rule) => statement(rule, "notrack")),
    "limit",
  );
  const denied = unique(
    rules.flatMap((rule) =>
      statement(rule, "drop") ? /^trap[46]-(.+)$/.exec(statement(rule, "lookup")?.set ?? "")?.[1] : [],
    ),
  );
  const log = readLog(
    prefix,
    rules.find((rule) => statement(rule, "log")),
    "SYN ",
    declared?.logHandshake,
  );
  return {
    ...(limit?.over ? { protectAbove: { rate: limit.rate, burst: limit.burst } } : {}),
    ...(denied.length > 0 ? { denySources: canonicalNames(denied) } : {}),
    ...(log ? { logHandshake: log } : {}),
  };
}

type Log = NonNullable<SynproxyRuleModel["log"]>;

function readLog(prefix: string, rule: Rule | undefined, step: string, declared: Log | undefined): Log | undefined {
  const [log, limit] = [statement(rule, "log"), statement(rule, "limit")];
  if (!log?.prefix.endsWith(step) || !limit) return undefined;
  const text = log.prefix.slice(0, log.prefix.length - step.length);
  return {
    ...(text === `${labelOf(prefix)} ` && declared?.prefix !== text ? {} : { prefix: text }),
    rate: limit.rate,
    burst: limit.burst,
    level: log.level as Log["level"],
  };
}

function readProfiles(prefix: string, nft: NftObjects, chain: string): Found {
  const elements = [...nft.values()].filter(
    (o): o is Element => o.kind === "element" && o.of.startsWith(`${prefix}profiles`),
  );
  if (elements.length === 0) return {};
  const named = elements.map((e) => [e.key, (verdictChain(e) ?? "").slice(`${prefix}${chain}-`.length)] as const);
  const profiles = unique(named.map(([, name]) => name)).flatMap((name) => {
    const o = nft.get(`chain ${prefix}${chain}-${name}`);
    const options = o?.kind === "chain" ? readOptions(o.rules) : undefined;
    return options ? [[name, options] as const] : [];
  });
  return { sourceProfiles: Object.fromEntries(named), profiles: Object.fromEntries(profiles) };
}

function readOwn(
  prefix: string,
  rules: readonly Rule[],
  handshake: boolean,
  declared: SynproxyRuleModel | undefined,
): Found {
  const logs = rules.filter((rule) => statement(rule, "log"));
  const log = readLog(prefix, handshake ? logs[1] : logs[0], "", declared?.log);
  const count = rules.map(readCount).find((found) => found !== undefined);
  const rate = rules.map(readRate).find((found) => found !== undefined);
  const action = readAction(rules, declared?.action);
  return {
    ...(log ? { log } : {}),
    ...(count
      ? { connectionLimit: { max: count.max, per: readPer(count.keys(rules), declared?.connectionLimit?.per) } }
      : {}),
    ...(rate
      ? { rateLimit: { rate: rate.rate, burst: rate.burst, per: readPer(rate.keys(rules), declared?.rateLimit?.per) } }
      : {}),
    ...(action === undefined ? {} : { action }),
  };
}

const elementsOf = (rules: readonly Rule[], set: RegExp): string[] =>
  rules.flatMap((rule) => {
    const written = statement(rule, "add") ?? statement(rule, "update");
    return written && set.test(written.set) ? [written.element] : [];
  });

function readCount(rule: Rule) {
  const max =
    statement(rule, "connections")?.over ??
    Number(/ct count over ([0-9]+)$/.exec(statement(rule, "add")?.element ?? "")?.[1] ?? NaN);
  return Number.isNaN(max) ? undefined : { max, keys: (rules: readonly Rule[]) => elementsOf(rules, /count[46]$/) };
}

function readRate(rule: Rule) {
  const limit = statement(rule, "limit");
  if (limit?.over) return { rate: limit.rate, burst: limit.burst, keys: () => [] };
  const m = /limit rate over (\S+) burst ([0-9]+) packets$/.exec(statement(rule, "update")?.element ?? "");
  if (!m) return undefined;
  return { rate: m[1] ?? "", burst: Number(m[2]), keys: (rules: readonly Rule[]) => elementsOf(rules, /rate[46]$/) };
}

type Per = NonNullable<SynproxyRuleModel["connectionLimit"]>["per"];

/** From `ip saddr & 255.255.255.0 ...`; of a family that the rule is not for, the host shows nothing. */
function readPer(keys: readonly string[], declared: Per | undefined): Per {
  if (keys.length === 0) return "rule";
  const length = (ip: "ip" | "ip6", bits: number): number | undefined => {
    const key = keys.find((k) => k.startsWith(`${ip} saddr`));
    if (key === undefined) return undefined;
    const mask = parseAddresses(/^ip6? saddr & (\S+)/.exec(key)?.[1] ?? "");
    return typeof mask === "string" ? bits : mask.from.toString(2).replace(/0*$/, "").length;
  };
  const [ipv4, ipv6] = [length("ip", 32), length("ip6", 128)];
  const other = typeof declared === "object" ? declared : undefined;
  if (!other && (ipv4 ?? 32) === 32 && (ipv6 ?? 128) === 128) return "source";
  return { ipv4: ipv4 ?? other?.ipv4 ?? 32, ipv6: ipv6 ?? other?.ipv6 ?? 64 };
}

function readAction(rules: readonly Rule[], declared: SynproxyRuleModel["action"]): SynproxyRuleModel["action"] {
  const last = rules.at(-1) ?? [];
  const text = printRule(last);
  const trap = statement(rules.at(-2), "update");
  const set = /^trap[46]-(.+)$/.exec(trap?.set ?? "")?.[1];
  const timeout = readTime(/ timeout ([0-9dhms]+)$/.exec(trap?.element ?? "")?.[1] ?? "");
  if (text === "drop" && set !== undefined && timeout !== undefined) return { trap: { set, timeout } };
  if (text === "drop" || text === "accept") return text;
  if (text.endsWith("reject with tcp reset")) return "reject";
  const dnat = statement(last, "dnat");
  const redirect = /^:([0-9]+)$/.exec(dnat?.to ?? "")?.[1];
  // The same thing can be said in two ways.
  if (
    redirect !== undefined &&
    typeof declared === "object" &&
    "dnat" in declared &&
    declared.dnat.to === `:${redirect}`
  )
    return declared;
  if (redirect !== undefined) return { redirect: Number(redirect) };
  return dnat ? { dnat: { to: dnat.to, persistent: dnat.persistent } } : undefined;
}
