import { Declarations } from "../../../../provider/engine/declarations";
import { desiredLines } from "../../../../provider/engine/desired";
import { objectId } from "../../../../provider/kernel/object";
import { LOAD_BALANCER } from "../../../../provider/resources/load-balancer";
import { type LoadBalancerArgs } from "../../../../provider/resources/load-balancer/model";
import { PARTS } from "../../../../provider/resources/load-balancer/parts";
import { hostName, ownPrefix, partPrefix } from "../../../../provider/resources/owner";
import { SYNPROXY_RULE } from "../../../../provider/resources/synproxy-rule";

const NAME = "lb/acme/prod/lb1";
const declare = (args: LoadBalancerArgs, name = NAME) => ({
  name,
  label: `LoadBalancer ${name.split("/").at(-1) ?? ""} (acme/prod)`,
  ...LOAD_BALANCER.compile(ownPrefix(name), LOAD_BALANCER.model.parse(args)),
});
const rule = (ports: (number | string)[], address = "192.0.2.1") => ({
  chain: "input" as const,
  match: { destinations: [address], ports },
});

test("is the union of its parts, each under a name of its own", () => {
  expect(
    desiredLines(
      declare({ conntrack: { accounting: true }, synproxyRules: { web: rule([80]), dmz: rule([443], "192.0.2.2") } }),
    ),
  ).toEqual({
    nft: {
      "table inet lbshield": "layout input4, mark=0x10000000, own4, prerouting4, protected4",
      [`chain ${NAME}/synproxy.dmz.input`]: "synproxy mss 1460; drop",
      [`chain ${NAME}/synproxy.dmz.prerouting`]: "notrack",
      [`chain ${NAME}/synproxy.web.input`]: "synproxy mss 1460; drop",
      [`chain ${NAME}/synproxy.web.prerouting`]: "notrack",
      "element input4 { 192.0.2.1 . 80 }": `goto ${NAME}/synproxy.web.input`,
      "element input4 { 192.0.2.2 . 443 }": `goto ${NAME}/synproxy.dmz.input`,
      "element own4 { 192.0.2.1 . 80 }": "goto own-accept",
      "element own4 { 192.0.2.2 . 443 }": "goto own-accept",
      "element prerouting4 { 192.0.2.1 . 80 }": `goto ${NAME}/synproxy.web.prerouting`,
      "element prerouting4 { 192.0.2.2 . 443 }": `goto ${NAME}/synproxy.dmz.prerouting`,
      "element protected4 { 192.0.2.1 }": "in the set",
      "element protected4 { 192.0.2.2 }": "in the set",
    },
    sysctl: {
      "net.netfilter.nf_conntrack_acct": "1",
      "net.netfilter.nf_conntrack_tcp_loose": "0",
      "net.ipv4.tcp_syncookies": "1",
      "net.ipv4.tcp_timestamps": "1",
    },
  });
});

test("what several parts want is there once", () => {
  const { needs, wanted } = declare({
    conntrack: { tcpLoose: false },
    synproxyRules: { a: rule([80]), b: rule([81]), c: rule([82]) },
  });
  expect(needs.toSorted()).toEqual(["input4", "mark=0x10000000", "own4", "prerouting4", "protected4"]);
  expect(new Set(wanted.map((w) => objectId(w.object))).size).toBe(wanted.length);
});

test("a value serves all who want it: the stricter claim stays", () => {
  const values = (args: LoadBalancerArgs) =>
    declare({ ...args, synproxyRules: { a: rule([80]) } }).wanted.flatMap(({ object }) =>
      object.kind === "sysctl" && object.key === "net.ipv4.tcp_syncookies" ? [object] : [],
    );
  const key = { kind: "sysctl", key: "net.ipv4.tcp_syncookies" };
  expect(values({})).toEqual([{ ...key, value: "1", accepts: ["2"] }]);
  expect(values({ conntrack: { synCookies: true } })).toEqual([{ ...key, value: "1" }]);
  expect(values({ conntrack: { synCookies: "always" } })).toEqual([{ ...key, value: "2" }]);
});

test("without a rule there is nothing on the host", () => {
  expect(declare({ synproxyRules: {} })).toMatchObject({ needs: [], wanted: [] });
});

test("the longest name of a part's chain is one that nft takes, whatever the part", () => {
  const longest = hostName("lb", ["x", "y", "z"].map((c) => c.repeat(500)).join("/"));
  const name = "n".repeat(32);
  for (const { type, many } of Object.values(PARTS)) {
    const prefix = partPrefix(ownPrefix(longest), type.kind, many ? name : undefined);
    for (const own of ["prerouting", "profiles4", `forward-${name}`])
      expect(prefix.length + own.length).toBeLessThan(256);
  }
});

describe("two parts that cannot both be are told with both their names", () => {
  const conflicts = (args: LoadBalancerArgs) => new Declarations().enter("lb1", declare(args));
  test.each<[string, LoadBalancerArgs, string[]]>([
    [
      "the same key",
      { synproxyRules: { web: rule([80, 443]), dmz: rule([443, 80]) } },
      ["synproxyRules.web: 192.0.2.1 port 80 is declared by synproxyRules.dmz as well"],
    ],
    [
      "ranges that overlap",
      { synproxyRules: { a: rule(["80-90"]), b: rule(["90-99"]), c: rule(["100-110"]) } },
      ["synproxyRules.b: 192.0.2.1 port 90-99 is declared by synproxyRules.a as well"],
    ],
    [
      "another value",
      { conntrack: { tcpLoose: true, synCookies: false }, synproxyRules: { a: rule([80]), b: rule([81]) } },
      [
        "synproxyRules.a: net.netfilter.nf_conntrack_tcp_loose should be 0, but conntrack wants it to be 1",
        "synproxyRules.a: net.ipv4.tcp_syncookies should be 1, but conntrack wants it to be 0",
      ],
    ],
    [
      "a port and a range around it, which are told apart",
      { synproxyRules: { a: rule(["80-90"]), b: rule([85]) } },
      [],
    ],
    ["the same port of two addresses", { synproxyRules: { a: rule([80]), b: rule([80], "192.0.2.2") } }, []],
    ["values that serve both", { conntrack: { synCookies: "always" }, synproxyRules: { a: rule([80]) } }, []],
  ])("%s", (_name, args, expected) => {
    expect(conflicts(args)).toEqual(expected);
  });

  test("and a part that collides with another resource is named from both sides", () => {
    const all = new Declarations();
    const other = {
      name: "synproxy/acme/prod/web",
      label: "SynproxyRule web (acme/prod)",
      ...SYNPROXY_RULE.compile("synproxy/acme/prod/web/", SYNPROXY_RULE.model.parse(rule([80]))),
    };
    const lb = declare({ conntrack: { accounting: true }, synproxyRules: { front: rule([80]) } });
    expect(all.enter("lb1", other)).toEqual([]);
    expect(all.enter("lb1", lb)).toEqual([
      "synproxyRules.front: 192.0.2.1 port 80 is declared by SynproxyRule web (acme/prod) as well",
    ]);
    const fresh = new Declarations();
    expect(fresh.enter("lb1", lb)).toEqual([]);
    expect(fresh.enter("lb1", other)).toEqual([
      "192.0.2.1 port 80 is declared by synproxyRules.front of LoadBalancer lb1 (acme/prod) as well",
    ]);
    expect(fresh.enter("lb1", declare({ conntrack: { accounting: false } }, "lb/acme/prod/lb2"))).toEqual([
      "conntrack: net.netfilter.nf_conntrack_acct should be 0, but conntrack of LoadBalancer lb1 (acme/prod) wants it to be 1",
    ]);
  });

  test("each of a thousand that are the same is told once", () => {
    const synproxyRules = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`r${i.toString()}`, rule([80])]));
    expect(conflicts({ conntrack: { tcpLoose: true }, synproxyRules })).toHaveLength(999 + 1);
  });
});
