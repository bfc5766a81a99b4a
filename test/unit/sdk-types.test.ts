/** What a program may write and what not. The compiler is the judge. */
import type { types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

import { Host, type LoadBalancerArgs, type SynproxyRuleArgs } from "../../sdk/nodejs";

type Theirs = types.input.remote.ConnectionArgs;
type Ours = ConstructorParameters<typeof Host>[1]["connection"];

const theirs = (connection: Theirs): Ours => connection;

test("a connection of @pulumi/command is a connection of ours", () => {
  const connection: Theirs = { host: "lb1.example.net", user: "root", proxy: { host: "bastion.example.net" } };
  expect(theirs(connection)).toBe(connection);
});

const host = { host: "lb1.example.net" };
const rule = { chain: "input" as const, match: { destinations: ["192.0.2.1"], ports: [80] } };

test("a part takes what a resource of its own takes", () => {
  const { host: _host, ...own }: SynproxyRuleArgs = {
    host,
    chain: "input",
    match: { destinations: ["192.0.2.1"], ports: [80] },
  };
  const args: LoadBalancerArgs = { host, synproxyRules: { web: own } };
  expect(args.synproxyRules).toEqual({ web: own });
});

test("parts take values of other resources: one, a whole part, all of them", () => {
  const address = pulumi.output("192.0.2.1");
  const all: LoadBalancerArgs[] = [
    {
      host,
      synproxyRules: { web: { chain: "input", match: { destinations: [address], ports: [pulumi.output(80)] } } },
    },
    { host, synproxyRules: { web: pulumi.output(rule) } },
    { host, synproxyRules: pulumi.output({}), conntrack: pulumi.output({ tcpLoose: false }) },
    {
      host,
      synproxyRules: Object.fromEntries(
        ["a", "b"].map((name) => [name, { chain: "input" as const, match: { destinations: [address], ports: [80] } }]),
      ),
    },
    { host, conntrack: undefined, synproxyRules: {} },
  ];
  expect(all).toHaveLength(5);
});

test("what parts do not have is refused, and what they have to have", () => {
  const { match } = rule;
  // @ts-expect-error: a rule's chain is missing
  const noChain: LoadBalancerArgs["synproxyRules"] = { web: { match } };
  // @ts-expect-error: conntrack has no such value
  const noValue: LoadBalancerArgs = { host, conntrack: { tcpLose: false } };
  // @ts-expect-error: there is no such part
  const noPart: LoadBalancerArgs = { host, synproxyRule: {} };
  // @ts-expect-error: rules have names
  const noNames: LoadBalancerArgs = { host, synproxyRules: [rule] };
  expect([noChain, noValue, noPart, noNames]).toHaveLength(4);
});
