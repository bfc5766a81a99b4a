/** One transaction over nft, sysctl, policy rules and routes: all of it stands, or none. */
import fc from "fast-check";

import { observedLines } from "../../provider/engine/observed";
import { interestOf } from "../../provider/engine/snapshot";
import { readHost } from "../../provider/engine/transaction";
import { type Declaration, desiredLines } from "../../provider/engine/desired";
import { type Shell } from "../../provider/host/shell";
import { type KernelObject, own, shared } from "../../provider/kernel/object";
import { type RouteObject } from "../../provider/kernel/route/objects";
import { sysctl } from "../../provider/kernel/sysctl/sysctl";
import { LAYOUT } from "../../provider/resources/layout";
import { SYNPROXY_RULE } from "../../provider/resources/synproxy-rule";
import { synproxyRuleArgs } from "../support/arbitrary";
import { routeState } from "../support/arbitrary-route";
import { changeOne } from "../support/change";
import { fingerprint, openNamespace } from "../support/namespace";

let shell: Shell;
let before: string;

beforeEach(async () => {
  shell = await openNamespace();
  const made = await shell.run(`
conntrack -I -p udp -s 192.0.2.1 -d 192.0.2.2 --sport 1 --dport 2 --timeout 9999 2>/dev/null
ip link add eth1 type veth peer name peer1
for dev in eth0 eth1 peer0 peer1; do ip link set $dev addrgenmode none up; done
ip addr add 10.0.0.2/24 dev eth0; ip addr add 2001:db8:a::2/64 dev eth0 nodad
ip rule add pref 60 from 192.0.2.99 lookup 100; ip route add 203.0.113.0/24 dev eth1 table 100`);
  expect(made).toMatchObject({ code: 0 });
  before = await fingerprint(shell);
});

afterEach(() => {
  shell.close();
});

const NAME = "synproxy/acme/prod/one";

/** A rule of SYNPROXY with routes beside it, as a resource may compile to. */
function declare(args: object, objects: readonly KernelObject[], backlog: number): Declaration {
  const { needs, wanted } = SYNPROXY_RULE.compile(`${NAME}/`, SYNPROXY_RULE.model.parse(args));
  return {
    name: NAME,
    label: "one",
    needs,
    wanted: [...wanted, ...objects.map(own), shared(sysctl("net.ipv4.tcp_max_syn_backlog", backlog))],
  };
}

const declaration = fc
  .tuple(synproxyRuleArgs, routeState, fc.integer({ min: 200, max: 210 }))
  .map(([args, routes, backlog]) => declare(args, [...routes.values()], backlog));

const expectInPlace = async (d: Declaration) => {
  const seen = await readHost(shell, interestOf(d.wanted));
  expect(observedLines(d, seen, LAYOUT)).toEqual(desiredLines(d));
};

const forAll = <T>(arbitrary: fc.Arbitrary<T>, law: (value: T) => Promise<void>) =>
  fc.assert(fc.asyncProperty(arbitrary, law), { numRuns: 15, endOnFailure: true });

test("put, put again, changed and removed: each time as declared, and in the end as before", () =>
  forAll(fc.tuple(declaration, declaration), async ([a, b]) => {
    expect((await changeOne(shell, { put: a })).changed).toBe(true);
    await expectInPlace(a);
    expect((await changeOne(shell, { put: a })).changed).toBe(false);
    await changeOne(shell, { put: b });
    await expectInPlace(b);
    await changeOne(shell, { remove: b });
    expect(await fingerprint(shell)).toBe(before);
  }));

/** nft lists the elements of some maps in the order in which they came. */
const sorted = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.replace(/^[^"]*elements = \{|[,}]|^\s+/g, "").trim())
    .toSorted();

test("what one tool refuses, all undo", () =>
  forAll(fc.tuple(declaration, declaration), async ([a, b]) => {
    await changeOne(shell, { put: a });
    const there = sorted(await fingerprint(shell));
    // A device that is not there; values, rules and nft come before it. (A gateway can be reachable by what was generated.)
    const route: RouteObject = {
      kind: "route",
      family: 4,
      table: 177,
      type: "unicast",
      destination: "198.18.0.0/15",
      via: "172.31.255.1",
      dev: "nosuch0",
    };
    const refused = changeOne(shell, { put: { ...b, wanted: [...b.wanted, own(route)] } });
    await expect(refused).rejects.toThrow(
      /apply one on testhost: ip -4 route 198\.18\.0\.0\/15 table 177: .*Cannot find device[^]*outcome: undone[^]*to do: /,
    );
    expect(sorted(await fingerprint(shell))).toEqual(there);
    await changeOne(shell, { remove: a });
    expect(await fingerprint(shell)).toBe(before);
  }));

test("a rule that is on the host already is not ours: it is neither taken over nor changed", async () => {
  const mine: RouteObject = { kind: "ip-rule", family: 4, pref: 60, from: "192.0.2.99", table: 100 };
  const d: Declaration = { name: NAME, label: "one", needs: [], wanted: [own(mine)] };
  await expect(changeOne(shell, { put: d })).rejects.toThrow(
    /ip -4 rule pref 60 from 192\.0\.2\.99 lookup 100 is on the host already and is not ours[^]*nothing was changed/,
  );
  expect(await fingerprint(shell)).toBe(before);
});

test("a rule or route that somebody took away, or changed, comes back", async () => {
  const route: RouteObject = { kind: "route", family: 4, table: 200, type: "local", destination: "default", dev: "lo" };
  const rule: RouteObject = { kind: "ip-rule", family: 4, pref: 61, fwmark: 1, table: 200 };
  const d: Declaration = { name: NAME, label: "one", needs: [], wanted: [own(route), own(rule)] };
  await changeOne(shell, { put: d });
  for (const edit of [
    "ip rule del pref 61",
    "ip route flush table 200",
    "ip route replace blackhole default table 200",
  ]) {
    expect(await shell.run(edit)).toMatchObject({ code: 0 });
    expect(observedLines(d, await readHost(shell, interestOf(d.wanted)), LAYOUT)).not.toEqual(desiredLines(d));
    expect((await changeOne(shell, { put: d })).changed).toBe(true);
    await expectInPlace(d);
  }
  await changeOne(shell, { remove: d });
  expect(await fingerprint(shell)).toBe(before);
});
