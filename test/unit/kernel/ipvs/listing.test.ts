import fc from "fast-check";

import { IPVS_LOOK, parseIpvs, parseSave } from "../../../../provider/kernel/ipvs/listing";
import { byId, contentWords, ipvsEqual, ipvsId, ipvsText, nameWords } from "../../../../provider/kernel/ipvs/objects";
import { ipvsState } from "../../../support/arbitrary-ipvs";

/** ipvsadm 1.31 on Linux 6.1. */
const LISTING = `= services
-A -f -1 -s ovf
-a -f -1 -r 10.0.0.1:80 -g -w 1
-A -t 203.0.113.12:443 -s mh -p 300 -b mh-fallback,mh-port
-a -t 203.0.113.12:443 -r 10.0.0.11:443 -m -w 100
-a -t 203.0.113.12:443 -r 10.0.0.12:8443 -m -w 0
-a -t 203.0.113.12:443 -r 10.0.0.13:443 -g -w 2147483647
-a -t 203.0.113.12:443 -r 10.0.0.14:443 -i -w 1 --tun-type ipip
-a -t 203.0.113.12:443 -r 10.0.0.15:443 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
-a -t 203.0.113.12:443 -r 10.0.0.16:443 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-a -t 203.0.113.12:443 -r 10.0.0.17:443 -i -w 1 --tun-type gue --tun-port 65535 --tun-remcsum
-a -t 203.0.113.12:443 -r 10.0.0.18:443 -i -w 1 --tun-type gre --tun-nocsum
-a -t 203.0.113.12:443 -r 10.0.0.19:443 -i -w 1 --tun-type gre --tun-csum
-A -t 203.0.113.13:0 -s sh -p 360 -M 255.255.255.0 -b sh-port
-A -t 203.0.113.14:80 -s sh -b 
-A -t 203.0.113.14:81 -s rr -b flag-1,flag-3
-A -u 203.0.113.12:53 -s wrr -o
-a -u 203.0.113.12:53 -r 10.0.0.11:53 -m -w 1
-A -u 203.0.113.12:5060 -s wrr -p 60 --pe sip
-A -u 203.0.113.12:5061 -s wrr --pe sip
-A --sctp-service 203.0.113.12:9 -s nq
-A -t [2001:db8::1]:443 -s wlc -p 100 -M 64
-a -t [2001:db8::1]:443 -r [2001:db8::b]:80 -m -w 1
-A -f 5 -s lblcr
-a -f 5 -r 10.0.0.1:0 -m -w 1
-A -f 5 -6 -s fo
-a -f 5 -6 -r [2001:db8::b]:80 -m -w 1
= thresholds
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn 
  -> RemoteAddress:Port
FWM  -1 ovf
  -> 10.0.0.1:80                  9          0          0          0         
TCP  203.0.113.12:443 mh (mh-fallback,mh-port) persistent 300
  -> 10.0.0.11:443                0          0          0          0         
  -> 10.0.0.12:8443               1000       800        0          0         
  -> 10.0.0.13:443                0          0          0          0         
  -> 10.0.0.14:443                0          0          0          0         
  -> 10.0.0.15:443                0          0          0          0         
  -> 10.0.0.16:443                7          0          0          0         
  -> 10.0.0.17:443                0          0          0          0         
  -> 10.0.0.18:443                0          0          0          0         
  -> 10.0.0.19:443                0          0          0          0         
TCP  203.0.113.13:0 sh (sh-port) persistent 360 mask 255.255.255.0
TCP  203.0.113.14:80 sh ()
TCP  203.0.113.14:81 rr (flag-1,flag-3)
UDP  203.0.113.12:53 wrr ops
  -> 10.0.0.11:53                 70000      69999      0          0         
UDP  203.0.113.12:5060 wrr persistent 60 pe sip
UDP  203.0.113.12:5061 wrr
SCTP 203.0.113.12:9 nq
TCP  [2001:db8::1]:443 wlc persistent 100 mask 64
  -> [2001:db8::b]:80             5          5          0          0         
FWM  5 lblcr
  -> 10.0.0.1:0                   3          1          0          0         
FWM  5 IPv6 fo
  -> [2001:db8::b]:80             4          2          0          0         
= timeouts
Timeout (tcp tcpfin udp): 7200 60 30
= daemons
master sync daemon (mcast=eth9, syncid=0, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)
backup sync daemon (mcast=eth9, syncid=7, maxlen=1400, group=ff02::81, port=9999, ttl=3)
`;

const read = (listing: string): Record<string, string> =>
  Object.fromEntries(parseIpvs(listing).map((o) => [ipvsId(o), ipvsText(o)]));

test("a listing is read whole", () => {
  expect(read(LISTING)).toEqual({
    "service fwmark 4294967295": "-s ovf",
    "server fwmark 4294967295 10.0.0.1:80": "-g -w 1 -x 9 -y 0",
    "service tcp 203.0.113.12:443": "-s mh -b mh-fallback,mh-port -p 300",
    "server tcp 203.0.113.12:443 10.0.0.11:443": "-m -w 100 -x 0 -y 0",
    "server tcp 203.0.113.12:443 10.0.0.12:8443": "-m -w 0 -x 1000 -y 800",
    "server tcp 203.0.113.12:443 10.0.0.13:443": "-g -w 2147483647 -x 0 -y 0",
    "server tcp 203.0.113.12:443 10.0.0.14:443": "-i -w 1 -x 0 -y 0",
    "server tcp 203.0.113.12:443 10.0.0.15:443": "-i --tun-type gue --tun-port 6080 --tun-nocsum -w 1 -x 0 -y 0",
    "server tcp 203.0.113.12:443 10.0.0.16:443": "-i --tun-type gue --tun-port 6080 --tun-csum -w 1 -x 7 -y 0",
    "server tcp 203.0.113.12:443 10.0.0.17:443": "-i --tun-type gue --tun-port 65535 --tun-remcsum -w 1 -x 0 -y 0",
    "server tcp 203.0.113.12:443 10.0.0.18:443": "-i --tun-type gre --tun-nocsum -w 1 -x 0 -y 0",
    "server tcp 203.0.113.12:443 10.0.0.19:443": "-i --tun-type gre --tun-csum -w 1 -x 0 -y 0",
    "service tcp 203.0.113.13:0": "-s sh -b sh-port -p 360 -M 255.255.255.0",
    "service tcp 203.0.113.14:80": "-s sh",
    "service tcp 203.0.113.14:81": "-s rr -b flag-1,flag-3",
    "service udp 203.0.113.12:53": "-s wrr -o",
    "server udp 203.0.113.12:53 10.0.0.11:53": "-m -w 1 -x 70000 -y 69999",
    "service udp 203.0.113.12:5060": "-s wrr -p 60 --pe sip",
    "service udp 203.0.113.12:5061": "-s wrr --pe sip",
    "service sctp 203.0.113.12:9": "-s nq",
    "service tcp [2001:db8::1]:443": "-s wlc -p 100 -M 64",
    "server tcp [2001:db8::1]:443 [2001:db8::b]:80": "-m -w 1 -x 5 -y 5",
    "service fwmark 5": "-s lblcr",
    "server fwmark 5 10.0.0.1:0": "-m -w 1 -x 3 -y 1",
    "service fwmark 5 ipv6": "-s fo",
    "server fwmark 5 ipv6 [2001:db8::b]:80": "-m -w 1 -x 4 -y 2",
    "ipvs timeouts": "--set 7200 60 30",
    "ipvs master daemon":
      "--mcast-interface eth9 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 1 --syncid 0 --sync-maxlen 1472",
    "ipvs backup daemon":
      "--mcast-interface eth9 --mcast-group ff02::81 --mcast-port 9999 --mcast-ttl 3 --syncid 7 --sync-maxlen 1400",
  });
});

test("where IPVS is loaded and unused there are its timeouts alone", () => {
  const listing = `= services
= thresholds
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn
  -> RemoteAddress:Port
= timeouts
Timeout (tcp tcpfin udp): 900 120 300
= daemons
`;
  expect(read(listing)).toEqual({ "ipvs timeouts": "--set 900 120 300" });
});

test("where it is not loaded there is nothing, and ipvsadm, which would load it, is not asked", () => {
  expect(read("")).toEqual({});
  expect(IPVS_LOOK.trim().split("\n")[0]).toBe("if [ -e /proc/net/ip_vs ]; then");
});

test("a daemon of an older kernel says less", () => {
  expect(parseIpvs("= daemons\nbackup sync daemon (mcast=bond0.100, syncid=255)\n")).toEqual([
    {
      kind: "ipvs-daemon",
      state: "backup",
      interface: "bond0.100",
      syncid: 255,
      group: "224.0.0.81",
      port: 8848,
      ttl: 1,
    },
  ]);
});

describe("lines that somebody has", () => {
  const texts = (...lines: string[]) =>
    Object.fromEntries(parseSave(lines).map((o) => [ipvsId(o), ipvsText(o)] as const));

  test("may leave out what ipvsadm adds", () => {
    expect(texts("ipvsadm -A -t 192.0.2.1:80 -p", "# a comment", "", "-a -t 192.0.2.1:80 -r 10.0.0.1")).toEqual({
      "service tcp 192.0.2.1:80": "-s wlc -p 360",
      "server tcp 192.0.2.1:80 10.0.0.1:80": "-g -w 1 -x 0 -y 0",
    });
    expect(texts("-A -t 192.0.2.1 -p 5 -M 255.255.255.255", "-A -f 7 -p -6 -M 128")).toEqual({
      "service tcp 192.0.2.1:0": "-s wlc -p 5",
      "service fwmark 7 ipv6": "-s wlc -p 360",
    });
  });

  test("may have thresholds", () => {
    expect(texts("-a -f 1 -r 10.0.0.1:80 -m -w 3 -x 9 -y 7")).toEqual({
      "server fwmark 1 10.0.0.1:80": "-m -w 3 -x 9 -y 7",
    });
  });

  test("lead to the port of the service, where the port cannot be changed", () => {
    expect(texts("-a -t 192.0.2.1:80 -r 10.0.0.1:81 -g", "-a -t 192.0.2.1:80 -r 10.0.0.2:81 -i")).toEqual({
      "server tcp 192.0.2.1:80 10.0.0.1:80": "-g -w 1 -x 0 -y 0",
      "server tcp 192.0.2.1:80 10.0.0.2:80": "-i -w 1 -x 0 -y 0",
    });
    expect(texts("-a -f 1 -r 10.0.0.1:81 -g", "-a -t 192.0.2.1:80 -r 10.0.0.1:81 -m")).toEqual({
      "server fwmark 1 10.0.0.1:81": "-g -w 1 -x 0 -y 0",
      "server tcp 192.0.2.1:80 10.0.0.1:81": "-m -w 1 -x 0 -y 0",
    });
  });

  test.each([
    ["-C", "-C adds neither a service (-A) nor a server (-a)"],
    ["-A -t 192.0.2.1:80 --new-thing 5", "unknown option --new-thing"],
    ["-A -t 192.0.2.1:80 -w 5", "unknown option -w"],
    ["-a -t 192.0.2.1:80 -r 10.0.0.1 -s rr", "unknown option -s"],
    ["-A -t 192.0.2.1:80 stray", "unknown option stray"],
    ["-A -t 192.0.2.1:80 -s", "-s has no value"],
    ["-A -t 192.0.2.1:80 -s rr -s wrr", "-s is there twice"],
    ["-A -t 192.0.2.1:80 -b sh-port,fast", "unknown scheduler flag fast"],
    ["-A -s rr", "-t or -u or --sctp-service or -f is missing"],
    ["-A -t 192.0.2.1:80 -f 5", "-t and -f exclude each other"],
    ["-A -t www.example.net:http", "www.example.net:http is not an address and a port"],
    ["-A -t 2001:db8::1:80", "2001:db8::1:80 is not an address and a port"],
    ["-A -t [192.0.2.1]:80", "[192.0.2.1]:80 is not an address and a port"],
    ["-A -f x", "-f x is not a number"],
    ["-A -t 192.0.2.1:80 -p 5m", "-p 5m is not a number"],
    ["-a -t 192.0.2.1:80 -m", "-r is missing"],
    ["-a -t 192.0.2.1:80 -r 10.0.0.1 -m -g", "-g and -m exclude each other"],
    ["-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-type vxlan", "no tunnel is of type vxlan with --tun-nocsum and port 0"],
    ["-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-type gue", "no tunnel is of type gue with --tun-nocsum and port 0"],
    [
      "-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-type gre --tun-remcsum",
      "no tunnel is of type gre with --tun-remcsum and port 0",
    ],
  ])("are refused when they say what nobody understands: %s", (line, reason) => {
    expect(() => parseSave([line])).toThrow(`${reason}: ${line}`);
  });
});

test("what is written for ipvsadm is read as what it was", () => {
  fc.assert(
    fc.property(ipvsState, (state) => {
      const some = state.filter((o) => o.kind === "ipvs-service" || o.kind === "ipvs-server");
      const lines = some.map((o) =>
        [o.kind === "ipvs-service" ? "-A" : "-a", ...nameWords(o), ...contentWords(o)].join(" "),
      );
      const found = byId(parseSave(lines));
      expect([...found.keys()]).toEqual([...byId(some).keys()]);
      expect(some.filter((o) => !ipvsEqual(found.get(ipvsId(o)), o))).toEqual([]);
    }),
  );
});
