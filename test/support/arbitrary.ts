/** Generated arguments, as untidy as people write them: unsorted, repeated, overlapping, numbers as texts. */
import fc from "fast-check";

import { Declarations } from "../../provider/engine/declarations";
import { TIMEOUTS, type TimeoutName } from "../../provider/resources/conntrack-tuning/keys";
import { type ConntrackTuningArgs } from "../../provider/resources/conntrack-tuning/model";
import { LOAD_BALANCER } from "../../provider/resources/load-balancer";
import { type LoadBalancerArgs } from "../../provider/resources/load-balancer/model";
import { type SynproxyRuleArgs, synproxyRule } from "../../provider/resources/synproxy-rule/model";

/** Few addresses and few ports, so that rules meet. */
const address = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 5 }))
  .map(([a, b]) => `10.9.${a.toString()}.${b.toString()}`);
const port = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 65535 }), fc.constantFrom(1, 65535));
const portArgument = fc.oneof(
  port,
  port.map(String),
  fc.tuple(port, port).map(([a, b]) => `${Math.min(a, b).toString()}-${Math.max(a, b).toString()}`),
);
const interfaceName = fc.constantFrom(
  "eth0",
  "eth1",
  "bond0.100",
  "a",
  "wan-uplink_0",
  "fifteen-letters",
  "drop",
  "if@1",
);

const options = fc.oneof(
  fc.record(
    {
      mss: fc.integer({ min: 88, max: 65495 }),
      wscale: fc.integer({ min: 0, max: 14 }),
      timestamp: fc.constant(true),
      sackPerm: fc.boolean(),
    },
    { requiredKeys: ["timestamp"] },
  ),
  fc.record(
    { mss: fc.integer({ min: 88, max: 65495 }), timestamp: fc.constant(false), sackPerm: fc.constant(false) },
    { requiredKeys: [] },
  ),
);

const address6 = fc
  .tuple(fc.constantFrom("2001:db8::", "2001:db8:0:1::", "fd00::ffff:0:"), fc.integer({ min: 1, max: 5 }))
  .map(([net, host]) => `${net}${host.toString()}`);
const network4 = fc.constantFrom(
  "10.9.0.0/24",
  "10.9.2.0/23",
  "10.9.1.0-10.9.1.77",
  "10.8.0.0/13",
  "10.9.0.3-10.9.0.4",
);
const network6 = fc.constantFrom(
  "2001:db8::/64",
  "2001:db8::1-2001:db8::9",
  "fd00::/8",
  "2001:db8:0:2::/63",
  "::1:0/112",
);

type Of = 4 | 6;
const addressList = (f: Of) =>
  fc.array(f === 4 ? fc.oneof(address, network4) : fc.oneof(address6, network6), { minLength: 1, maxLength: 3 });
const maybe = <T>(arb: fc.Arbitrary<T>, weight = 1) => fc.option(arb, { nil: undefined, freq: weight });

/** One half, both, or none of what is and what is not; never nothing at all. */
const someAddresses = (f: Of, name: "destinations" | "sources") => {
  const not = name === "destinations" ? "notDestinations" : "notSources";
  return fc
    .tuple(maybe(addressList(f), name === "destinations" ? 6 : 1), maybe(addressList(f)))
    .map(([some, none]) => ({
      ...(some ? { [name]: some } : {}),
      ...(none && !some ? { [not]: none } : {}),
      // Taking one address out leaves something of any of the networks.
      ...(none && some?.some((a) => /[/-]/.test(a)) ? { [not]: [f === 4 ? "10.9.0.3" : "2001:db8::3"] } : {}),
    }));
};

const rateText = fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.constantFrom("second", "s", "minute", "hour", "day"));
const rateArgs = rateText.map(([n, unit]) => `${n.toString()}/${unit}`);
const perArgs = fc.constantFrom("rule" as const, "source" as const, { ipv4: 24 }, { ipv4: 16, ipv6: 48 });
const logArgs = fc.oneof(
  fc.constant(true as const),
  fc.record(
    { prefix: fc.constantFrom("web ", "a: b, ", ""), rate: rateArgs, burst: fc.integer({ min: 1, max: 99 }) },
    { requiredKeys: [] },
  ),
);

const actionFor = (f: Of, chain: "input" | "forward") =>
  fc.oneof(
    fc.constantFrom("accept" as const, "drop" as const, "reject" as const),
    fc.constant({ trap: { set: "scanners", timeout: "90m" } }),
    ...(chain === "input" ? [fc.constant({ redirect: 8080 })] : []),
    fc.constant({ dnat: { to: ":8080" } }),
    (f === 4
      ? fc.constantFrom("10.1.1.1", "10.1.1.1:8080", "10.1.1.1-10.1.1.10", "10.1.1.0-10.1.1.255:80-90")
      : fc.constantFrom("2001:db8:1::1", "[2001:db8:1::1]:8080", "2001:db8:1::1-2001:db8:1::9")
    ).chain((to) => fc.boolean().map((persistent) => ({ dnat: { to, persistent } }))),
  );

export const synproxyRuleArgs: fc.Arbitrary<SynproxyRuleArgs> = fc
  .tuple(fc.constantFrom(4 as const, 4 as const, 6 as const), fc.constantFrom("input" as const, "forward" as const))
  .chain(([f, chain]) =>
    fc.record(
      {
        chain: fc.constant(chain),
        match: fc
          .tuple(
            someAddresses(f, "destinations"),
            someAddresses(f, "sources"),
            maybe(fc.array(portArgument, { minLength: 1, maxLength: 4 }), 6),
            maybe(fc.constantFrom([22], ["8000-8080", 9]), 1),
            fc.oneof(
              fc.constant({}),
              fc.array(interfaceName, { minLength: 1, maxLength: 3 }).map((interfaces) => ({ interfaces })),
              fc.array(interfaceName, { minLength: 1, maxLength: 3 }).map((notInterfaces) => ({ notInterfaces })),
            ),
          )
          .map(([destinations, sources, ports, notPorts, interfaces]) => ({
            ...destinations,
            ...sources,
            ...interfaces,
            ...(ports ? { ports } : {}),
            ...(notPorts && !ports ? { notPorts } : {}),
          })),
        family: fc.constant(f === 4 ? ("ipv4" as const) : ("ipv6" as const)),
        options,
        action: actionFor(f, chain),
        protectAbove: rateArgs,
        denySources: fc.constantFrom(["scanners"], ["scanners", "office"]),
        log: logArgs,
        logHandshake: logArgs,
        connectionLimit: fc.oneof(
          fc.integer({ min: 1, max: 9999 }),
          fc.record({ max: fc.integer({ min: 1, max: 99 }), per: perArgs }),
        ),
        rateLimit: fc.oneof(rateArgs, fc.record({ rate: rateArgs, per: perArgs })),
        onDelete: fc.constant("immediate" as const),
        profiles: fc.constant({ lan: { mss: 8960 }, wan: { timestamp: true, wscale: 3 } }),
        sourceProfiles: fc.constant(
          f === 4
            ? { "192.168.0.0/16": "lan", "198.51.100.7": "wan", "203.0.113.0-203.0.113.9": "lan" }
            : { "2001:db8:9::/48": "lan", "2001:db8:a::1": "wan" },
        ),
      },
      { requiredKeys: ["chain", "match"] },
    ),
  )
  .map((args) => possible(args as unknown as SynproxyRuleArgs))
  .filter((args) => synproxyRule.safeParse(args).success);

/** Without what the model refuses beside the rest. */
function possible(args: SynproxyRuleArgs): SynproxyRuleArgs {
  const { profiles, sourceProfiles, protectAbove, ...rest } = args;
  const both = profiles !== undefined && sourceProfiles !== undefined;
  const { action, log, connectionLimit, rateLimit } = rest;
  const screens = action === "drop" || action === "reject" || (typeof action === "object" && "trap" in action);
  const above = !screens && log === undefined && connectionLimit === undefined && rateLimit === undefined;
  const mentions = JSON.stringify([rest.match, action]);
  // Networks of sources must be of the rule's own protocol, which without any address is both.
  const { family, ...without } = rest;
  const said = /destinations|sources|Destinations|Sources/.test(mentions)
    ? without
    : { ...without, ...(family ? { family } : {}) };
  return {
    ...(both && family ? { ...rest, profiles, sourceProfiles } : said),
    ...(above && protectAbove !== undefined ? { protectAbove } : {}),
  };
}

const seconds = fc.integer({ min: 1, max: 2_147_483 });
const timeout = fc.oneof(
  seconds,
  seconds.map((s) => `${s.toString()}s`),
  fc.integer({ min: 1, max: 24 }).map((d) => `${d.toString()}d`),
  fc
    .tuple(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 1, max: 59 }))
    .map(([h, m]) => `${h.toString()}h${m.toString()}m`),
);
/** Those that this kernel may not have are left out: DCCP and flowtables. */
const timeoutNames = (Object.keys(TIMEOUTS) as TimeoutName[]).filter(
  (name) => !/^(dccp|flowtable)|^sctpHeartbeatAcked$/.test(name),
);
const timeouts = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...timeoutNames), timeout), {
    minLength: 1,
    maxLength: 8,
    selector: ([name]) => name,
  })
  .map((pairs) => Object.fromEntries(pairs));

const count = fc.oneof(
  fc.integer({ min: 1, max: 2_147_483_647 }),
  fc.integer({ min: 1, max: 2000 }).map((n) => `${n.toString()}Ki`),
);

const interfaceValues = fc
  .record(
    {
      rpFilter: fc.constantFrom("off" as const, "strict" as const, "loose" as const),
      routeLocalnet: fc.boolean(),
      acceptLocal: fc.boolean(),
      acceptRedirects: fc.boolean(),
      secureRedirects: fc.boolean(),
      sendRedirects: fc.boolean(),
      acceptSourceRoute: fc.boolean(),
      srcValidMark: fc.boolean(),
      logMartians: fc.boolean(),
      arpIgnore: fc.constantFrom(0, 1, 2, 8),
      arpAnnounce: fc.integer({ min: 0, max: 2 }),
      arpFilter: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  .filter((values) => Object.keys(values).length > 0);

/**
 * What a network namespace has and can write: the sizes and modules' parameters belong to the whole machine. `default`
 * moves interfaces that no argument names; test/netns/conntrack-tuning.test.ts has it.
 */
export const conntrackTuningArgs: fc.Arbitrary<ConntrackTuningArgs> = fc
  .record(
    {
      tcpLoose: fc.boolean(),
      tcpBeLiberal: fc.boolean(),
      tcpIgnoreInvalidRst: fc.boolean(),
      tcpMaxRetrans: fc.integer({ min: 0, max: 255 }),
      accounting: fc.boolean(),
      flowTimestamps: fc.boolean(),
      events: fc.constantFrom(true, false, "auto" as const),
      checksum: fc.boolean(),
      logInvalid: fc.constantFrom(
        "off" as const,
        "all" as const,
        "icmp" as const,
        "tcp" as const,
        "udp" as const,
        "icmpv6" as const,
        "sctp" as const,
      ),
      synCookies: fc.constantFrom(true, false, "always" as const),
      timestamps: fc.constantFrom(true, false, "noOffset" as const),
      sack: fc.boolean(),
      ecn: fc.constantFrom(true, false, "incoming" as const),
      windowScaling: fc.boolean(),
      maxSynBacklog: count,
      somaxconn: count,
      synackRetries: fc.integer({ min: 0, max: 255 }),
      ipForward: fc.boolean(),
      ipNonlocalBind: fc.boolean(),
      interfaces: fc.dictionary(fc.constantFrom("all", "lo", "eth0"), interfaceValues, { minKeys: 1 }),
      timeouts,
      modules: fc.constant({ nf_conntrack: {} }),
      extra: fc.dictionary(
        fc.constantFrom("net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_retries2", "net.ipv6.conf.eth0.accept_ra_mtu"),
        fc.integer({ min: 1, max: 200 }),
        { minKeys: 1 },
      ),
    },
    { requiredKeys: [] },
  )
  .filter((args) => Object.keys(args).length > 0);

const partName = fc.oneof(
  fc.constantFrom("web", "dmz", "0", "a_b-c"),
  fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/),
);

const parts = <Args>(args: fc.Arbitrary<Args>): fc.Arbitrary<Record<string, Args>> =>
  fc
    .uniqueArray(fc.tuple(partName, args), { maxLength: 4, selector: ([name]) => name })
    .map((pairs) => Object.fromEntries(pairs));

export const loadBalancerArgs: fc.Arbitrary<LoadBalancerArgs> = fc
  .record({ conntrack: conntrackTuningArgs, synproxyRules: parts(synproxyRuleArgs) }, { requiredKeys: [] })
  .filter((args) => Object.keys(args).length > 0)
  .map(withoutConflicts);

/** Rules that cannot stand beside what is there already are left out. */
function withoutConflicts({ synproxyRules, ...others }: LoadBalancerArgs): LoadBalancerArgs {
  if (synproxyRules === undefined) return others;
  return Object.entries(synproxyRules).reduce<LoadBalancerArgs>(
    (args, [name, rule]) => {
      const more = { ...args, synproxyRules: { ...args.synproxyRules, [name]: rule } };
      return conflicts(more).length > 0 ? args : more;
    },
    { ...others, synproxyRules: {} },
  );
}

const conflicts = (args: LoadBalancerArgs): string[] =>
  new Declarations().enter("host", {
    name: "lb/acme/prod/one",
    label: "one",
    ...LOAD_BALANCER.compile("lb/acme/prod/one/", LOAD_BALANCER.model.parse(args)),
  });
