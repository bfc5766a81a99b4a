import { type Family, all, networks, parseAddresses, printAddresses, without } from "../../addresses";
import { type Connections, type Drain } from "../../drain";
import { type Compiled } from "../../engine/desired";
import { type Element, type NftObject, type NftSet, chain } from "../../kernel/nftables/objects";
import { parseTarget } from "../../kernel/nftables/nat";
import { printLimit, printRule } from "../../kernel/nftables/rule";
import { type Wanted, own, shared } from "../../kernel/object";
import { sysctl } from "../../kernel/sysctl/sysctl";
import {
  DEFAULT_MARK,
  type Dispatch,
  PROTECTED_ANY,
  type TierKey,
  OWN_ACCEPT,
  needMark,
  needSeen,
  protectedSet,
  seenKey,
  seenSet,
  tierElement,
  tierKey,
} from "../layout";
import { type Options, type SynproxyRuleModel, type TcpOptions, families } from "./model";

/**
 * A client's SYN finds its key in `prerouting` and goes untracked; untracked it reaches input or forward, finds its key
 * there, and the proxy answers with a cookie. With tcp_loose=0 the client's ACK is invalid to conntrack and takes the same
 * way; only then is there a connection, and the proxy's own SYN to the server finds its key in `own`.
 */
export function compile(prefix: string, model: SynproxyRuleModel): Compiled {
  const fams = families(model);
  const keys = fams.flatMap((family) => keysFor(model, family).map((key) => ({ family, key })));
  const special = isSpecial(model);
  const elements = (dispatch: Dispatch, chainName: string): Element[] =>
    keys.map(({ family, key }) =>
      tierElement(dispatch, family, key, `${comesBack(model) ? "jump" : "goto"} ${chainName}`),
    );
  const own4all = byInterface(model)
    ? []
    : keys.map(({ family, key }) => tierElement("own", family, key, `goto ${special ? `${prefix}own` : OWN_ACCEPT}`));
  const led = [
    ...elements("prerouting", `${prefix}prerouting`),
    ...(passesBy(model) ? elements("dnat", `${prefix}${comesBack(model) ? "dnat" : "own"}`) : []),
    ...elements(model.chain, `${prefix}${model.chain}`),
  ];
  const protects = protectedElements(model);
  return {
    needs: [
      needMark(model.mark ?? DEFAULT_MARK),
      ...new Set([...led, ...own4all].map((e) => e.of)),
      ...(protects ? new Set(protects.map((e) => e.of)) : [PROTECTED_ANY]),
      ...(tellsBySeen(model) ? fams.map((f) => needSeen(f, prefix)) : []),
    ],
    ...(protects ? { places: [{ local: model.chain === "input", addresses: protects.map((e) => e.key) }] } : {}),
    wanted: [
      ...(protects ?? []).map(shared),
      ...SYSCTLS.map(shared),
      ...trapSets(model, fams).map(shared),
      ...[
        ...ownSets(prefix, model, fams),
        preroutingChain(prefix, model, fams),
        ...proxyChains(prefix, model, fams),
        ...ownChain(prefix, model, fams),
        ...dnatChain(prefix, model),
        ...profileElements(prefix, model),
        ...led,
        ...(special ? own4all : []),
      ].map(own),
      // Last: of a key that is taken, the kernel is to refuse the one that tells whose it is.
      ...(special ? [] : own4all.map(shared)),
    ],
  };
}

/** How long a drain waits when it is not said, in seconds. */
const DRAIN = 300;

/**
 * Without its keys in prerouting a client's SYN goes past the proxy. What is half open still needs the rest, and each
 * connection needs conntrack and NAT to stay awake.
 */
export function drain(prefix: string, model: SynproxyRuleModel): Drain | undefined {
  if (model.onDelete !== "drain") return undefined;
  const { wanted, ...compiled } = compile(prefix, model);
  const isEntry = ({ object }: Wanted) => object.kind === "element" && /^prerouting[46]/.test(object.of);
  return {
    stays: { ...compiled, wanted: wanted.filter((w) => !isEntry(w)) },
    connections: families(model).flatMap((family) => connectionsTo(model, family)),
    within: model.drainTimeout ?? DRAIN,
  };
}

function connectionsTo({ match: m }: SynproxyRuleModel, family: Family): Connections[] {
  const ports = portParts(m).map((part) => {
    const [from = "", to = from] = part.split("-");
    return [Number(from), Number(to)] as const;
  });
  if (m.destinations === undefined && m.notDestinations === undefined)
    return [{ family, destination: undefined, ports }];
  return addressParts(m.destinations, m.notDestinations, family)
    .map(parseAddresses)
    .filter((r) => typeof r !== "string")
    .flatMap(networks)
    .map((network) => ({ family, destination: printAddresses(network), ports }));
}

/** nf_conntrack-sysctl.rst, ip-sysctl.rst; without loose=0 the client's ACK is taken up as a new connection. */
const SYSCTLS = [
  sysctl("net.netfilter.nf_conntrack_tcp_loose", 0),
  sysctl("net.ipv4.tcp_syncookies", 1, 2),
  sysctl("net.ipv4.tcp_timestamps", 1, 2),
];

const IP = { 4: "ip", 6: "ip6" } as const;

const translates = ({ action }: SynproxyRuleModel): boolean =>
  typeof action === "object" && ("dnat" in action || "redirect" in action);

/** Below the rate a connection goes past the proxy: its SYN is translated where it comes in. */
const passesBy = (m: SynproxyRuleModel): boolean => translates(m) && m.protectAbove !== undefined;

/** Is there anything to do with the proxy's SYN but to let it pass? */
const isSpecial = (m: SynproxyRuleModel): boolean =>
  [m.action, m.log, m.logHandshake, m.connectionLimit, m.rateLimit].some((given) => given !== undefined);

const byInterface = ({ match: m }: SynproxyRuleModel): boolean => (m.interfaces ?? m.notInterfaces) !== undefined;

/** The proxy's own SYN has no interface: by what it came is remembered at input. */
const tellsBySeen = (m: SynproxyRuleModel): boolean => byInterface(m) && isSpecial(m);

/** Each combination of what the rule names, or of what its negations leave. */
function keysFor({ match: m }: SynproxyRuleModel, family: Family): TierKey[] {
  const destinations = addressParts(m.destinations, m.notDestinations, family);
  const sources = m.sources || m.notSources ? addressParts(m.sources, m.notSources, family) : [undefined];
  const ports = portParts(m);
  const wide = m.destinations === undefined || m.ports === undefined;
  return (m.interfaces ?? [undefined]).flatMap((iface) =>
    sources.flatMap((source) =>
      destinations.flatMap((destination) =>
        ports.map((port) => {
          const from = { ...(iface === undefined ? {} : { iface }), ...(source === undefined ? {} : { source }) };
          return tierKey({ ...from, destination, port }, wide);
        }),
      ),
    ),
  );
}

function addressParts(
  some: readonly string[] | undefined,
  not: readonly string[] | undefined,
  family: Family,
): string[] {
  const ranges = (texts: readonly string[]) =>
    texts
      .map(parseAddresses)
      .filter((r) => typeof r !== "string")
      .filter((r) => r.family === family);
  return (some ? ranges(some) : without([all(family)], ranges(not ?? []))).map(printAddresses);
}

/** All ports are those from 0: a packet for port 0 is a packet as well. */
function portParts({ ports, notPorts }: SynproxyRuleModel["match"]): string[] {
  if (ports) return ports.map(String);
  const gone = (notPorts ?? []).map((p) => {
    const [from = "", to = from] = p.toString().split("-");
    return { from: BigInt(from), to: BigInt(to) };
  });
  return without([{ from: 0n, to: 65535n }], gone).map(({ from, to }) =>
    from === to ? from.toString() : `${from.toString()}-${to.toString()}`,
  );
}

/** Undefined where they are not known one by one. */
const addressesOf = ({ match: m }: SynproxyRuleModel): readonly string[] | undefined =>
  m.destinations?.some((d) => /[-/]/.test(d)) === false ? m.destinations : undefined;

function protectedElements(m: SynproxyRuleModel): Element[] | undefined {
  return addressesOf(m)?.map((key) => ({ kind: "element", of: protectedSet(key.includes(":") ? 6 : 4), key }));
}

const printed = (name: string, rules: readonly string[]): NftObject => chain(name, rules);

const elsewhere = ({ match: m }: SynproxyRuleModel): string[] =>
  m.notInterfaces ? [`${printRule([{ is: "interfaces", names: m.notInterfaces }])} return`] : [];

/**
 * Before routing nothing says whether a packet is for the balancer or goes through it. Where the rule does not name each
 * address, those of the other kind would go untracked as well, without NAT, and be invalid to every firewall.
 */
const ofOtherChain = (m: SynproxyRuleModel): string[] =>
  addressesOf(m) ? [] : [`fib daddr type ${m.chain === "input" ? "!= local" : "local"} return`];

/** What arrives at the rule's key may still be a less specific rule's. */
const notOurs = (m: SynproxyRuleModel): string[] => [...elsewhere(m), ...ofOtherChain(m)];
const comesBack = (m: SynproxyRuleModel): boolean => notOurs(m).length > 0;

function logRule(log: NonNullable<SynproxyRuleModel["log"]>, prefix: string, step: string): string {
  const text = `${log.prefix ?? `${labelOf(prefix)} `}${step}`;
  return `${printLimit({ over: false, rate: log.rate, burst: log.burst })} log prefix "${text}" level ${log.level}`;
}

/** The resource's own name, as far as a log line has room for it. */
export const labelOf = (prefix: string): string => prefix.slice(0, -1).split("/").slice(3).join("/").slice(-60);

function preroutingChain(prefix: string, m: SynproxyRuleModel, fams: readonly Family[]): NftObject {
  const above = m.protectAbove ? `${printLimit({ over: true, ...m.protectAbove })} ` : "";
  return printed(`${prefix}prerouting`, [
    ...notOurs(m),
    ...(m.denySources ?? []).flatMap((name) => fams.map((f) => `${IP[f]} saddr @${trapSet(name, f)} drop`)),
    ...(m.logHandshake ? [logRule(m.logHandshake, prefix, "SYN ")] : []),
    `${above}notrack`,
    // A jump comes back, and what is ours is no less specific rule's.
    ...(comesBack(m) ? ["accept"] : []),
  ]);
}

const ACK = "tcp flags & (syn|ack) == ack";

function proxyChains(prefix: string, m: SynproxyRuleModel, fams: readonly Family[]): NftObject[] {
  const start = [...elsewhere(m), ...(m.logHandshake ? [`${ACK} ${logRule(m.logHandshake, prefix, "ACK ")}`] : [])];
  const profiles = profileFamilies(m).map((f) => `${IP[f]} saddr vmap @${prefix}profiles${f.toString()}`);
  return [
    printed(`${prefix}${m.chain}`, [...start, ...profiles, ...proxyRules(prefix, m, fams, m.options)]),
    ...Object.entries(m.profiles ?? {}).map(([name, options]) =>
      printed(`${prefix}${m.chain}-${name}`, proxyRules(prefix, m, fams, options)),
    ),
  ];
}

/** What a preview shows where only the server knows. */
const NOT_LEARNED_YET = "synproxy (learned from the server on apply)";

export const printOptions = ({ mss, wscale = 0, timestamp, sackPerm }: TcpOptions): string =>
  printRule([{ is: "synproxy", mss, wscale, timestamp, sackPerm }]);

/** Only an ACK can open a connection: a flood of SYNs does not fill the set. */
function proxyRules(prefix: string, m: SynproxyRuleModel, fams: readonly Family[], options: Options): string[] {
  const proxy = options === "learn" ? NOT_LEARNED_YET : printOptions(options);
  const remembered = tellsBySeen(m)
    ? fams.map((f) => `${ACK} update @${seenSet(prefix, f)} { ${seenKey(f)} timeout 1s } ${proxy}`)
    : [];
  return [...remembered, proxy, "drop"];
}

function ownChain(prefix: string, m: SynproxyRuleModel, fams: readonly Family[]): NftObject[] {
  if (!isSpecial(m)) return [];
  return [
    printed(`${prefix}own`, [
      ...(m.logHandshake ? [logRule(m.logHandshake, prefix, "to server ")] : []),
      ...limitRules(prefix, m, fams),
      ...(m.log ? [logRule(m.log, prefix, "")] : []),
      ...finalRules(m, fams),
    ]),
  ];
}

/** The proxy's own SYN has no interface, a SYN that goes past the proxy has. */
const dnatChain = (prefix: string, m: SynproxyRuleModel): NftObject[] =>
  passesBy(m) && comesBack(m) ? [printed(`${prefix}dnat`, [...notOurs(m), `goto ${prefix}own`])] : [];

/** NAT to where it goes anyway: it ends NAT, so that the operator's own finds nothing left to do. */
const escapes = (fams: readonly Family[]): string[] => fams.map((f) => `dnat ${IP[f]} to ${IP[f]} daddr`);

function finalRules({ action }: SynproxyRuleModel, fams: readonly Family[]): string[] {
  if (action === undefined) return escapes(fams);
  if (action === "accept") return [...escapes(fams), "accept"];
  if (action === "drop") return ["drop"];
  if (action === "reject") return ["meta l4proto tcp reject with tcp reset"];
  if ("trap" in action) {
    const { set, timeout } = action.trap;
    // A set that is full takes nobody up, and lets nobody through either.
    return [
      ...fams.map((f) => `update @${trapSet(set, f)} { ${IP[f]} saddr timeout ${nftTime(timeout)} } drop`),
      "drop",
    ];
  }
  if ("redirect" in action) return [`meta l4proto tcp dnat to :${action.redirect.toString()}`];
  const target = parseTarget(action.dnat.to);
  if (typeof target === "string") return [];
  const family = target.addresses === undefined ? "" : ` ${IP[target.addresses.family]}`;
  const tcp = target.ports === undefined ? "" : "meta l4proto tcp ";
  return [`${tcp}dnat${family} to ${action.dnat.to}${action.dnat.persistent ? " persistent" : ""}`];
}

function limitRules(prefix: string, m: SynproxyRuleModel, fams: readonly Family[]): string[] {
  const { connectionLimit: count, rateLimit: rate } = m;
  return [
    ...(count === undefined
      ? []
      : count.per === "rule"
        ? [`ct count over ${count.max.toString()} drop`]
        : fams.map(
            (f) =>
              `add @${prefix}count${f.toString()} { ${clientKey(count.per, f)} ct count over ${count.max.toString()} } drop`,
          )),
    ...(rate === undefined
      ? []
      : rate.per === "rule"
        ? [`${printLimit({ over: true, ...rate })} drop`]
        : fams.map(
            (f) =>
              `update @${prefix}rate${f.toString()} { ${clientKey(rate.per, f)} ${printLimit({ over: true, ...rate })} } drop`,
          )),
  ];
}

type Per = NonNullable<SynproxyRuleModel["connectionLimit"]>["per"];

function clientKey(per: Per, family: Family): string {
  const bits = family === 4 ? 32 : 128;
  const length = typeof per === "string" ? bits : family === 4 ? per.ipv4 : per.ipv6;
  if (length === bits) return `${IP[family]} saddr`;
  const ones = parseAddresses(`${family === 4 ? "0.0.0.0" : "::"}/${length.toString()}`);
  const mask = typeof ones === "string" ? 0n : all(family).to - ones.to;
  return `${IP[family]} saddr & ${printAddresses({ family, from: mask, to: mask })}`;
}

/** Shared by all rules that name it. */
export const trapSet = (name: string, family: Family): string => `trap${family.toString()}-${name}`;

const addressSet = (name: string, family: Family, flags: readonly string[], ...limits: string[]): NftSet => ({
  kind: "set",
  name,
  key: `type ipv${family.toString()}_addr`,
  flags,
  limits: ["size 65535", ...limits],
});

function trapSets({ action, denySources }: SynproxyRuleModel, fams: readonly Family[]): NftSet[] {
  const names = new Set([
    ...(typeof action === "object" && "trap" in action ? [action.trap.set] : []),
    ...(denySources ?? []),
  ]);
  return [...names].flatMap((name) => fams.map((f) => addressSet(trapSet(name, f), f, ["dynamic", "timeout"])));
}

function ownSets(prefix: string, m: SynproxyRuleModel, fams: readonly Family[]): NftSet[] {
  return fams.flatMap((f) => [
    ...(tellsBySeen(m)
      ? [
          {
            ...addressSet(seenSet(prefix, f), f, ["dynamic", "timeout"], "timeout 1s"),
            key: `type ipv${f.toString()}_addr . inet_service . ipv${f.toString()}_addr . inet_service`,
          },
        ]
      : []),
    ...(m.connectionLimit && m.connectionLimit.per !== "rule"
      ? [addressSet(`${prefix}count${f.toString()}`, f, ["dynamic"])]
      : []),
    ...(m.rateLimit && m.rateLimit.per !== "rule"
      ? [addressSet(`${prefix}rate${f.toString()}`, f, ["dynamic", "timeout"], "timeout 1m")]
      : []),
  ]);
}

const profileFamilies = ({ sourceProfiles }: SynproxyRuleModel): Family[] =>
  ([4, 6] as const).filter((f) => Object.keys(sourceProfiles ?? {}).some((n) => n.includes(":") === (f === 6)));

function profileElements(prefix: string, m: SynproxyRuleModel): NftObject[] {
  const maps = profileFamilies(m).map((f): NftSet => ({
    kind: "map",
    name: `${prefix}profiles${f.toString()}`,
    key: `type ipv${f.toString()}_addr : verdict`,
    flags: ["interval"],
  }));
  const elements = Object.entries(m.sourceProfiles ?? {}).flatMap(([network, profile]): Element[] => {
    const range = parseAddresses(network);
    if (typeof range === "string") return [];
    return [
      {
        kind: "element",
        of: `${prefix}profiles${range.family.toString()}`,
        key: printAddresses(range),
        value: `goto ${prefix}${m.chain}-${profile}`,
      },
    ];
  });
  return [...maps, ...elements];
}

/** nft lists `1h30m`, never `90m`. */
export function nftTime(seconds: number): string {
  const units = [
    [86_400, "d"],
    [3600, "h"],
    [60, "m"],
    [1, "s"],
  ] as const;
  let left = seconds;
  return units
    .flatMap(([size, unit]) => {
      const n = Math.floor(left / size);
      left -= n * size;
      return n > 0 ? [`${n.toString()}${unit}`] : [];
    })
    .join("");
}

export function readTime(text: string): number | undefined {
  const parts = text.match(/[0-9]+[dhms]/g) ?? [];
  if (parts.length === 0 || parts.join("") !== text) return undefined;
  const size = { d: 86_400, h: 3600, m: 60, s: 1 };
  return parts.reduce((sum, part) => sum + parseInt(part) * size[part.at(-1) as keyof typeof size], 0);
}
