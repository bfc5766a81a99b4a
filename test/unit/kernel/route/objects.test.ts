import {
  type IpRule,
  type Route,
  type RouteObject,
  routeEqual,
  routeId,
  routeText,
} from "../../../../provider/kernel/route/objects";

const rule = (o: Partial<IpRule>): IpRule => ({ kind: "ip-rule", family: 4, pref: 50, table: 100, ...o });
const route = (o: Partial<Route>): Route => ({
  kind: "route",
  family: 4,
  table: 100,
  type: "unicast",
  destination: "default",
  ...o,
});

test.each<[RouteObject, string, string]>([
  [rule({}), "ip -4 rule pref 50 lookup 100", ""],
  [rule({ fwmark: 111 }), "ip -4 rule pref 50 fwmark 0x6f lookup 100", ""],
  [rule({ fwmark: 16, fwmask: 0xf0 }), "ip -4 rule pref 50 fwmark 0x10/0xf0 lookup 100", ""],
  [rule({ fwmark: 0x80000000, fwmask: 0xffffffff }), "ip -4 rule pref 50 fwmark 0x80000000 lookup 100", ""],
  [
    rule({ family: 6, not: true, from: "2001:db8::/32", to: "2001:db8:a::1", iif: "eth0", oif: "eth1" }),
    "ip -6 rule pref 50 not from 2001:db8::/32 to 2001:db8:a::1 iif eth0 oif eth1 lookup 100",
    "",
  ],
  [{ kind: "ip-rule", family: 4, pref: 9, rest: "goto 999" }, "ip -4 rule pref 9 goto 999", ""],
  [route({ type: "local", dev: "lo" }), "ip -4 route default table 100", "local dev lo"],
  [route({ family: 6, type: "local", dev: "lo" }), "ip -6 route default table 100 metric 1024", "local dev lo"],
  [
    route({ via: "10.0.0.1", dev: "eth0", src: "10.0.0.2", metric: 5, mtu: 1400, advmss: 1300, onlink: true }),
    "ip -4 route default table 100 metric 5",
    "unicast via 10.0.0.1 dev eth0 src 10.0.0.2 mtu 1400 advmss 1300 onlink",
  ],
  [route({ type: "throw", destination: "10.0.0.0/8" }), "ip -4 route 10.0.0.0/8 table 100", "throw"],
])("%j is told by its id and its text", (object, id, text) => {
  expect(routeId(object)).toBe(id);
  expect(routeText(object)).toBe(text);
});

describe("a scope is told where ip would take another", () => {
  test.each<[Route, string]>([
    [route({ dev: "eth0", scope: 253 }), "unicast dev eth0"],
    [route({ dev: "eth0", scope: 254 }), "unicast dev eth0 scope 254"],
    [route({ dev: "eth0", via: "10.0.0.1", scope: 0 }), "unicast via 10.0.0.1 dev eth0"],
    [route({ type: "local", dev: "lo", scope: 254 }), "local dev lo"],
    [route({ type: "blackhole", scope: 0 }), "blackhole"],
    [route({ dev: "eth0", scope: 253, rest: "realm 5" }), "unicast dev eth0 scope 253 realm 5"],
  ])("%j", (object, text) => {
    expect(routeText(object)).toBe(text);
  });
});

test.each<[string, RouteObject | undefined, RouteObject | undefined, boolean]>([
  ["nothing and nothing", undefined, undefined, true],
  ["something and nothing", rule({}), undefined, false],
  ["a rule and the same by somebody else", rule({}), rule({ protocol: 3 }), true],
  ["a rule and another table", rule({}), rule({ table: 101 }), false],
  ["a route and the same as listed", route({ dev: "eth0" }), route({ dev: "eth0", scope: 253, protocol: 76 }), true],
  ["a route and another gateway", route({ via: "10.0.0.1" }), route({ via: "10.0.0.3" }), false],
  ["a route and another family", route({}), route({ family: 6 }), false],
])("%s: equal or not", (_what, a, b, equal) => {
  expect(routeEqual(a, b)).toBe(equal);
});
