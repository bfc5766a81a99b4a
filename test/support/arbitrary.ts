/** Generated arguments, as untidy as people write them: unsorted, repeated, overlapping, numbers as texts. */
import fc from "fast-check";

import { Declarations } from "../../provider/engine/declarations";
import { TIMEOUTS, type TimeoutName } from "../../provider/resources/conntrack-tuning/keys";
import { type ConntrackTuningArgs } from "../../provider/resources/conntrack-tuning/model";
import { LOAD_BALANCER } from "../../provider/resources/load-balancer";
import { type LoadBalancerArgs } from "../../provider/resources/load-balancer/model";
import { type SynproxyRuleArgs } from "../../provider/resources/synproxy-rule/model";

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

export const synproxyRuleArgs: fc.Arbitrary<SynproxyRuleArgs> = fc.record(
  {
    chain: fc.constant("input" as const),
    match: fc.record(
      {
        destinations: fc.array(address, { minLength: 1, maxLength: 4 }),
        ports: fc.array(portArgument, { minLength: 1, maxLength: 5 }),
        interfaces: fc.array(interfaceName, { minLength: 1, maxLength: 3 }),
      },
      { requiredKeys: ["destinations", "ports"] },
    ),
    options,
  },
  { requiredKeys: ["chain", "match"] },
);

const seconds = fc.integer({ min: 1, max: 2_147_483 });
const timeout = fc.oneof(
  seconds,
  seconds.map((s) => `${s.toString()}s`),
  fc.integer({ min: 1, max: 24 }).map((d) => `${d.toString()}d`),
  fc
    .tuple(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 1, max: 59 }))
    .map(([h, m]) => `${h.toString()}h${m.toString()}m`),
);
const timeoutNames = Object.keys(TIMEOUTS) as TimeoutName[];
const timeouts = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...timeoutNames), timeout), {
    minLength: 1,
    maxLength: 8,
    selector: ([name]) => name,
  })
  .map((pairs) => Object.fromEntries(pairs));

export const conntrackTuningArgs: fc.Arbitrary<ConntrackTuningArgs> = fc
  .record(
    {
      tcpLoose: fc.boolean(),
      tcpBeLiberal: fc.boolean(),
      accounting: fc.boolean(),
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
      timeouts,
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
