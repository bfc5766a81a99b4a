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
  ])("%s", (line) => {
    expect(printRule(parseRule(line))).toBe(line);
    expect(parseRule(line).at(-1)).toMatchObject({ is: "foreign" });
  });

  test("with its inner spaces, without those around it", () => {
    expect(printRule(parseRule('  log prefix "two  spaces"  '))).toBe('log prefix "two  spaces"');
  });
});

test("the order in which flags and states are named is no difference", () => {
  const shuffled: Rule = [
    { is: "tcp-flags", mask: ["ack", "syn", "fin"], equal: ["ack", "syn"] },
    { is: "ct-state", states: ["untracked", "invalid"] },
  ];
  expect(printRule(shuffled)).toBe("tcp flags & (fin|syn|ack) == (syn|ack) ct state invalid,untracked");
});
