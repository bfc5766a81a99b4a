import { z } from "zod";

import {
  type AddressRange,
  FAMILIES,
  type Family,
  all,
  canonical,
  joined,
  parseAddresses,
  printAddresses,
  without,
} from "../../addresses";
import { TARGET, parseTarget, printTarget } from "../../kernel/nftables/nat";
import { canonicalNames, duration, flag, interfaceName, portOrRange, reason, show, wholeNumber } from "../../values";
import { notLearned } from "./servers";

const SPEAKS_FIRST =
  "with serverFirst there is no timestamp: the server drops the proxy's first ACK for its timestamp echo, and its first " +
  "words come a second late; leave timestamp out, or serverFirst if clients speak first";

const NO_ECN =
  "SYNPROXY in nftables cannot offer ECN: nft has no word for it and the kernel refuses the flag (EOPNOTSUPP). " +
  "Clients that ask for ECN are served without it";

/** What Linux itself announces with its usual receive buffers, and FireHOL's default. */
const DEFAULT_WSCALE = 7;

type Joining = <R extends AddressRange | PlainRange>(ranges: readonly R[]) => R[];
interface PlainRange {
  readonly from: bigint;
  readonly to: bigint;
}

/** Each list has its canonical form by itself: beside a value that is not known yet, it takes that. */
const addresses = (what: string, join: Joining = canonical) =>
  z
    .array(z.string({ error: reason("an address is a string like 203.0.113.10") }), {
      error: reason(`${what} is a list of addresses, networks and ranges`),
    })
    .min(1, { error: () => `[]: an empty list would match nothing; leave ${what} out to match all` })
    .transform((texts, ctx): string[] => {
      const ranges = texts.flatMap((text, i) => {
        const range = parseAddresses(text);
        if (typeof range !== "string") return [range];
        ctx.addIssue({ code: "custom", path: [i], message: `${show(text)}: ${range}` });
        return [];
      });
      return FAMILIES.flatMap((f) => join(ranges.filter((r) => r.family === f))).map(printAddresses);
    });

const ports = (what: string, join: Joining = canonical) =>
  z
    .array(portOrRange, { error: reason(`${what} is a list of ports and ranges`) })
    .min(1, { error: () => `[]: an empty list would match nothing; leave ${what} out to match all` })
    .transform((some) => join(some.map(({ from, to }) => ({ from: BigInt(from), to: BigInt(to) }))).map(printPort));

const interfaces = (what: string) =>
  z
    .array(interfaceName, { error: reason(`${what} is a list of interface names`) })
    .min(1, { error: () => `[]: an empty list would match nothing; leave ${what} out to match all` })
    .transform(canonicalNames);

const match = z
  .strictObject(
    {
      /**
       * Addresses that clients connect to: addresses, networks (`203.0.113.0/28`) and ranges (`203.0.113.1-203.0.113.9`),
       * IPv4 and IPv6. Default: all. An address goes before a network of another rule that contains it, and that before a
       * rule without destinations.
       */
      destinations: addresses("destinations").optional(),
      /** All addresses but these; with `destinations`: these of them are left out. */
      notDestinations: addresses("notDestinations", joined).optional(),
      /**
       * TCP ports, 1 to 65535: numbers, or ranges such as `"8000-8080"`. Default: all. A single port of one rule goes
       * before a range of another that contains it.
       */
      ports: ports("ports").optional(),
      /** All ports but these; with `ports`: these of them are left out. */
      notPorts: ports("notPorts", joined).optional(),
      /**
       * Interfaces on which clients arrive, at most 15 characters each. Default: all. A rule with interfaces goes before
       * one without.
       */
      interfaces: interfaces("interfaces").optional(),
      /** All interfaces but these. What arrives on one of them may match another, less specific rule. */
      notInterfaces: interfaces("notInterfaces").optional(),
      /** Clients: addresses, networks and ranges. Default: all. A rule with sources goes before one without. */
      sources: addresses("sources").optional(),
      /** All clients but these; with `sources`: these of them are left out. */
      notSources: addresses("notSources", joined).optional(),
    },
    { error: reason("match says which connections are protected: { destinations, ports, interfaces, sources }") },
  )
  .transform(({ interfaces: named, notInterfaces, ...m }, ctx): CanonicalMatch => {
    const empty = (what: string) => {
      ctx.addIssue({ code: "custom", message: `nothing is left to match: ${what} leaves none of them` });
    };
    const lists = {
      ...addressLists("destinations", m.destinations, m.notDestinations, empty),
      ...portLists(m.ports, m.notPorts, empty),
      ...addressLists("sources", m.sources, m.notSources, empty),
    };
    const left = named?.filter((name) => !notInterfaces?.includes(name));
    if (left?.length === 0) empty("notInterfaces");
    return {
      ...lists,
      ...(left ? { interfaces: left } : notInterfaces ? { notInterfaces } : {}),
    };
  });

/** One canonical form: each once, sorted, a negation only where nothing is named. */
export interface CanonicalMatch {
  destinations?: string[];
  notDestinations?: string[];
  ports?: (number | string)[];
  notPorts?: (number | string)[];
  interfaces?: string[];
  notInterfaces?: string[];
  sources?: string[];
  notSources?: string[];
}

type Empty = (what: string) => void;

function addressLists(
  name: "destinations" | "sources",
  texts: readonly string[] | undefined,
  notTexts: readonly string[] | undefined,
  empty: Empty,
): Record<string, string[]> {
  const [some, not] = [texts, notTexts].map((list) =>
    list?.map(parseAddresses).filter((range) => typeof range !== "string"),
  );
  const negated = name === "destinations" ? "notDestinations" : "notSources";
  const byFamily = <T>(make: (f: Family) => readonly T[]): T[] => FAMILIES.flatMap(make);
  const of = (list: readonly AddressRange[], f: Family) => list.filter((r) => r.family === f);
  if (some === undefined) {
    if (not === undefined) return {};
    if (byFamily((f) => (of(not, f).length > 0 ? without([all(f)], of(not, f)) : [])).length === 0) empty(negated);
    return { [negated]: byFamily((f) => joined(of(not, f))).map(printAddresses) };
  }
  const left = byFamily((f) => canonical(without(of(some, f), of(not ?? [], f))));
  if (left.length === 0 && some.length > 0) empty(negated);
  return { [name]: left.map(printAddresses) };
}

function asRange(port: number | string): PlainRange {
  const [from = "", to = from] = port.toString().split("-");
  return { from: BigInt(from), to: BigInt(to) };
}
const printPort = ({ from, to }: { from: bigint; to: bigint }): number | string =>
  from === to ? Number(from) : `${from.toString()}-${to.toString()}`;

function portLists(
  some: readonly (number | string)[] | undefined,
  not: readonly (number | string)[] | undefined,
  empty: Empty,
): Record<string, (number | string)[]> {
  const gone = (not ?? []).map(asRange);
  if (some === undefined) {
    if (not === undefined) return {};
    if (without([{ from: 1n, to: 65535n }], gone).length === 0) empty("notPorts");
    return { notPorts: joined(gone).map(printPort) };
  }
  const left = canonical(without(some.map(asRange), gone));
  if (left.length === 0 && some.length > 0) empty("notPorts");
  return { ports: left.map(printPort) };
}

const OPTIONS = 'options is an object such as { mss: 1460, timestamp: true, wscale: 7 }, or "learn"';

const tcpOptions = z
  .strictObject(
    {
      /**
       * Maximum segment size that the proxy announces to clients, in bytes, 88 to 65495; default 1460. Should be what
       * the server itself would announce: SYN cookies keep only the classes 536, 1300, 1440 and 1460 of what the client
       * sent. RFC 9293, 3.7.1.
       */
      mss: wholeNumber(88, 65495, "mss").default(1460),
      /**
       * Window scale that the proxy announces, 0 to 14 (RFC 7323, 2.3); default 7 with `timestamp`, none without. Should
       * be the server's own (`ss -ti` on it shows `wscale`): a smaller one slows uploads down, a larger one overruns it.
       * Needs `timestamp`, where the cookie keeps it.
       */
      wscale: wholeNumber(0, 14, "wscale").optional(),
      /**
       * TCP timestamps (RFC 7323, 3); default false. They carry window scale and SACK through the handshake, at a
       * price: the backend drops the proxy's first ACK, so a server that speaks first (SSH, SMTP, FTP, MySQL) is heard
       * about a second late.
       */
      timestamp: flag("timestamp").default(false),
      /** Selective acknowledgement (RFC 2018); default false. Needs `timestamp`. */
      sackPerm: flag("sackPerm").default(false),
      /** Not available: refused, with the reason. */
      ecn: z.undefined({ error: () => NO_ECN }).optional(),
    },
    { error: reason(OPTIONS) },
  )
  .superRefine((o, ctx) => {
    const needs = (name: string) => `${name} needs timestamp: true, because a SYN cookie keeps it in the timestamp`;
    if (o.timestamp) return;
    if (o.wscale !== undefined)
      ctx.addIssue({ code: "custom", path: ["wscale"], message: `${o.wscale.toString()}: ${needs("wscale")}` });
    if (o.sackPerm) ctx.addIssue({ code: "custom", path: ["sackPerm"], message: `true: ${needs("sackPerm")}` });
  })
  // nft cannot leave the scale out: without one it would announce 0, and uploads would crawl.
  .transform(({ mss, wscale = DEFAULT_WSCALE, timestamp, sackPerm }) =>
    timestamp ? { mss, wscale, timestamp, sackPerm } : { mss, timestamp, sackPerm },
  )
  .meta({ title: "SynproxyRuleTcpOptions", description: "TCP options of the handshake, as the proxy offers them." });

/** The TCP options of a handshake, as the proxy offers them. */
export type TcpOptions = z.output<typeof tcpOptions>;
export type Options = TcpOptions | "learn";

const UNITS = {
  s: "second",
  sec: "second",
  second: "second",
  m: "minute",
  min: "minute",
  minute: "minute",
  h: "hour",
  hour: "hour",
  d: "day",
  day: "day",
} as const;
const RATE = 'a rate is a text like "2000/second", "30/minute", "10/hour" or "5/day"';

const rateText = z.string({ error: reason(RATE) }).transform((text, ctx): string => {
  const m = /^([0-9]{1,9})\/([a-z]+)$/.exec(text.replace(/\s+/g, ""));
  const unit = Object.entries(UNITS).find(([name]) => name === m?.[2])?.[1];
  if (m && unit && Number(m[1]) > 0) return `${Number(m[1]).toString()}/${unit}`;
  ctx.addIssue({ code: "custom", message: `${show(text)}: ${RATE}` });
  return text;
});

const burst = wholeNumber(1, 1_000_000, "burst");

const SECONDS: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3600, day: 86_400 };

/** nft_limit.c counts a burst in nanoseconds of its rate, in 64 bits. */
function checkBurst(r: { rate: string; burst: number }, ctx: z.RefinementCtx): void {
  const seconds = (SECONDS[r.rate.split("/")[1] ?? ""] ?? 1) * (r.burst / parseInt(r.rate));
  if (seconds * 1e9 >= 2 ** 64)
    ctx.addIssue({
      code: "custom",
      path: ["burst"],
      message: `${r.burst.toString()}: at this rate so many take more than 584 years, which the kernel does not count`,
    });
}

/** So many packets may come at once: as many as come in one unit of time, at least nft's own 5. */
function withBurst(r: { rate: string; burst?: number | undefined }, ctx: z.RefinementCtx) {
  const full = { rate: r.rate, burst: r.burst ?? Math.min(1_000_000, Math.max(5, parseInt(r.rate))) };
  checkBurst(full, ctx);
  return full;
}

const dnatTarget = z.string({ error: reason(TARGET) }).transform((text, ctx): string => {
  const target = parseTarget(text);
  if (typeof target !== "string") return printTarget(target);
  ctx.addIssue({ code: "custom", message: `${show(text)}: ${target}` });
  return text;
});

const rate = (what: string) =>
  z
    .union(
      [
        rateText.transform((text) => ({ rate: text })),
        z.strictObject({
          /** E.g. `"2000/second"`; also per minute, hour or day. */
          rate: rateText,
          /** How many packets may come at once, 1 to 1,000,000. Default: as many as in one unit of time, at least 5. */
          burst: burst.optional(),
        }),
      ],
      { error: reason(`${what}: ${RATE}`) },
    )
    .transform((given: { rate: string; burst?: number | undefined }, ctx) => withBurst(given, ctx));

const per = z.union(
  [
    z.enum(["rule", "source"]),
    z
      .strictObject({
        /** Prefix length of the networks that are counted, IPv4: 1 to 32. Default 32. */
        ipv4: wholeNumber(1, 32, "ipv4").default(32),
        /** Prefix length of the networks that are counted, IPv6: 1 to 128. Default 64: a customer's network. */
        ipv6: wholeNumber(1, 128, "ipv6").default(64),
      })
      .meta({ title: "SynproxyRuleNetworks" }),
  ],
  { error: reason('per is "rule", "source" or { ipv4: 24, ipv6: 64 }') },
);

const LEVELS = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"] as const;

const logging = (what: string) =>
  z
    .union(
      [
        z.literal(true),
        z
          .strictObject({
            /** What each line begins with, at most 100 bytes. Default: the resource's name. */
            prefix: z
              .string({ error: reason("prefix is a text") })
              .regex(/^[^"\\$\x00-\x1f\x7f]*$/, {
                error: reason("prefix has no quotes, backslashes, dollars and control characters"),
              })
              // The kernel takes 127 bytes (NF_LOG_PREFIXLEN), of which the steps' own words need some.
              .refine((text) => Buffer.byteLength(text) <= 100, {
                error: reason("prefix has at most 100 bytes"),
              })
              .optional(),
            /** At most so many lines; default `"10/second"`. */
            rate: rateText.default("10/second"),
            /** Lines at once above the rate, 1 to 1,000,000; default 5. */
            burst: burst.default(5),
            /** The syslog level; default `"info"`. */
            level: z.enum(LEVELS, { error: reason(`level is one of ${LEVELS.join(", ")}`) }).default("info"),
          })
          .meta({ title: `SynproxyRule${what.charAt(0).toUpperCase()}${what.slice(1)}Lines` }),
      ],
      { error: reason(`${what} is true, or an object such as { prefix: "web ", rate: "10/second" }`) },
    )
    .transform((given, ctx) => {
      if (given === true) return { rate: "10/second", burst: 5, level: "info" as const };
      checkBurst(given, ctx);
      return given;
    });

/** Of a name that people choose, on the host. */
const name = (what: string) =>
  z.string({ error: reason(`${what} is a name`) }).regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/, {
    error: reason(`${what} has letters, digits, _ and -, at most 32, the first a letter or a digit`),
  });

const action = z.union(
  [
    z.enum(["accept", "drop", "reject"]),
    z
      .strictObject({
        /** Another port of the balancer, 1 to 65535, on the same address. */
        redirect: wholeNumber(1, 65535, "redirect"),
      })
      .meta({ title: "SynproxyRuleRedirect" }),
    z
      .strictObject({
        /** Other servers, or another port. */
        dnat: z.strictObject(
          {
            /**
             * Where to: `"10.1.1.1"`, `"10.1.1.1-10.1.1.10"`, with a port or ports behind a colon (`"10.1.1.1:8080"`,
             * `"10.1.1.1-10.1.1.10:8080-8090"`, `"[2001:db8::1]:8080"`), or `":8080"` for another port alone.
             */
            to: dnatTarget,
            /**
             * The same client gets the same server, whichever of the rule's addresses it asks for; default false. Without
             * it a client keeps its server as long as it asks for one address.
             */
            persistent: flag("persistent").default(false),
          },
          { error: reason('dnat is an object such as { to: "10.1.1.1-10.1.1.10" }') },
        ),
      })
      .meta({ title: "SynproxyRuleDnat" }),
    z
      .strictObject({
        /** Nobody: the client's address goes into a set, for a time. */
        trap: z.strictObject(
          {
            /** The set of sources that the client's address is put into: rules with the same name share it. */
            set: name("set"),
            /** How long it stays after it was last seen: seconds (1 to 2147483), or a text such as `"1h"`. */
            timeout: duration(1, 2_147_483),
          },
          { error: reason('trap is an object such as { set: "scanners", timeout: "1h" }') },
        ),
      })
      .meta({ title: "SynproxyRuleTrap" }),
  ],
  {
    error: reason(
      'action is "accept", "drop", "reject", { redirect: 8080 }, { dnat: { to } } or { trap: { set, timeout } }',
    ),
  },
);

export type Action = z.output<typeof action>;

const sorted = <T>(named: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(named).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** One that cannot be read is told with all else that cannot be. */
function canonicalNetwork(text: string): string {
  const range = parseAddresses(text);
  return typeof range === "string" ? text : printAddresses(range);
}

const profileName = name("a profile's name");

export const synproxyRule = z
  .strictObject(
    {
      /**
       * The hook at which the proxy answers. `input`: the address is the balancer's own (HAProxy, LVS, a DNAT of this
       * rule). `forward`: it is routed through the balancer.
       */
      chain: z.enum(["input", "forward"], {
        error: reason('chain is "input" (the address is the balancer\'s own) or "forward" (it is routed)'),
      }),
      /** Which connections are protected. */
      match,
      /** Which protocol. Default: that of the addresses given; both where none is given. */
      family: z.enum(["ipv4", "ipv6", "both"], { error: reason('family is "ipv4", "ipv6" or "both"') }).optional(),
      /**
       * What becomes of a connection once the client has shown that it is there. Default: it goes where it was sent to.
       * `"accept"` says so, and keeps it apart from what a less specific rule does. `"drop"` and `"reject"`: nobody is
       * asked (a client takes no notice of the reset, as its sequence number is the proxy's). `trap`: the client's address
       * goes into a set, for a time.
       */
      action: action.optional(),
      /**
       * TCP options of the handshake. Default: mss 1460 and nothing else. `"learn"`: those that the server itself
       * announces; it is asked when the rule is applied, and a drift run asks again.
       */
      options: z.union([z.literal("learn"), tcpOptions], { error: reason(OPTIONS) }).prefault({}),
      /**
       * The server speaks first (SSH, SMTP, FTP, MySQL): `timestamp` would hold its first words back for a second, so
       * that it is refused, and not learned. Default false.
       */
      serverFirst: flag("serverFirst").optional(),
      /** Other TCP options, by name, for `sourceProfiles`. */
      profiles: z
        .record(profileName, tcpOptions, { error: reason("profiles has TCP options by name") })
        .transform(sorted)
        .optional(),
      /** Which clients get which of the `profiles`, by network: `{ "192.168.1.0/24": "lan" }`. All others get `options`. */
      sourceProfiles: z
        .record(z.string(), profileName, {
          error: reason('sourceProfiles is an object such as { "192.168.1.0/24": "lan" }'),
        })
        .transform((named, ctx) => {
          const networks = Object.entries(named).map(([n, p]) => [canonicalNetwork(n), p] as const);
          for (const [i, [network]] of networks.entries())
            if (networks.slice(0, i).some(([other]) => other === network))
              ctx.addIssue({
                code: "custom",
                message: `${show(network)}: this network is there twice`,
                params: { shown: show(network) },
              });
          return sorted(Object.fromEntries(networks));
        })
        .optional(),
      /**
       * Protect only while more SYNs than this arrive: `"2000/second"`. Below, connections go their usual way; the server
       * must stand that many.
       */
      protectAbove: rate("protectAbove").optional(),
      /** Clients in these sets, by the names that `trap` gives them, are not answered at all. */
      denySources: z
        .array(name("a set"), { error: reason("denySources is a list of names of sets") })
        .min(1, { error: () => "[]: an empty list denies nothing; leave denySources out" })
        .transform(canonicalNames)
        .optional(),
      /** Log each connection that the proxy opens to the server. */
      log: logging("log").optional(),
      /** Log each step of the handshake: the client's SYN, its ACK, and the proxy's SYN to the server. */
      logHandshake: logging("logHandshake").optional(),
      /** No more connections than this at a time; further ones are dropped after the handshake. */
      connectionLimit: z
        .union(
          [
            wholeNumber(1, 4_294_967_295, "connectionLimit").transform((max) => ({ max })),
            z.strictObject({
              /** 1 to 4294967295. */
              max: wholeNumber(1, 4_294_967_295, "max"),
              /** Counted over the whole rule (the default), for each client, or for each network of clients. */
              per: per.optional(),
            }),
          ],
          { error: reason('connectionLimit is a number, or an object such as { max: 20, per: "source" }') },
        )
        .transform(({ max, ...more }: { max: number; per?: z.output<typeof per> | undefined }) => ({
          max,
          per: more.per ?? ("rule" as const),
        }))
        .optional(),
      /** No more new connections than this in a time; further ones are dropped after the handshake. */
      rateLimit: z
        .union(
          [
            rateText.transform((text) => ({ rate: text })),
            z.strictObject({
              /** E.g. `"100/second"`; also per minute, hour or day. */
              rate: rateText,
              /** How many may come at once, 1 to 1,000,000. Default: as many as in one unit of time, at least 5. */
              burst: burst.optional(),
              /** Counted over the whole rule (the default), for each client, or for each network of clients. */
              per: per.optional(),
            }),
          ],
          { error: reason(`rateLimit: ${RATE}`) },
        )
        .transform(
          (given: { rate: string; burst?: number | undefined; per?: z.output<typeof per> | undefined }, ctx) => ({
            ...withBurst(given, ctx),
            per: given.per ?? ("rule" as const),
          }),
        )
        .optional(),
      /**
       * The bit of the packet mark by which the proxy's own SYN is known on the host, so that its NAT meets nothing else:
       * one bit, as a number or a text like `"0x10000000"`, the default. All rules of a host use the same.
       */
      mark: z
        .union([z.number(), z.string()], { error: reason("mark is one bit, such as 0x10000000") })
        .transform((given, ctx): number => {
          const bit = Number(given);
          if (!Number.isInteger(bit) || bit < 1 || bit > 0x8000_0000 || !Number.isInteger(Math.log2(bit)))
            ctx.addIssue({ code: "custom", message: `${show(given)}: mark is one bit of 32, such as 0x10000000` });
          return bit;
        })
        .optional(),
      /**
       * When the rule goes: `"drain"` waits until the connections that it carries have ended, new ones going to the server
       * directly; `"immediate"` (the default) breaks those that are open when it is the host's last rule.
       */
      onDelete: z.enum(["drain", "immediate"], { error: reason('onDelete is "drain" or "immediate"') }).optional(),
      /** How long a drain may take: seconds (1 to 86400), or a text such as `"5m"`, the default. What is left then breaks. */
      drainTimeout: duration(1, 86_400, "a drain takes").optional(),
    },
    { error: reason('a SynproxyRule is an object such as { chain: "input", match: { destinations, ports } }') },
  )
  .superRefine((rule, ctx) => {
    for (const { path, value, why, detail } of impossible(rule)) {
      const message = `${show(value)}: ${why}`;
      ctx.addIssue({ code: "custom", path, message, params: { shown: show(value), detail } });
    }
  });

/** What a program writes. */
export type SynproxyRuleArgs = z.input<typeof synproxyRule>;
/** The one canonical form of it, defaults filled in. */
export type SynproxyRuleModel = z.output<typeof synproxyRule>;

interface Problem {
  readonly path: (string | number)[];
  /** In its canonical form, which may be another than was given. */
  readonly value: unknown;
  readonly why: string;
  /** Of other values. */
  readonly detail?: string;
}

const familiesOf = (texts: readonly string[] | undefined): Family[] | undefined =>
  texts === undefined ? undefined : FAMILIES.filter((f) => texts.some((t) => t.includes(":") === (f === 6)));

/** For which protocols a rule is: what its addresses say, both if they say nothing. */
export function families({
  match: m,
  family,
  action: then,
}: Pick<SynproxyRuleModel, "match" | "family" | "action">): Family[] {
  const named = [m.destinations, m.notDestinations, m.sources, m.notSources].flatMap((list) => {
    const found = familiesOf(list);
    return found ? [found] : [];
  });
  const target = typeof then === "object" && "dnat" in then ? targetFamily(then.dnat.to) : undefined;
  const said = [...named, ...(target === undefined ? [] : [[target]])];
  const allowed: readonly Family[] = family === "ipv4" ? [4] : family === "ipv6" ? [6] : FAMILIES;
  return allowed.filter((f) => said.every((some) => some.includes(f)));
}

/** Of the addresses that DNAT leads to; undefined where it changes the port alone. */
function targetFamily(to: string): Family | undefined {
  const target = parseTarget(to);
  return typeof target === "string" ? undefined : target.addresses?.family;
}

function impossible(rule: SynproxyRuleModel): Problem[] {
  const { match: m, action: then, family, protectAbove: above } = rule;
  const problems = [...impossibleFamilies(rule)];
  const problem = (path: (string | number)[], value: unknown, why: string) => problems.push({ path, value, why });
  if (typeof then === "object" && "redirect" in then && rule.chain === "forward")
    problem(
      ["action", "redirect"],
      then.redirect,
      'redirect leads to a port of the balancer itself, which chain "forward" is not about; use chain "input", or dnat',
    );
  if (typeof then === "object" && "dnat" in then) {
    const fams = families({ match: m, family, action: undefined });
    const target = targetFamily(then.dnat.to);
    const named = [m.destinations, m.notDestinations, m.sources, m.notSources].some((list) => list !== undefined);
    if (target !== undefined && fams.length > 0 && (!fams.includes(target) || (named && fams.length > 1)))
      problem(
        ["action", "dnat", "to"],
        then.dnat.to,
        "a connection cannot change from one protocol to the other; the rule's addresses are of another family",
      );
    if (then.dnat.persistent && target === undefined)
      problem(["action", "dnat", "persistent"], true, "there is but one server, as only the port changes");
  }
  const screens = then === "drop" || then === "reject" || (typeof then === "object" && "trap" in then);
  if (above && screens)
    problem(["protectAbove"], above.rate, "below the rate connections would go past this rule's action; leave it out");
  if (above && (rule.connectionLimit ?? rule.rateLimit ?? rule.log))
    problem(
      ["protectAbove"],
      above.rate,
      "below the rate connections would go past connectionLimit, rateLimit and log, which are for connections that the proxy opens; leave it or those out",
    );
  if (rule.drainTimeout !== undefined && rule.onDelete !== "drain")
    problem(["drainTimeout"], rule.drainTimeout, 'needs onDelete: "drain"');
  return [...problems, ...impossibleProfiles(rule), ...impossibleOptions(rule)];
}

function impossibleOptions(rule: SynproxyRuleModel): Problem[] {
  const { options, profiles, serverFirst } = rule;
  const untold = options === "learn" ? notLearned(rule, families(rule)) : undefined;
  const all: [(string | number)[], Options][] = [
    [["options"], options],
    ...Object.entries(profiles ?? {}).map(([name, some]): [string[], Options] => [["profiles", name], some]),
  ];
  const timed = all.filter(([, some]) => serverFirst && some !== "learn" && some.timestamp);
  return [
    ...(untold === undefined ? [] : [{ path: ["options"], value: options, why: untold }]),
    ...timed.map(([path]) => ({ path: [...path, "timestamp"], value: true, why: SPEAKS_FIRST })),
  ];
}

const familyName = (f: Family): string => (f === 4 ? "IPv4" : "IPv6");

function impossibleFamilies({ match: m, family }: SynproxyRuleModel): Problem[] {
  const fams = families({ match: m, family, action: undefined });
  const problems = (["destinations", "notDestinations", "sources", "notSources"] as const).flatMap((list) =>
    (m[list] ?? []).flatMap((text): Problem[] => {
      const f: Family = text.includes(":") ? 6 : 4;
      if (fams.includes(f)) return [];
      const [only] = fams;
      const why = `this rule is for ${only === undefined ? "no protocol at all" : familyName(only)}: give what it is combined with for ${familyName(f)} as well, or leave it out`;
      return [{ path: ["match", list], value: text, why }];
    }),
  );
  // An empty list has been told already.
  if (fams.length > 0 || problems.length > 0 || Object.values(m).some((list: readonly unknown[]) => list.length === 0))
    return problems;
  return [
    { path: ["family"], value: family, why: "no address of the rule is of this family, so it would match nothing" },
  ];
}

/** Networks are the names of the map: these stand in the value, which a secret hides, and not in the path. */
function impossibleProfiles(rule: SynproxyRuleModel): Problem[] {
  const { profiles = {}, sourceProfiles = {} } = rule;
  const fams = families(rule);
  const path = ["sourceProfiles"];
  const networks = Object.keys(sourceProfiles).map((n) => [n, parseAddresses(n)] as const);
  const ofEach = networks.flatMap(([value, a], i): Problem[] => {
    if (typeof a === "string") return [{ path, value, why: a }];
    if (!fams.includes(a.family)) return [{ path, value, why: `this rule is not for ${familyName(a.family)}` }];
    return networks
      .slice(0, i)
      .filter(([, b]) => typeof b !== "string" && a.family === b.family && a.from <= b.to && b.from <= a.to)
      .map(([earlier]) => ({
        path,
        value,
        why: "overlaps another network, so it is not clear which profile a client gets",
        detail: earlier,
      }));
  });
  const unknown = Object.values(sourceProfiles)
    .filter((profile) => !Object.hasOwn(profiles, profile))
    .map((value): Problem => {
      const detail = `there are: ${Object.keys(profiles).join(", ") || "none"}`;
      return { path, value, why: "profiles has none of this name", detail };
    });
  const unused = Object.keys(profiles)
    .filter((profile) => !Object.values(sourceProfiles).includes(profile))
    .map((value): Problem => ({ path: ["profiles"], value, why: "no entry of sourceProfiles uses this profile" }));
  return [...ofEach, ...unknown, ...unused];
}
