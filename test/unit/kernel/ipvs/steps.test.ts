import fc from "fast-check";

import { parseSave } from "../../../../provider/kernel/ipvs/listing";
import { type IpvsDaemon, type IpvsObject, byId, ipvsEqual, ipvsId } from "../../../../provider/kernel/ipvs/objects";
import { ipvsSteps } from "../../../../provider/kernel/ipvs/steps";
import { ipvsState } from "../../../support/arbitrary-ipvs";

const steps = (from: readonly IpvsObject[], to: readonly IpvsObject[]) => ipvsSteps(byId(from), byId(to));
const runs = (from: readonly IpvsObject[], to: readonly IpvsObject[]) => steps(from, to).map((s) => s.run);
const backs = (from: readonly IpvsObject[], to: readonly IpvsObject[]) => steps(from, to).map((s) => s.back);

const web = parseSave([
  "-A -t 192.0.2.1:80 -s rr",
  "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m",
  "-a -t 192.0.2.1:80 -r 10.0.0.2:80 -m",
]);
const [service, one, two] = web as [IpvsObject, IpvsObject, IpvsObject];
const mail = parseSave(["-A -t 192.0.2.1:25 -s wlc", "-a -t 192.0.2.1:25 -r 10.0.0.9:25 -g"]);
const timeouts = (tcp: number, udp = 300): IpvsObject => ({ kind: "ipvs-timeouts", tcp, tcpfin: 120, udp });
const daemon: IpvsDaemon = {
  kind: "ipvs-daemon",
  state: "master",
  syncid: 1,
  interface: "eth0",
  group: "224.0.0.81",
  port: 8848,
  ttl: 1,
};
const START =
  "ipvsadm --start-daemon master --mcast-interface eth0 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 1 --syncid";

test("what is new is added, a service before its servers", () => {
  expect(runs([], [one, two, service])).toEqual([
    "ipvsadm -A -t 192.0.2.1:80 -s rr",
    "ipvsadm -a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1 -x 0 -y 0",
    "ipvsadm -a -t 192.0.2.1:80 -r 10.0.0.2:80 -m -w 1 -x 0 -y 0",
  ]);
  expect(backs([], web).slice(0, 2)).toEqual([
    "[ ! -e /proc/net/ip_vs ] || ipvsadm -D -t 192.0.2.1:80 2>/dev/null || :",
    "[ ! -e /proc/net/ip_vs ] || ipvsadm -d -t 192.0.2.1:80 -r 10.0.0.1:80 2>/dev/null || :",
  ]);
});

test("what goes takes its servers first, so that they come back", () => {
  expect(runs(web, [])).toEqual([
    "ipvsadm -d -t 192.0.2.1:80 -r 10.0.0.1:80",
    "ipvsadm -d -t 192.0.2.1:80 -r 10.0.0.2:80",
    "ipvsadm -D -t 192.0.2.1:80",
  ]);
  expect(backs(web, []).slice(1)).toEqual([
    "ipvsadm -a -t 192.0.2.1:80 -r 10.0.0.2:80 -m -w 1 -x 0 -y 0 2>/dev/null || ipvsadm -e -t 192.0.2.1:80 -r 10.0.0.2:80 -m -w 1 -x 0 -y 0",
    "ipvsadm -A -t 192.0.2.1:80 -s rr 2>/dev/null || ipvsadm -E -t 192.0.2.1:80 -s rr",
  ]);
});

test("what changes is edited in place, forwarding and scheduler, too", () => {
  const to = parseSave(["-A -t 192.0.2.1:80 -s mh -b mh-port", "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 5"]);
  expect(runs([service, one], to)).toEqual([
    "ipvsadm -e -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 5 -x 0 -y 0",
    "ipvsadm -E -t 192.0.2.1:80 -s mh -b mh-port",
  ]);
  expect(backs([service, one], to)).toEqual([
    "ipvsadm -e -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1 -x 0 -y 0",
    "ipvsadm -E -t 192.0.2.1:80 -s rr",
  ]);
});

test("what is new comes before what is edited, what goes goes last", () => {
  const to = parseSave([
    "-A -t 192.0.2.1:80 -s wrr",
    "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 2",
    "-a -t 192.0.2.1:80 -r 10.0.0.3:80 -m",
    "-A -u 192.0.2.1:53",
  ]);
  expect(steps([...mail, ...web], to).map((s) => `${s.run.slice(8, 10)} ${s.id}`)).toEqual([
    "-A service udp 192.0.2.1:53",
    "-a server tcp 192.0.2.1:80 10.0.0.3:80",
    "-e server tcp 192.0.2.1:80 10.0.0.1:80",
    "-E service tcp 192.0.2.1:80",
    "-d server tcp 192.0.2.1:25 10.0.0.9:25",
    "-d server tcp 192.0.2.1:80 10.0.0.2:80",
    "-D service tcp 192.0.2.1:25",
  ]);
});

test("timeouts are the kernel's own when nobody has any", () => {
  expect(runs([timeouts(900)], [timeouts(60)])).toEqual(["ipvsadm --set 60 120 300"]);
  expect(backs([timeouts(900)], [timeouts(60)])).toEqual(["ipvsadm --set 900 120 300"]);
  expect(runs([timeouts(60)], [])).toEqual(["ipvsadm --set 900 120 300"]);
  expect(backs([timeouts(60)], [])).toEqual(["ipvsadm --set 60 120 300"]);
  expect(runs([], [timeouts(60)])).toEqual(["ipvsadm --set 60 120 300"]);
  expect(backs([], [timeouts(60)])).toEqual(["[ ! -e /proc/net/ip_vs ] || ipvsadm --set 900 120 300 2>/dev/null || :"]);
});

test("a timeout that is left open is left alone", () => {
  expect(runs([timeouts(900)], [timeouts(0)])).toEqual([]);
  expect(runs([timeouts(900)], [timeouts(0, 5)])).toEqual(["ipvsadm --set 0 120 5"]);
});

describe("a daemon", () => {
  test("starts when no tunnel to another family is left, and stops before there is one", () => {
    expect(runs([...web, timeouts(1)], [...mail, timeouts(2), daemon]).at(-1)).toBe(`${START} 1`);
    expect(runs([...web, timeouts(1), daemon], [...mail, timeouts(2)])[0]).toBe("ipvsadm --stop-daemon master");
  });

  test("is stopped and started to be changed", () => {
    expect(steps([{ ...daemon, maxlen: 1472 }], [{ ...daemon, syncid: 2 }])).toEqual([
      {
        id: "ipvs master daemon",
        run: `{ ipvsadm --stop-daemon master 2>/dev/null; ${START} 2; }`,
        back: `{ ipvsadm --stop-daemon master 2>/dev/null; ${START} 1 --sync-maxlen 1472; }`,
      },
    ]);
    expect(runs([{ ...daemon, maxlen: 1472 }], [daemon])).toEqual([]);
  });

  test("is started again only when it was stopped", () => {
    expect(backs([daemon], [])).toEqual([`ipvsadm -L --daemon | grep -q "^master " || ${START} 1`]);
    expect(backs([], [daemon])).toEqual(["[ ! -e /proc/net/ip_vs ] || ipvsadm --stop-daemon master 2>/dev/null || :"]);
  });
});

test("what the shell would read is quoted", () => {
  const odd = parseSave(["-A -t [2001:db8::1]:80 -s $(reboot)", "-a -t [2001:db8::1]:80 -r [2001:db8::b]:80 -m"]);
  expect(runs([], [...odd, { ...daemon, interface: "a'b;c" }])).toEqual([
    "ipvsadm -A -t '[2001:db8::1]:80' -s '$(reboot)'",
    "ipvsadm -a -t '[2001:db8::1]:80' -r '[2001:db8::b]:80' -m -w 1 -x 0 -y 0",
    String.raw`ipvsadm --start-daemon master --mcast-interface 'a'\''b;c' --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 1 --syncid 1`,
  ]);
});

test("there is a step for each difference and no other, with the id of its object", () => {
  fc.assert(
    fc.property(ipvsState, ipvsState, (a, b) => {
      const [from, to] = [byId(a), byId(b)];
      const different = [...a, ...b].map(ipvsId).filter((id) => !ipvsEqual(from.get(id), to.get(id)));
      const ids = ipvsSteps(from, to).map((s) => s.id);
      expect(ids.toSorted()).toEqual([...new Set(different)].sort());
      expect(ipvsSteps(from, from)).toEqual([]);
    }),
  );
});
