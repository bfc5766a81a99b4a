/** As a program writes it. The compiler is a judge, too: what is parsed goes straight into a resource. */
import * as pulumi from "@pulumi/pulumi";

import { RuleSyntaxError, SynproxyRule, type SynproxyRuleArgs } from "../../../../../sdk/nodejs/synproxy-rule";

const STATEMENT = "ipv4 synproxy input inface eth0 dst 203.0.113.10 dport 80 accept";

test("parse gives what the constructor takes", () => {
  const args: SynproxyRuleArgs = { host: { host: "lb1.example.net" }, ...SynproxyRule.parse(STATEMENT) };
  expect(args).toMatchObject({ chain: "input", match: { destinations: ["203.0.113.10"] } });
});

test("parseAll gives a list", () => {
  const { rules } = SynproxyRule.parseAll(`${STATEMENT}\ninput dst 203.0.113.11 dstport 443`);
  expect(rules.map((rule) => rule.match.ports)).toEqual([[80], [443]]);
});

test("what is left out is told to onNote, or is a warning of the program", () => {
  const told: string[] = [];
  SynproxyRule.parse("input wscale 3", { onNote: (note) => told.push(note) });
  expect(told).toEqual([expect.stringContaining("wscale 3 is left out")]);
  const warn = jest.spyOn(pulumi.log, "warn").mockResolvedValue();
  SynproxyRule.parse("input wscale 3");
  SynproxyRule.parseAll("input wscale 3");
  expect(warn.mock.calls).toEqual([told, told]);
  warn.mockRestore();
});

test("an error has line and column", () => {
  expect(() => SynproxyRule.parse("input dst 10.0.0.1/24")).toThrow(RuleSyntaxError);
});
