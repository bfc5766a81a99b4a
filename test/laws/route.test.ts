/** Rules and routes have no transactions: what leads from one state to another, and back from anywhere between. */
import fc from "fast-check";

import { type Shell } from "../../provider/host/shell";
import { parseRoutes, routeLook } from "../../provider/kernel/route/listing";
import {
  type IpRule,
  type Route,
  type RouteObject,
  type RouteObjects,
  routeId,
  routeText,
} from "../../provider/kernel/route/objects";
import { routeSteps } from "../../provider/kernel/route/steps";
import { routeState } from "../support/arbitrary-route";
import { openNamespace } from "../support/namespace";

const RUNS = 25;

/** What others have, on the same prefs and in the same tables: none of it may change. */
const OTHERS = `
ip link add eth1 type veth peer name peer1
for dev in eth0 eth1 peer0 peer1; do ip link set $dev addrgenmode none up; done
ip addr add 10.0.0.2/24 dev eth0 && ip addr add 2001:db8:a::2/64 dev eth0 nodad
ip rule add pref 1 to 10.0.0.0/24 lookup main && ip -6 rule add pref 1 to 2001:db8:a::/64 lookup main
for pref in 50 51 52; do
  ip rule add pref $pref from 10.0.0.2 iif eth0 oif eth0 lookup 100
  ip rule add pref $pref fwmark 111 iif lo oif eth0 lookup 101 protocol 3
  ip -6 rule add pref $pref from 2001:db8:a::2 iif eth0 oif eth0 lookup 100
done
ip rule add pref 40 to 192.0.2.9 blackhole && ip -6 rule add pref 900 from 2001:db8:a::2 goto 32766
ip route add default via 10.0.0.9 metric 900 && ip route add default via 10.0.0.9 table 100 metric 901 proto static
ip route add 198.51.100.0/25 via 10.0.0.9 table 100 mtu lock 1300 && ip route add blackhole 198.51.0.0/16
ip -6 route add default via 2001:db8:a::9 table 100 metric 901 && ip -6 route add 2001:db8:d::/56 dev eth1 table 102
`;

const DUMP = "ip rule; ip -6 rule; ip -4 -d route show table all; ip -6 -d route show table all";

let shell: Shell;
let others: string;

async function open(): Promise<void> {
  shell = await openNamespace();
  expect(await shell.run(OTHERS)).toMatchObject({ code: 0, stderr: "" });
  others = await dump();
}

beforeEach(open);

afterEach(() => {
  shell.close();
});

const dump = async (): Promise<string> => (await shell.run(DUMP)).stdout;

/** All commands, each whatever became of the others; what they said. */
async function runAll(commands: readonly string[]): Promise<void> {
  const reply = await shell.run(
    commands
      .map(
        (c) => `${c} || { echo ${String.raw`"failed: $(cat <<"EOF"`}
${c}
EOF
)"; }`,
      )
      .join("\n"),
  );
  expect(reply).toMatchObject({ code: 0, stdout: "", stderr: "" });
}

async function look(...states: readonly RouteObjects[]): Promise<Map<string, RouteObject>> {
  const reply = await shell.run(routeLook(states.flatMap((state) => [...state.values()])));
  expect(reply).toMatchObject({ code: 0, stderr: "" });
  return new Map(parseRoutes(reply.stdout).map((o) => [routeId(o), o]));
}

const asText = (state: RouteObjects): string[] => [...state].map(([id, o]) => `${id}: ${routeText(o)}`).toSorted();

const NONE: RouteObjects = new Map();
const runsOf = (from: RouteObjects, to: RouteObjects) => routeSteps(from, to).map((s) => s.run);
const backsOf = (from: RouteObjects, to: RouteObjects) =>
  routeSteps(from, to)
    .map((s) => s.back)
    .toReversed();

/** One sample after the other: they share a host, until one leaves something behind. */
const forAll = <T>(arbitrary: fc.Arbitrary<T>, law: (value: T) => Promise<void>) =>
  fc.assert(
    fc.asyncProperty(arbitrary, async (value) => {
      try {
        await law(value);
        expect(await dump()).toBe(others);
      } catch (error) {
        shell.close();
        await open();
        throw error;
      }
    }),
    { numRuns: RUNS },
  );

test("from any state to any other, as read back, and to none of it", () =>
  forAll(fc.tuple(routeState, routeState), async ([a, b]) => {
    const there = await look(a, b);
    for (const [from, to] of [
      [NONE, a],
      [a, b],
      [b, NONE],
    ] as const) {
      await runAll(runsOf(from, to));
      const seen = await look(a, b);
      expect(asText(seen)).toEqual([...asText(there), ...asText(to)].toSorted());
      expect(routeSteps(new Map([...seen].filter(([id]) => !there.has(id))), to)).toEqual([]);
    }
  }));

test("from what was read back, too", () =>
  forAll(fc.tuple(routeState, routeState), async ([a, b]) => {
    const there = await look(a, b);
    await runAll(runsOf(NONE, a));
    const seen = new Map([...(await look(a, b))].filter(([id]) => !there.has(id)));
    const before = await dump();
    await runAll(runsOf(seen, b));
    await runAll(backsOf(seen, b));
    expect(await dump()).toBe(before);
    await runAll(runsOf(seen, NONE));
  }));

test("back from wherever it stopped, whether or not the steps that never ran are taken back", () =>
  forAll(fc.tuple(routeState, routeState, fc.nat()), async ([a, b, random]) => {
    await runAll(runsOf(NONE, a));
    const before = await dump();
    const [runs, backs] = [runsOf(a, b), backsOf(a, b)];
    const k = random % (runs.length + 1);
    for (const taken of [backs.slice(runs.length - k), backs]) {
      await runAll(runs.slice(0, k));
      await runAll(taken);
      expect(await dump()).toBe(before);
    }
    await runAll(runsOf(a, NONE));
  }));

test("each step's back alone, when nothing ran, does no harm", () =>
  forAll(fc.tuple(routeState, routeState), async ([a, b]) => {
    await runAll(runsOf(NONE, a));
    const same = `[ "$(${DUMP})" = "$before" ]`;
    await runAll([`before=$(${DUMP})`, ...backsOf(a, b).flatMap((back) => [back, same])]);
    await runAll(runsOf(a, NONE));
  }));

const state = (...objects: readonly RouteObject[]): RouteObjects => new Map(objects.map((o) => [routeId(o), o]));

describe.each([
  { family: 4, host: "10.0.0.2", gateway: "10.0.0.1", net: "172.30.0.0/24", there: "172.30.0.1" },
  { family: 6, host: "2001:db8:a::2", gateway: "2001:db8:a::1", net: "2001:db8:e::/64", there: "2001:db8:e::1" },
] as const)("IPv$family: back from every step", ({ family, host, gateway, net, there }) => {
  const rule = (more: Partial<IpRule>): IpRule => ({ kind: "ip-rule", family, pref: 50, table: 101, ...more });
  const route = (more: Partial<Route>): Route => ({
    kind: "route",
    family,
    table: 101,
    type: "unicast",
    destination: "default",
    ...more,
  });
  const island = (dev: string) => [
    route({ destination: net, dev, table: 102 }),
    route({ via: there, dev, table: 102 }),
  ];
  const twoMetrics = [5, 6].map((metric) => route({ via: gateway, dev: "eth0", metric }));

  test.each<[string, RouteObjects, RouteObjects]>([
    ["a rule becomes wider", state(rule({ from: host, iif: "eth1" })), state(rule({ from: host }))],
    ["a rule becomes narrower", state(rule({ from: host })), state(rule({ from: host, fwmark: 1, fwmask: 255 }))],
    ["a rule is turned round", state(rule({ from: host })), state(rule({ from: host, not: true }))],
    ["a rule's table changes", state(rule({ fwmark: 111 })), state(rule({ fwmark: 111, table: 102 }))],
    ["any mark of some bits", state(rule({ fwmark: 16, fwmask: 240 })), state(rule({ fwmark: 0, fwmask: 240 }))],
    ["one more metric", state(...twoMetrics), state(...twoMetrics, route({ via: gateway, dev: "eth0" }))],
    ["one metric less", state(...twoMetrics, route({ via: gateway, dev: "eth0" })), state(...twoMetrics)],
    ["a gateway's network moves", state(...island("eth0")), state(...island("eth1"))],
    ["a gateway's network goes", state(...island("eth0")), state(route({ type: "blackhole", table: 102 }))],
    [
      "a rule hides the network of a gateway",
      state(...island("eth0"), route({ via: gateway, dev: "eth0" })),
      state(rule({ pref: 0, table: 103 }), route({ type: "blackhole", table: 103 })),
    ],
    ["the types change", state(route({ type: "local", dev: "lo" })), state(route({ via: gateway, dev: "eth0" }))],
  ])("%s", async (_what, a, b) => {
    await runAll(runsOf(NONE, a));
    const before = await dump();
    const [runs, backs] = [runsOf(a, b), backsOf(a, b)];
    for (let k = 0; k <= runs.length; k++)
      for (const taken of [backs.slice(runs.length - k), backs]) {
        await runAll([...runs.slice(0, k), ...taken]);
        expect(await dump()).toBe(before);
      }
  });
});

/** What this program does not write, as somebody else might. */
const STRANGE = `
ip rule add pref 60 ipproto tcp dport 80 sport 1-9 uidrange 0-3 lookup 105 && ip rule add pref 61 fwmark 0/0xff lookup main suppress_prefixlength 0 protocol bird
ip rule add pref 62 to 10.9.9.9 blackhole && ip rule add pref 63 to 10.9.9.8 goto 999 && ip rule add pref 64 l3mdev && ip rule add pref 65 lookup 5 realms 3/4
ip rule add pref 66 from 10.0.0.9 tos 0x10 lookup 104 && ip -6 rule add pref 66 from 2001:db8::/32 prohibit
for f in 4 6; do
  if [ $f = 4 ]; then gw=10.0.0.1 net=192.0.2.0/24; else gw=2001:db8:a::1 net=2001:db8:b::/48; fi
  add() { ip -$f route add $net table 100 "$@"; }
  ip -$f nexthop add id 7$f via $gw dev eth0
  add metric 9 nexthop via $gw dev eth0 weight 2 nexthop via \${gw}3 dev eth0 && add metric 10 dev eth0 mtu lock 1400 rtt 10ms congctl cubic
  add metric 13 dev eth0 pref high && add metric 15 nhid 7$f && add metric 16 dev eth0 encap ip id 3 dst 10.0.0.9 && add metric 17 dev eth1 scope site
  ip -$f route add broadcast $net table 100 metric 14 dev eth0
done
ip route add 192.0.2.0/24 tos 0x10 dev eth0 table 100 && ip route add default via inet6 2001:db8:a::1 dev eth0 table 100 metric 30
ip -6 route add default from 2001:db8:c::/48 via 2001:db8:a::1 dev eth0 table 100`;

test("what others wrote is read so that it can be put back", async () => {
  const asked = state(
    { kind: "route", family: 4, table: 100, type: "throw", destination: "default" },
    { kind: "route", family: 6, table: 100, type: "throw", destination: "default" },
  );
  const there = await look(asked);
  expect(await shell.run(STRANGE)).toMatchObject({ code: 0, stderr: "" });
  const before = await dump();
  const strange = new Map([...(await look(asked))].filter(([id]) => !there.has(id)));
  expect(strange.size).toBe(8 + 2 * 7 + 3);
  await runAll(runsOf(strange, NONE));
  expect(await dump()).toBe(others);
  await runAll(backsOf(strange, NONE));
  expect(await dump()).toBe(before);
});

test("an error says what ip said", async () => {
  const [step] = routeSteps(
    NONE,
    state({
      kind: "route",
      family: 4,
      table: 9,
      type: "unicast",
      destination: "default",
      via: "192.0.2.1",
      dev: "eth0",
    }),
  );
  expect(await shell.run(step?.run ?? "")).toEqual({
    code: 2,
    stdout: "",
    stderr: "Error: Nexthop has invalid gateway.\n",
  });
});
