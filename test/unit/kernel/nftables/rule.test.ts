import fc from "fast-check";

import { type Rule, parseRule, printRule } from "../../../../provider/kernel/nftables/rule";
import { foreignText, rule } from "./arbitrary";

test("a rule that is printed and read again is the same rule", () => {
  fc.assert(
    fc.property(rule, (r) => {
      expect(parseRule(printRule(r))).toEqual(r);
    }),
    { numRuns: 500 },
  );
});

test("a printed rule, read and printed again, is the same text", () => {
  fc.assert(
    fc.property(rule, (r) => {
      expect(printRule(parseRule(printRule(r)))).toBe(printRule(r));
    }),
  );
});

describe("what different releases of nft list is one rule", () => {
  const OURS = "tcp flags & (fin|syn|rst|ack) == syn";
  const SYN_ACK = "tcp flags & (fin|syn|rst|ack) == (syn|ack)";

  test.each([
    [OURS, "tcp flags syn / fin,syn,rst,ack"],
    [OURS, "tcp flags & (fin | syn | rst | ack) == syn"],
    [OURS, "tcp flags & (ack | rst | syn | fin) == syn"],
    [SYN_ACK, "tcp flags syn,ack / fin,syn,rst,ack"],
    [SYN_ACK, "tcp flags & (fin | syn | rst | ack) == syn | ack"],
    [SYN_ACK, "tcp flags & (fin | syn | rst | ack) == (syn | ack)"],
    [SYN_ACK, "tcp flags & (fin|syn|rst|ack) == (ack|syn)"],
    ["ct state invalid,untracked", "ct state { invalid, untracked }"],
    ["ct state invalid,untracked", "ct state untracked,invalid"],
    ["ct state new", "ct state { new }"],
    ["meta l4proto tcp", "meta l4proto 6"],
    ["synproxy mss 1460", "synproxy mss 1460 wscale 0"],
    [
      "meta l4proto tcp ct state invalid,untracked jump input-dispatch",
      "meta l4proto tcp ct state { invalid, untracked } jump input-dispatch",
    ],
    [
      `${SYN_ACK} tcp window 0 ip saddr @protected4 notrack`,
      "tcp flags syn,ack / fin,syn,rst,ack tcp window 0 ip saddr @protected4 notrack",
    ],
    ["meta mark & 0x10000000 != 0x00000000", "meta mark & 0x10000000 != 0"],
    ["meta mark & 0x10000000 != 0x00000000", "meta mark & 0x10000000 != 0x0"],
    // What is the default is left out by some.
    ["limit rate 10/second burst 5 packets", "limit rate 10/second"],
    ["limit rate over 10/second burst 5 packets", "limit rate over 10/second"],
    ["limit rate over 10/second burst 50 packets", "limit rate over 10/second burst 50 packets"],
    ['log prefix "web " level warn', 'log prefix "web "'],
    ["counter", "counter packets 17 bytes 4711"],
    [
      "update @r { ip saddr limit rate over 10/second burst 5 packets } drop",
      "update @r { ip saddr limit rate over 10/second } drop",
    ],
    ["meta l4proto tcp dnat ip to 10.1.1.0-10.1.1.255:80", "meta l4proto tcp dnat ip to 10.1.1.0/24:80"],
    ["meta l4proto tcp dnat ip6 to [2001:db8::]-[2001:db8::3]:80", "meta l4proto tcp dnat ip6 to [2001:db8::/126]:80"],
    ["dnat ip to 10.1.1.0/24 persistent", "dnat ip to 10.1.1.0-10.1.1.255 persistent"],
    ['iifname { "eth0", "eth1" } return', 'iifname { "eth1", "eth0" } return'],
  ])("%s  =  %s", (ours, listed) => {
    expect(printRule(parseRule(listed))).toBe(ours);
    expect(printRule(parseRule(ours))).toBe(ours);
  });
});

test.each<[string, Rule]>([
  ["synproxy mss 1460", [{ is: "synproxy", mss: 1460, wscale: 0, timestamp: false, sackPerm: false }]],
  [
    "synproxy mss 1400 wscale 7 timestamp sack-perm",
    [{ is: "synproxy", mss: 1400, wscale: 7, timestamp: true, sackPerm: true }],
  ],
  [
    "synproxy mss 1400 wscale 0 timestamp",
    [{ is: "synproxy", mss: 1400, wscale: 0, timestamp: true, sackPerm: false }],
  ],
  [
    "iifname . ip daddr . tcp dport vmap @input4-if",
    [{ is: "vmap", key: ["iifname", "ip daddr", "tcp dport"], map: "input4-if" }],
  ],
  ["ip saddr @protected4 drop", [{ is: "lookup", key: ["ip saddr"], set: "protected4" }, { is: "drop" }]],
  [
    "ip6 saddr . ip6 daddr . tcp dport vmap @own6-src",
    [{ is: "vmap", key: ["ip6 saddr", "ip6 daddr", "tcp dport"], map: "own6-src" }],
  ],
  ['iifname "eth0" return', [{ is: "interfaces", names: ["eth0"] }, { is: "return" }]],
  ['iifname { "a,b", "eth0" } return', [{ is: "interfaces", names: ["a,b", "eth0"] }, { is: "return" }]],
  ["meta mark & 0x80000000 != 0x00000000", [{ is: "marked", mask: 0x8000_0000 }]],
  [
    "update @trap4-a { ip saddr timeout 1h30m } drop",
    [{ is: "update", set: "trap4-a", element: "ip saddr timeout 1h30m" }, { is: "drop" }],
  ],
  [
    "add @count4 { ip saddr & 255.255.255.0 ct count over 5 } drop",
    [{ is: "add", set: "count4", element: "ip saddr & 255.255.255.0 ct count over 5" }, { is: "drop" }],
  ],
  [
    "limit rate over 9/minute burst 7 packets drop",
    [{ is: "limit", over: true, rate: "9/minute", burst: 7 }, { is: "drop" }],
  ],
  ["ct count over 5 drop", [{ is: "connections", over: 5 }, { is: "drop" }]],
  ['log prefix "a; drop " level info', [{ is: "log", prefix: "a; drop ", level: "info" }]],
  [
    "meta l4proto tcp dnat to :8080",
    [
      { is: "l4proto", protocol: "tcp" },
      { is: "dnat", family: undefined, to: ":8080", persistent: false },
    ],
  ],
  [
    "dnat ip6 to [2001:db8::1]-[2001:db8::9]:80 persistent",
    [{ is: "dnat", family: "ip6", to: "[2001:db8::1]-[2001:db8::9]:80", persistent: true }],
  ],
  ["goto synproxy/acme/prod/web/input", [{ is: "goto", chain: "synproxy/acme/prod/web/input" }]],
])("%s is understood", (line, statements) => {
  expect(parseRule(line)).toEqual(statements);
});

describe("what is not ours is kept word for word", () => {
  test("alone, and behind what we understand", () => {
    fc.assert(
      fc.property(foreignText, (text) => {
        expect(parseRule(text)).toEqual([{ is: "foreign", text }]);
        expect(printRule(parseRule(`meta l4proto tcp ${text}`))).toBe(`meta l4proto tcp ${text}`);
      }),
    );
  });

  test.each([
    // Each begins like a statement of ours and is none.
    "tcp flags syn / fin,syn,rst,ackk",
    "tcp flags & (fin | bogus) == syn",
    "tcp flags & syn == 0",
    "ct state { new, bogus }",
    "ct state new | established",
    "meta l4proto udp",
    "meta l4proto 66",
    "tcp window 0-5",
    "tcp window >= 5",
    "ip daddr . udp dport vmap @m",
    "ip daddr vmap { 10.0.0.1 : drop }",
    "jump 9lives",
    "notracking",
    "synproxy wscale 7",
    "synproxy mss 1460 ecn",
    'iifname "eth*" drop extra',
    'iifname != "eth0"',
    "meta mark & 0x10000000 == 0x10000000",
    "meta mark set meta mark | 0x10000000",
    "limit rate 10 mbytes/second",
    "ct count 5",
    'log prefix "x" group 5',
    "log flags all",
    "dnat ip to ip daddr",
    "dnat to 10.0.0.1:http",
    "dnat ip to 10.0.0.1 random",
    "counter name hits",
    "update @s { ip saddr : 5 } extra",
  ])("%s", (line) => {
    expect(printRule(parseRule(line))).toBe(line);
    expect(parseRule(line).at(-1)).toMatchObject({ is: "foreign" });
  });

  test("with its inner spaces, without those around it", () => {
    expect(printRule(parseRule('  log group 5 prefix "two  spaces"  '))).toBe('log group 5 prefix "two  spaces"');
  });
});

test("the order in which flags and states are named is no difference", () => {
  const shuffled: Rule = [
    { is: "tcp-flags", mask: ["ack", "syn", "fin"], equal: ["ack", "syn"] },
    { is: "ct-state", states: ["untracked", "invalid"] },
  ];
  expect(printRule(shuffled)).toBe("tcp flags & (fin|syn|ack) == (syn|ack) ct state invalid,untracked");
});
