/** Arguments, written in the sources' syntax and read again, are the same arguments. */
import fc from "fast-check";

import { type SynproxyRuleArgs, synproxyRule } from "../../../../../provider/resources/synproxy-rule/model";
import { RuleSyntaxError, parseAll, parseRule } from "../../../../../provider/resources/synproxy-rule/syntax";
import { parseAddresses, printAddresses } from "../../../../../provider/addresses";

type Match = SynproxyRuleArgs["match"];
const TRAP = { trap: { set: "scanners", timeout: "1h" } };

const number = (max: number, min = 1) => fc.integer({ min, max });
const port = number(65535);
const ports = fc.oneof(
  port,
  fc.tuple(port, port).map(([a, b]) => `${Math.min(a, b).toString()}-${Math.max(a, b).toString()}`),
);
const v4 = fc.tuple(number(200), number(200), number(200)).map(([a, b, c]) => `10.${[a, b, c].join(".")}`);
const v6 = number(65535).map((n) => `2001:db8::${n.toString(16)}`);
const network = (address: string, host: number): string => {
  const range = parseAddresses(address);
  if (typeof range === "string") throw new Error(range);
  const size = 1n << BigInt(host);
  const from = range.from - (range.from % size);
  return printAddresses({ ...range, from, to: from + size - 1n });
};
const addresses = (family: "ipv4" | "ipv6") => {
  const address = family === "ipv4" ? v4 : v6;
  return fc.oneof(
    address,
    fc.tuple(address, number(12)).map(([a, host]) => network(a, host)),
    address.map((a) => `${a}-${family === "ipv4" ? "10.255.0.0" : "2001:db8::ffff:0"}`),
  );
};
const interfaces = fc.constantFrom("eth0", "eth1", "bond0.100", "wan", "drop");
const some = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 4 });
const either = <T>(name: string, not: string, item: fc.Arbitrary<T>): fc.Arbitrary<object> =>
  fc.oneof(
    fc.constant({}),
    some(item).map((list) => ({ [name]: list })),
    some(item).map((list) => ({ [not]: list })),
  );
const options = fc.oneof(
  fc.record({ mss: number(65495, 88), timestamp: fc.constant(false) }),
  fc.record({
    mss: number(65495, 88),
    wscale: number(14, 0),
    timestamp: fc.constant(true),
    sackPerm: fc.boolean(),
  }),
);

const match = (family: "ipv4" | "ipv6"): fc.Arbitrary<Match> =>
  fc
    .tuple(
      either("destinations", "notDestinations", addresses(family)),
      either("sources", "notSources", addresses(family)),
      either("ports", "notPorts", ports),
      either("interfaces", "notInterfaces", interfaces),
    )
    .map((parts) => Object.assign({}, ...parts) as Match);

const log = fc.record({
  prefix: fc.stringMatching(/^[A-Za-z #$':;()!-]{0,20}$/),
  rate: fc.constant("3/minute"),
  burst: fc.constant(9),
  level: fc.constantFrom("emerg", "err", "warn", "info", "debug"),
});
const per = (family: "ipv4" | "ipv6") =>
  fc.oneof(
    fc.constantFrom("rule" as const, "source" as const),
    number(32).map((n) => ({ [family]: n })),
  );

const fireholArgs: fc.Arbitrary<SynproxyRuleArgs> = fc
  .constantFrom("ipv4" as const, "ipv6" as const)
  .chain((family) =>
    fc.record(
      {
        chain: fc.constantFrom("input" as const, "forward" as const),
        family: fc.constant(family),
        match: match(family),
        action: fc.oneof(
          fc.constantFrom("accept" as const, "drop" as const, "reject" as const),
          fc.constant(TRAP),
          port.map((redirect) => ({ redirect })),
          fc.record({
            dnat: fc.record({
              to: fc.oneof(
                family === "ipv4" ? v4 : v6,
                port.map((p) => `:${p.toString()}`),
                fc
                  .tuple(family === "ipv4" ? v4 : v6.map((a) => `[${a}]`), port)
                  .map(([a, p]) => `${a}:${p.toString()}`),
              ),
              persistent: fc.boolean(),
            }),
          }),
        ),
        options,
        log,
        logHandshake: log,
        connectionLimit: fc.record({ max: number(4294967295), per: per(family) }),
        rateLimit: fc.record({ rate: fc.constantFrom("5/second", "7/hour"), burst: number(1000) }),
      },
      { requiredKeys: ["chain", "family", "match", "action", "options"] },
    ),
  )
  .filter((args) => synproxyRule.safeParse(args).success);

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const listed = (keyword: string, yes: readonly unknown[] | undefined, no: readonly unknown[] | undefined): string[] => {
  const list = yes ?? no;
  return list ? [`${keyword}${no ? " not" : ""} "${list.join(" ")}"`] : [];
};

function writeAction(action: SynproxyRuleArgs["action"]): string {
  if (typeof action !== "object") return action ?? "";
  if ("redirect" in action) return `redirect to ${action.redirect.toString()}`;
  if ("trap" in action) return "action TRAP_AND_DROP";
  return `dnat to ${action.dnat.to}${action.dnat.persistent === true ? " persistent" : ""}`;
}

type Log = { prefix?: string | undefined; level?: string | undefined } | true;
const writeLog = (of: Log | undefined): string[] =>
  typeof of === "object" ? [`loglimit ${quote(of.prefix ?? "")} level ${of.level ?? ""}`] : [];

function writeOptions(o: NonNullable<SynproxyRuleArgs["options"]>): string {
  // No word of theirs stands for it, and none is generated here.
  if (o === "learn") return "";
  const wscale = o.wscale === undefined ? "" : `--wscale ${o.wscale.toString()} `;
  return `${o.timestamp === true ? "--timestamp " : ""}${o.sackPerm === true ? "--sack-perm " : ""}${wscale}--mss ${String(o.mss)}`;
}

function writeLimits({ connectionLimit: c, rateLimit: r }: SynproxyRuleArgs): string[] {
  const limits: string[] = [];
  if (typeof c === "object") {
    const mask = c.per === "rule" ? 0 : typeof c.per === "object" ? Object.values(c.per)[0] : undefined;
    limits.push(`connlimit upto ${c.max.toString()}${mask === undefined ? "" : ` mask ${String(mask)}`}`);
  }
  if (typeof r === "object") limits.push(`limit ${r.rate} ${String(r.burst)}`);
  return limits;
}

function writeFirehol(args: SynproxyRuleArgs): string {
  const { match: m } = args;
  const words = [
    `${args.family ?? ""} synproxy ${args.chain}`,
    ...((m.interfaces ?? m.notInterfaces) ? listed("inface", m.interfaces, m.notInterfaces) : ["inface any"]),
    ...((m.destinations ?? m.notDestinations) ? listed("dst", m.destinations, m.notDestinations) : ["dst any"]),
    ...listed("src", m.sources, m.notSources),
    ...listed("dport", m.ports, m.notPorts),
    ...writeLog(args.logHandshake),
    writeAction(args.action),
    ...writeLog(args.log),
    ...writeLimits(args),
  ];
  return [
    `FIREHOL_SYNPROXY_OPTIONS="${writeOptions(args.options ?? {})}"`,
    "FIREHOL_LOG_FREQUENCY=3/minute FIREHOL_LOG_BURST=9",
    words.join(" \\\n  "),
  ].join("\n");
}

test("FireHOL", () => {
  fc.assert(
    fc.property(fireholArgs, (args) => {
      const { args: read } = parseRule(writeFirehol(args), { actions: { TRAP_AND_DROP: TRAP } });
      expect(synproxyRule.parse(read)).toEqual(synproxyRule.parse(args));
    }),
    { numRuns: 500 },
  );
});

const one = <T>(name: string, item: fc.Arbitrary<T>): fc.Arbitrary<object> =>
  fc.oneof(
    fc.constant({}),
    item.map((value) => ({ [name]: [value] })),
  );
const alohaArgs = fc
  .tuple(
    fc.constantFrom("input" as const, "forward" as const),
    fc.tuple(
      fc.oneof(one("destinations", addresses("ipv4")), one("notDestinations", addresses("ipv4"))),
      fc.oneof(one("ports", ports), one("notPorts", ports)),
      fc.oneof(one("interfaces", interfaces), one("notInterfaces", interfaces)),
    ),
    options,
  )
  .map(([chain, parts, o]): SynproxyRuleArgs => ({ chain, match: Object.assign({}, ...parts), options: o }))
  .filter((args) => synproxyRule.safeParse(args).success);

function writeAloha({ chain, match: m, options: o = {} }: SynproxyRuleArgs): string {
  const condition = (keyword: string, yes: readonly unknown[] | undefined, no: readonly unknown[] | undefined) =>
    yes ? [`${keyword} ${String(yes[0])}`] : no ? [`not ${keyword} ${String(no[0])}`] : [];
  return [
    chain,
    ...condition("dstport", m.ports, m.notPorts),
    ...condition("dst", m.destinations, m.notDestinations),
    writeOptions(o).replaceAll("--", ""),
    ...condition("iface", m.interfaces, m.notInterfaces),
  ].join(" ");
}

test("ALOHA", () => {
  fc.assert(
    fc.property(alohaArgs, (args) => {
      const { args: read, notes } = parseRule(writeAloha(args));
      expect(synproxyRule.parse(read)).toEqual(synproxyRule.parse(args));
      expect(notes).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test("a text that is read gives arguments that the model takes; any other is an error with a place in it", () => {
  const piece = fc.constantFrom(
    ..."ipv4 ipv6 both synproxy input in forward pass not ! inface dst dst6 src dport eth0 any 192.0.2.1 10.0.0.0/8".split(
      " ",
    ),
    ..."2001:db8::1 80 8000:8080 accept drop dnat redirect to 90 10.1.1.1:80 persistent action DROP loglimit limit".split(
      " ",
    ),
    ...'connlimit upto 5 mask 24 1/second with hashlimit dstport iface wscale timestamp $UNROUTABLE_IPS $X "" \' " \\ #'.split(
      " ",
    ),
    ..."; \n | = FIREHOL_SYNPROXY_LOG=1 FIREHOL_CONNTRACK_MAX=9000 sysctl tcp_loose=0 conntrack interface".split(" "),
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(" ")),
    fireholArgs.chain((args) => {
      const words = writeFirehol(args).split(" ");
      return fc.tuple(number(words.length - 1, 0), piece).map(([i, other]) => words.with(i, other).join(" "));
    }),
    fc.string(),
  );
  fc.assert(
    fc.property(text, (given) => {
      try {
        for (const rule of parseAll(given).rules) synproxyRule.parse(rule);
      } catch (error) {
        if (!(error instanceof RuleSyntaxError)) throw error;
        const line = given.split("\n")[error.line - 1];
        expect(line).toBeDefined();
        expect(error.column).toBeLessThanOrEqual((line ?? "").length + 1);
        expect(error.message).toMatch(/\n {2}\s*\^+$/);
      }
    }),
    { numRuns: 2000 },
  );
});
