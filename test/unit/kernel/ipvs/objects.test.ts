import {
  type Forwarding,
  type IpvsDaemon,
  type IpvsObject,
  type IpvsServer,
  type IpvsService,
  type IpvsTimeouts,
  type SchedulerFlag,
  byId,
  ipvsEqual,
  ipvsId,
  ipvsText,
} from "../../../../provider/kernel/ipvs/objects";

const plain = { kind: "ipvs-service", scheduler: "rr", flags: [], onePacket: false } as const;
const web: IpvsService = { ...plain, protocol: "tcp", address: "203.0.113.12", port: 443 };
const server: IpvsServer = {
  kind: "ipvs-server",
  service: ipvsId(web),
  address: "10.0.0.11",
  port: 443,
  forwarding: { method: "masquerade" },
  weight: 100,
  upper: 0,
  lower: 0,
};
const timeouts: IpvsTimeouts = { kind: "ipvs-timeouts", tcp: 900, tcpfin: 120, udp: 300 };
const daemon: IpvsDaemon = {
  kind: "ipvs-daemon",
  state: "master",
  syncid: 1,
  interface: "eth0",
  group: "224.0.0.81",
  port: 8848,
  ttl: 1,
};

test.each<[string, string, IpvsObject]>([
  ["service tcp 203.0.113.12:443", "-s rr", web],
  [
    "service tcp 203.0.113.12:443",
    "-s mh -b mh-port -p 300",
    { ...web, scheduler: "mh", flags: ["mh-port"], persistence: { timeout: 300 } },
  ],
  [
    "service udp [2001:db8::1]:0",
    "-s wlc -p 5 -M 64 --pe sip -o",
    {
      ...plain,
      protocol: "udp",
      address: "2001:db8::1",
      port: 0,
      scheduler: "wlc",
      persistence: { timeout: 5, netmask: "64" },
      engine: "sip",
      onePacket: true,
    },
  ],
  ["service sctp 203.0.113.12:9", "-s rr", { ...web, protocol: "sctp", port: 9 }],
  ["service fwmark 5", "-s rr", { ...plain, fwmark: 5, family: 4 }],
  ["service fwmark 5 ipv6", "-s rr", { ...plain, fwmark: 5, family: 6 }],
  ["server tcp 203.0.113.12:443 10.0.0.11:443", "-m -w 100 -x 0 -y 0", server],
  [
    "server fwmark 5 ipv6 [2001:db8::b]:0",
    "-m -w 0 -x 9 -y 7",
    { ...server, service: "service fwmark 5 ipv6", address: "2001:db8::b", port: 0, weight: 0, upper: 9, lower: 7 },
  ],
  ["ipvs timeouts", "--set 900 120 300", timeouts],
  [
    "ipvs master daemon",
    "--mcast-interface eth0 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 1 --syncid 1",
    daemon,
  ],
  [
    "ipvs backup daemon",
    "--mcast-interface eth0 --mcast-group ff02::81 --mcast-port 8848 --mcast-ttl 1 --syncid 1 --sync-maxlen 1400",
    { ...daemon, state: "backup", group: "ff02::81", maxlen: 1400 },
  ],
])("%s: %s", (id, text, object) => {
  expect([ipvsId(object), ipvsText(object)]).toEqual([id, text]);
  expect([...byId([object]).keys()]).toEqual([id]);
});

test.each<[string, Forwarding]>([
  ["-m", { method: "masquerade" }],
  ["-g", { method: "gateway" }],
  ["-i", { method: "tunnel", type: "ipip" }],
  ["-i --tun-type gre --tun-nocsum", { method: "tunnel", type: "gre", checksum: "nocsum" }],
  [
    "-i --tun-type gue --tun-port 6080 --tun-remcsum",
    { method: "tunnel", type: "gue", port: 6080, checksum: "remcsum" },
  ],
])("packets are forwarded by %s", (words, forwarding) => {
  expect(ipvsText({ ...server, forwarding })).toBe(`${words} -w 100 -x 0 -y 0`);
});

test.each<[string, SchedulerFlag[], string]>([
  ["sh", ["flag-2", "sh-fallback"], "-s sh -b sh-fallback,sh-port"],
  ["sh", ["flag-2", "sh-port"], "-s sh -b sh-port"],
  ["mh", ["flag-1", "flag-3"], "-s mh -b mh-fallback"],
  ["mh", ["flag-3"], "-s mh"],
  ["rr", ["flag-3", "flag-1"], "-s rr -b flag-1,flag-3"],
])("%s with flags %j is listed as one thing: %s", (scheduler, flags, text) => {
  expect(ipvsText({ ...web, scheduler, flags })).toBe(text);
});

describe("two are equal", () => {
  const never = undefined;
  test.each<[string, IpvsObject | undefined, IpvsObject | undefined, boolean]>([
    ["when they are one", web, web, true],
    ["when both are missing", never, never, true],
    ["not when one is missing", web, never, false],
    [
      "in other words",
      { ...web, persistence: { timeout: 5, netmask: "255.255.255.255" } },
      { ...web, persistence: { timeout: 5 } },
      true,
    ],
    ["not with another name", web, { ...web, port: 80 }, false],
    ["not with another scheduler", web, { ...web, scheduler: "wrr" }, false],
    ["not with another weight", server, { ...server, weight: 0 }, false],
    ["when one leaves a timeout open", { ...timeouts, tcp: 0, udp: 0 }, timeouts, true],
    ["not with another timeout", { ...timeouts, tcp: 0, udp: 5 }, timeouts, false],
    ["when one leaves the length of messages open", daemon, { ...daemon, maxlen: 1472 }, true],
    ["not with another length", { ...daemon, maxlen: 1400 }, { ...daemon, maxlen: 1472 }, false],
    ["not on another interface", daemon, { ...daemon, interface: "eth1", maxlen: 1472 }, false],
  ])("%s", (_name, a, b, equal) => {
    expect([ipvsEqual(a, b), ipvsEqual(b, a)]).toEqual([equal, equal]);
  });
});
