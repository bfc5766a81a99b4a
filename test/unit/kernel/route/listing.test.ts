import { parseRoutes, routeLook } from "../../../../provider/kernel/route/listing";
import { type RouteObject, routeId, routeText } from "../../../../provider/kernel/route/objects";

/** What iproute2 6.1 printed on Linux 6.18, for the commands in the headings. */
const RULES4 = `= -4 rule
0:	from all lookup 255 proto 2
50:	from all fwmark 0x6f lookup 100 proto 76
51:	from all fwmark 0x10/0xf0 lookup 101 proto 0
52:	from 10.0.0.0/24 to 192.0.2.1 iif eth0 oif eth9 [detached] lookup 102 proto 0
53:	not from 10.1.0.0/16 lookup 103 proto 0
54:	from 10.0.0.9 tos 0x10 lookup 104 proto 0
55:	from all uidrange 0-3 ipproto ipproto-6 sport 1-9 dport 80 lookup 105 proto 0
56:	from all to 10.9.9.9 6 proto 0
58:	from all to 10.9.9.8 goto 999 [unresolved] proto 0
61:	from all fwmark 0/0xff lookup 254 suppress_prefixlength 0 proto 12
63:	from all lookup [l3mdev-table] proto 0
64:	from all lookup 5 realms 3/4 proto 0
32766:	from all lookup 254 proto 2
32767:	from all lookup 253 proto 2
`;

const RULES6 = `= -6 rule
0:	from all lookup 255 proto 2
51:	from 2001:db8:a::/64 to 2001:db8:b::1 iif lo lookup 100 proto 0
32766:	from all lookup 254 proto 2
`;

const ROUTES4 = `= -4 route show table 100
2 default dev lo proto 76 scope 254 
1 default via 10.0.0.1 dev eth0 proto 3 scope 0 src 10.0.0.2 metric 6 mtu 1400 advmss 1300 
1 default via inet6 2001:db8:a::1 dev eth0 proto 3 scope 0 metric 30 
1 192.0.2.0/24 tos 0x10 dev eth0 proto 3 scope 253 
6 192.0.2.0/24 proto 3 scope 0 
9 192.0.2.0/24 proto 3 scope 0 metric 7 
1 192.0.2.0/24 via 10.0.0.1 dev eth0 proto 186 scope 0 metric 8 onlink 
1 192.0.2.0/24 proto 3 scope 0 metric 9 
	nexthop via 10.0.0.1 dev eth0 weight 2 
	nexthop via 10.0.0.13 dev eth0 weight 1 
1 192.0.2.0/24 dev eth0 proto 3 scope 253 metric 10 mtu lock 1400 rtt 10ms congctl cubic 
1 192.0.2.0/24 dev eth0 proto 3 scope 254 metric 11 
3 192.0.2.0/24 dev eth0 proto 3 scope 253 metric 14 
1 192.0.2.0/24 nhid 74 via 10.0.0.1 dev eth0 proto 3 scope 0 metric 15 
	nh_info id 74 via 10.0.0.1 dev eth0 scope 253 proto 0 
1 192.0.2.0/24  encap ip id 3 src 0.0.0.0 dst 10.0.0.9 ttl 0 tos 0 dev eth0 proto 3 scope 253 metric 16 
1 198.51.100.0/24 dev late0 proto 3 scope 253 linkdown 
`;

const ROUTES6 = `= -6 route show table 100
1 default from 2001:db8:c::/48 via 2001:db8:a::1 dev eth0 proto 3 scope 0 metric 1024 pref medium
9 2001:db8:b::/48 dev lo proto 3 scope 0 metric 7 pref medium
1 2001:db8:b::/48 via 2001:db8:a::1 dev eth0 proto 186 scope 0 metric 8 onlink pref medium
1 2001:db8:b::/48 proto 3 scope 0 metric 9 pref medium
	nexthop via 2001:db8:a::1 dev eth0 weight 2 
	nexthop via 2001:db8:a::13 dev eth0 weight 1 dead linkdown 
1 2001:db8:b::/48 dev eth0 proto 3 scope 0 metric 12 expires 99sec pref medium
1 2001:db8:b::/48 dev eth0 proto 3 scope 0 metric 13 pref high
1 2001:db8:d::/48 dev late0 proto 3 scope 0 metric 1024 linkdown pref medium
1 default via 2001:db8:a::1 dev eth0 proto 3 scope 0 src 2001:db8:a::2 metric 6 mtu 1400 advmss 1300 pref medium
2 default dev lo proto 76 scope 0 metric 1024 pref medium
`;

const asText = (listing: string) =>
  parseRoutes(listing).map((o) => `${routeId(o)}: ${routeText(o)}`.replace(/: $/, ""));

test("rules, without the kernel's own", () => {
  expect(asText(RULES4 + RULES6)).toEqual([
    "ip -4 rule pref 50 fwmark 0x6f lookup 100",
    "ip -4 rule pref 51 fwmark 0x10/0xf0 lookup 101",
    "ip -4 rule pref 52 from 10.0.0.0/24 to 192.0.2.1 iif eth0 oif eth9 lookup 102",
    "ip -4 rule pref 53 not from 10.1.0.0/16 lookup 103",
    "ip -4 rule pref 54 from 10.0.0.9 lookup 104 tos 0x10",
    "ip -4 rule pref 55 lookup 105 uidrange 0-3 ipproto 6 sport 1-9 dport 80",
    "ip -4 rule pref 56 to 10.9.9.9 6",
    "ip -4 rule pref 58 to 10.9.9.8 goto 999",
    "ip -4 rule pref 61 fwmark 0x0/0xff lookup 254 suppress_prefixlength 0",
    "ip -4 rule pref 63 l3mdev",
    "ip -4 rule pref 64 lookup 5 realms 3/4",
    "ip -6 rule pref 51 from 2001:db8:a::/64 to 2001:db8:b::1 iif lo lookup 100",
  ]);
});

test("IPv4 routes, with what is not known word for word", () => {
  expect(asText(ROUTES4)).toEqual([
    "ip -4 route default table 100: local dev lo",
    "ip -4 route default table 100 metric 6: unicast via 10.0.0.1 dev eth0 src 10.0.0.2 mtu 1400 advmss 1300",
    "ip -4 route default table 100 metric 30: unicast dev eth0 scope 0 via inet6 2001:db8:a::1",
    "ip -4 route 192.0.2.0/24 tos 0x10 table 100: unicast dev eth0",
    "ip -4 route 192.0.2.0/24 table 100: blackhole",
    "ip -4 route 192.0.2.0/24 table 100 metric 7: throw",
    "ip -4 route 192.0.2.0/24 table 100 metric 8: unicast via 10.0.0.1 dev eth0 onlink",
    "ip -4 route 192.0.2.0/24 table 100 metric 9: unicast scope 0 nexthop via 10.0.0.1 dev eth0 weight 2 nexthop via 10.0.0.13 dev eth0 weight 1",
    "ip -4 route 192.0.2.0/24 table 100 metric 10: unicast dev eth0 scope 253 mtu lock 1400 rtt 10ms congctl cubic",
    "ip -4 route 192.0.2.0/24 table 100 metric 11: unicast dev eth0 scope 254",
    "ip -4 route 192.0.2.0/24 table 100 metric 14: broadcast dev eth0 scope 253",
    "ip -4 route 192.0.2.0/24 table 100 metric 15: unicast scope 0 nhid 74",
    "ip -4 route 192.0.2.0/24 table 100 metric 16: unicast dev eth0 scope 253 encap ip id 3 src 0.0.0.0 dst 10.0.0.9 ttl 0 tos 0",
    "ip -4 route 198.51.100.0/24 table 100: unicast dev late0",
  ]);
});

test("IPv6 routes", () => {
  expect(asText(ROUTES6)).toEqual([
    "ip -6 route default from 2001:db8:c::/48 table 100 metric 1024: unicast via 2001:db8:a::1 dev eth0",
    "ip -6 route 2001:db8:b::/48 table 100 metric 7: throw",
    "ip -6 route 2001:db8:b::/48 table 100 metric 8: unicast via 2001:db8:a::1 dev eth0 onlink",
    "ip -6 route 2001:db8:b::/48 table 100 metric 9: unicast nexthop via 2001:db8:a::1 dev eth0 weight 2 nexthop via 2001:db8:a::13 dev eth0 weight 1",
    "ip -6 route 2001:db8:b::/48 table 100 metric 12: unicast dev eth0 expires 99",
    "ip -6 route 2001:db8:b::/48 table 100 metric 13: unicast dev eth0 pref high",
    "ip -6 route 2001:db8:d::/48 table 100 metric 1024: unicast dev late0",
    "ip -6 route default table 100 metric 6: unicast via 2001:db8:a::1 dev eth0 src 2001:db8:a::2 mtu 1400 advmss 1300",
    "ip -6 route default table 100 metric 1024: local dev lo",
  ]);
});

test("typed, with its maker", () => {
  expect(parseRoutes("= -4 rule\n50:\tnot from all to 10.0.0.1 fwmark 0x1/0xff iif lo lookup 100 proto 76\n")).toEqual([
    {
      kind: "ip-rule",
      family: 4,
      pref: 50,
      not: true,
      to: "10.0.0.1",
      fwmark: 1,
      fwmask: 255,
      iif: "lo",
      table: 100,
      protocol: 76,
    },
  ]);
  expect(parseRoutes("= -6 route show table 7\n6 default dev lo proto 4 scope 0 metric 9 pref medium\n")).toEqual([
    { kind: "route", family: 6, table: 7, type: "blackhole", destination: "default", metric: 9, protocol: 4 },
  ]);
});

test("a destination's routes are listed with their tables; the kernel's own and routers' are left out", () => {
  const listing = `= -6 route show exact 2001:db8:b::/48 table all
1 2001:db8:b::/48 dev eth0 table 254 proto 2 scope 0 metric 256 pref medium
1 2001:db8:b::/48 via fe80::1 dev eth0 table 254 proto 9 scope 0 metric 1024 expires 1799sec pref medium
1 2001:db8:b::/48 dev peer0 table 254 proto 4 scope 0 metric 1024 pref medium
7 2001:db8:b::/48 dev lo table 9 proto 3 scope 0 metric 4294967295 error -101 pref medium
`;
  expect(asText(listing)).toEqual([
    "ip -6 route 2001:db8:b::/48 table 254 metric 1024: unicast dev peer0",
    "ip -6 route 2001:db8:b::/48 table 9 metric 4294967295: unreachable",
  ]);
});

test("nothing listed is nothing read", () => {
  expect(parseRoutes("")).toEqual([]);
  expect(parseRoutes("= -4 rule\n\n= -4 route show table 999\n\n")).toEqual([]);
});

test("a look lists rules and tables once, and of the tables that others fill the destinations alone", () => {
  const route = (family: 4 | 6, table: number, destination: string): RouteObject => ({
    kind: "route",
    family,
    table,
    type: "unicast",
    destination,
    dev: "eth0",
  });
  const look = routeLook([
    { kind: "ip-rule", family: 4, pref: 50, table: 99 },
    route(4, 100, "default"),
    route(4, 100, "10.0.0.0/8"),
    route(4, 254, "192.0.2.0/24"),
    route(4, 255, "192.0.2.7; reboot"),
    route(6, 100, "default"),
  ]);
  expect(look.split("\n").filter((line) => line.startsWith("list -"))).toEqual([
    "list -4 rule || exit",
    "list -4 route show table 100 || exit",
    "list -4 route show exact 192.0.2.0/24 table all || exit",
    "list -4 route show exact '192.0.2.7; reboot' table all || exit",
    "list -6 rule || exit",
    "list -6 route show table 100 || exit",
  ]);
});
