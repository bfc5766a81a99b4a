/** Generated rules and tables, no larger than it takes for their parts to meet. */
import fc from "fast-check";

import {
  type Chain,
  type Element,
  type Foreign,
  type Hook,
  type NftObject,
  type NftSet,
  byId,
} from "../../../../provider/kernel/nftables/objects";
import {
  type CtState,
  type Field,
  type Rule,
  type Statement,
  type TcpFlag,
} from "../../../../provider/kernel/nftables/rule";

const FLAGS: TcpFlag[] = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];
const STATES: CtState[] = ["invalid", "established", "related", "new", "untracked"];
const FIELDS: Field[] = ["iifname", "ip daddr", "ip saddr", "ip6 daddr", "ip6 saddr", "tcp dport", "tcp sport"];

/** Names as ours are, and as awkward as nft allows: with dots, slashes and words of its own grammar. */
const name = fc.constantFrom("input4", "a", "_x", "synproxy/acme/prod/web/input", "x.y-z_1", "drop", "vmap/accept");
const key = fc.uniqueArray(fc.constantFrom(...FIELDS), { minLength: 1, maxLength: 3 });

/** What this program does not write. Nothing in front of it may read as a statement that it does. */
export const foreignText = fc.constantFrom(
  'log prefix "hello, world" group 5',
  "log flags all",
  "ip saddr 192.0.2.0/24 tcp dport { 80, 443 } counter packets 7 bytes 9 accept",
  'meta nfproto ipv4 accept comment "jump drop; synproxy mss 1"',
  "synproxy",
  'synproxy name "sp"',
  "tcp flags == syn accept",
  "tcp flags ! syn accept",
  "ct state vmap { invalid : drop, new : accept }",
  "limit rate 10 mbytes/second drop",
  "ct count 5 drop",
  'iifname != "eth0" drop',
  "meta mark 0x00000001 drop",
  "add @s { ip saddr . { tcp dport } }",
  "dnat ip to ip daddr",
  "snat ip to 10.0.0.1",
  "reject with tcp reset",
  "acceptable",
  "ct state newer",
);

const limit = {
  over: fc.boolean(),
  rate: fc
    .tuple(fc.integer({ min: 1, max: 9999 }), fc.constantFrom("second", "day"))
    .map(([n, of]) => `${n.toString()}/${of}`),
  burst: fc.integer({ min: 1, max: 99 }),
};
const interfaces = fc.uniqueArray(fc.constantFrom("eth0", "a,b", "bond0.100", "if@1", "drop"), { minLength: 1 });

export const statement: fc.Arbitrary<Statement> = fc.oneof(
  fc.record({
    is: fc.constant("tcp-flags" as const),
    mask: fc.subarray(FLAGS, { minLength: 1 }),
    equal: fc.subarray(FLAGS, { minLength: 1 }),
  }),
  fc.record({ is: fc.constant("ct-state" as const), states: fc.subarray(STATES, { minLength: 1 }) }),
  fc.constant({ is: "l4proto" as const, protocol: "tcp" as const }),
  fc.record({ is: fc.constant("tcp-window" as const), window: fc.nat(65535) }),
  fc.record({ is: fc.constant("lookup" as const), key, set: name }),
  fc.record({ is: fc.constant("vmap" as const), key, map: name }),
  fc.record({ is: fc.constantFrom("jump" as const, "goto" as const), chain: name }),
  fc.record({
    is: fc.constant("synproxy" as const),
    mss: fc.nat(65535),
    wscale: fc.nat(14),
    timestamp: fc.boolean(),
    sackPerm: fc.boolean(),
  }),
  fc.record({ is: fc.constant("interfaces" as const), names: interfaces.map((names) => names.toSorted()) }),
  fc.record({ is: fc.constant("marked" as const), mask: fc.nat(31).map((bit) => 2 ** bit) }),
  fc.record({
    is: fc.constantFrom("add" as const, "update" as const),
    set: name,
    element: fc.constantFrom(
      "ip saddr timeout 1h30m",
      "ip6 saddr . tcp sport . ip6 daddr . tcp dport timeout 1s",
      "ip saddr & 255.255.255.0 ct count over 5",
      "ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over 5/second burst 7 packets",
    ),
  }),
  fc.record({ is: fc.constant("limit" as const), ...limit }),
  fc.record({ is: fc.constant("connections" as const), over: fc.nat() }),
  fc.record({
    is: fc.constant("log" as const),
    prefix: fc.constantFrom("", "web ", "a: b, { } ; drop "),
    level: fc.constantFrom("warn", "info"),
  }),
  fc.constant({ is: "counter" as const }),
  fc.record({
    is: fc.constant("dnat" as const),
    family: fc.constantFrom("ip" as const, "ip6" as const, undefined),
    to: fc.constantFrom(":80", "10.0.0.1", "10.0.0.1-10.0.0.9:80-90", "10.0.0.0/24", "[2001:db8::1]:80", "2001:db8::1"),
    persistent: fc.boolean(),
  }),
  fc.record({ is: fc.constantFrom("accept" as const, "drop" as const, "return" as const, "notrack" as const) }),
);

/** Foreign text swallows the rest of its line, so it can only come last. */
export const rule: fc.Arbitrary<Rule> = fc
  .tuple(fc.array(statement, { maxLength: 4 }), fc.option(foreignText, { nil: undefined }))
  .map(([own, text]): Rule => (text === undefined ? own : [...own, { is: "foreign", text }]))
  .filter((statements) => statements.length > 0);

const hook: fc.Arbitrary<Hook> = fc.oneof(
  fc.record({
    type: fc.constant("filter" as const),
    hook: fc.constantFrom("prerouting" as const, "input" as const, "output" as const),
    priority: fc.constantFrom(-300, -5, 0),
    policy: fc.constantFrom("accept" as const, "drop" as const),
  }),
  fc.constant<Hook>({ type: "filter", hook: "ingress", device: "eth0", priority: -500, policy: "accept" }),
);

const CHAINS = ["a", "b", "c", "d"];
const MAPS = ["m1", "m2"];
const SETS = ["s1", "s2"];

const someChains = fc.array(
  fc.record({
    name: fc.constantFrom(...CHAINS),
    hook: fc.option(hook, { nil: undefined }),
    rules: fc.array(
      fc.oneof(
        fc.constantFrom(...CHAINS).map((to): Rule => [{ is: "jump", chain: to }]),
        fc.constantFrom(...MAPS).map((map): Rule => [{ is: "vmap", key: ["ip daddr"], map }]),
        fc.constantFrom(...SETS).map((set): Rule => [{ is: "lookup", key: ["ip saddr"], set }, { is: "drop" }]),
        fc.constantFrom<Rule>([{ is: "notrack" }], [{ is: "foreign", text: "counter accept" }]),
      ),
      { maxLength: 3 },
    ),
  }),
  { maxLength: 5 },
);
const someSets = fc.array(
  fc.record({
    kind: fc.constantFrom("set" as const, "map" as const),
    number: fc.nat(1),
    type: fc.constantFrom("ipv4_addr", "ipv6_addr"),
    flags: fc.subarray(["interval", "timeout"]),
  }),
  { maxLength: 5 },
);
const someElements = fc.array(
  fc.record({
    of: fc.constantFrom(...MAPS, ...SETS),
    key: fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3"),
    to: fc.constantFrom(...CHAINS, "accept"),
  }),
  { maxLength: 8 },
);
const someForeign = fc.array(
  fc.constantFrom<Foreign>(
    { kind: "foreign", name: "counter hits", text: "packets 0 bytes 0" },
    { kind: "foreign", name: "counter hits", text: "packets 7 bytes 9" },
    { kind: "foreign", name: "ct helper sip", text: 'type "sip" protocol udp; l3proto ip' },
  ),
  { maxLength: 2 },
);

/** A table as a kernel could hold it: nothing in it leads to what is not there, and no jump leads back. */
export const table: fc.Arbitrary<ReadonlyMap<string, NftObject>> = fc
  .tuple(someChains, someSets, someElements, someForeign)
  .map(([chains, sets, elements, foreign]) => {
    const chainNames = new Set(chains.map((c) => c.name));
    const setNames = new Set(sets.map(setName));
    const canHave = (from: string) => (rule: Rule) =>
      rule.every((s) =>
        s.is === "jump"
          ? chainNames.has(s.chain) && from < s.chain
          : s.is === "vmap"
            ? setNames.has(s.map)
            : s.is === "lookup"
              ? setNames.has(s.set)
              : true,
      );
    return byId([
      ...chains.map((c): Chain => ({
        kind: "chain",
        name: c.name,
        rules: c.rules.filter(canHave(c.name)),
        ...(c.hook === undefined ? {} : { hook: c.hook }),
      })),
      ...sets.map((s): NftSet => ({
        kind: s.kind,
        name: setName(s),
        key: `type ${s.type}${s.kind === "map" ? " : verdict" : ""}`,
        flags: s.flags,
      })),
      ...elements
        .filter((e) => setNames.has(e.of) && (e.to === "accept" || chainNames.has(e.to)))
        .map((e): Element => ({
          kind: "element",
          of: e.of,
          key: e.key,
          ...(MAPS.includes(e.of) ? { value: e.to === "accept" ? e.to : `goto ${e.to}` } : {}),
        })),
      ...foreign,
    ]);
  });

const setName = ({ kind, number }: { kind: "set" | "map"; number: number }): string =>
  `${kind === "map" ? "m" : "s"}${(number + 1).toString()}`;
