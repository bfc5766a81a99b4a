/** What servers answer, as the host shows it; and how questions are put together. */
import { type HostSession } from "../../provider/engine/session";
import { Heard, Inquiry, type Question, type Server, answer, compare, probeScript } from "../../provider/learn";

const server = (address: string, port = 80, ...interfaces: string[]): Server => ({ address, port, interfaces });
const WEB = server("192.0.2.1");
const SIX = server("2001:db8::1", 443);

/** As `nft list table` writes it, with elements that go on over lines. */
const set = (name: string, ...elements: string[]) =>
  `	set ${name} {
		typeof tcp dport . ip saddr . tcp sport . tcp option maxseg size
		size 65535
		flags dynamic
${elements.length > 0 ? `		elements = { ${elements.join(",\n			     ")} }\n` : ""}	}
`;
const TABLE = `table inet lbshield-learn-77 {
${set("asked4", "40000 . 192.0.2.1 . 80", "40001 . 192.0.2.1 . 81", "40002 . 192.0.2.2 . 80")}
${set("refused4", "40001 . 192.0.2.1 . 81")}
${set("answered4", "40000 . 192.0.2.1 . 80", "40002 . 192.0.2.2 . 80", "40003 . 192.0.2.3 . 80")}
${set("timestamp4", "40000 . 192.0.2.1 . 80", "40003 . 192.0.2.3 . 80")}
${set("sack4", "40000 . 192.0.2.1 . 80")}
${set("mss4", "40000 . 192.0.2.1 . 80 . 1460", "40003 . 192.0.2.3 . 80 . 65495")}
${set("scale4", "40000 . 192.0.2.1 . 80 . 7")}
${set("answered6", "41000 . 2001:db8::1 . 443", "41000 . 2001:db8::9 . 443")}
${set("timestamp6", "41000 . 2001:db8::1 . 443")}
${set("sack6")}
${set("mss6", "41000 . 2001:db8::1 . 443 . 1440", "41000 . 2001:db8::9 . 443 . 65476")}
${set("scale6", "41000 . 2001:db8::1 . 443 . 15")}
}
`;
const HOST = `@@host
tcp_timestamps 1
tcp_sack 1
tcp_window_scaling 1
local 192.0.2.3 dev lo src 192.0.2.3 uid 0 \\    cache <local>
local 2001:db8::9 dev lo table local proto kernel src 2001:db8::9 metric 0 pref medium
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000\\    link/loopback
2: eth0@if9: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default\\    link/ether
3: eth1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9000 qdisc noqueue state UP mode DEFAULT group default\\    link/ether
default via 198.51.100.1 dev eth0 advmss 1400
default via 198.51.100.2 dev eth1 metric 50
default6 via 2001:db8::ffff dev eth0 metric 1024 pref medium
`;
const heard = new Heard(TABLE + HOST);

test("the options of each SYN-ACK, of either family", () => {
  expect(heard.of(WEB)).toEqual({ mss: 1460, wscale: 7, timestamp: true, sackPerm: true });
  // RFC 7323, 2.3: more than 14 is 14.
  expect(heard.of(SIX)).toEqual({ mss: 1440, wscale: 14, timestamp: true, sackPerm: false });
});

test("a SYN-ACK without options is an answer, and no SYN-ACK is none", () => {
  expect(heard.of(server("192.0.2.2"))).toEqual({ mss: 536, timestamp: false, sackPerm: false });
  expect(heard.of(server("192.0.2.1", 81))).toBe("refused the connection");
  expect(heard.of(server("192.0.2.9"))).toBe("did not answer");
  expect(new Heard("").of(WEB)).toBe("did not answer");
});

test.each<[string, Server, number]>([
  ["the default route's, which may say so itself", server("192.0.2.3"), 1400],
  ["that of the interface by which clients come", server("192.0.2.3", 80, "eth1"), 8960],
  ["the smallest of several", server("192.0.2.3", 80, "eth1", "eth0"), 1460],
  ["1500 where the interface is not there", server("192.0.2.3", 80, "eth7"), 1460],
  ["IPv6's, with its larger header", server("2001:db8::9", 443), 1440],
])("a server on the balancer has the segments of the way to its clients: %s", (_name, local, mss) => {
  expect(heard.of(local)).toMatchObject({ mss });
});

const question = (part: Partial<Question> = {}): Question => ({
  path: [],
  servers: [WEB],
  learns: true,
  declared: "learn",
  needs: ["tcp_timestamps"],
  means: ({ mss }) => `mss ${mss.toString()}`,
  differs: (known) => known.map(([{ address }, { mss }]) => `${address} ${mss.toString()}`),
  ...part,
});

test("of several servers what all of them keep; the first that is silent is named", () => {
  expect(answer(question({ servers: [WEB, SIX] }), heard)).toEqual({
    mss: 1440,
    wscale: 7,
    timestamp: true,
    sackPerm: false,
  });
  expect(answer(question({ servers: [WEB, server("192.0.2.2")] }), heard)).toEqual({
    mss: 536,
    timestamp: false,
    sackPerm: false,
  });
  expect(answer(question({ servers: [WEB, server("2001:db8::5", 81)] }), heard)).toBe(
    "[2001:db8::5]:81 did not answer",
  );
});

test("what the host itself does not offer cannot be learned, where it is needed", () => {
  const deaf = new Heard(TABLE + HOST.replace("tcp_timestamps 1", "tcp_timestamps 0"));
  expect(answer(question(), deaf)).toBe(
    "net.ipv4.tcp_timestamps is 0 on the balancer, so that no server offers it to it",
  );
  expect(answer(question({ needs: [] }), deaf)).toMatchObject({ mss: 1460 });
});

test("servers that are silent are not compared", () => {
  expect(compare(question({ servers: [server("192.0.2.9"), WEB] }), heard)).toEqual(["192.0.2.1 1460"]);
});

test("the script has both families only where both are asked", () => {
  expect(probeScript([WEB])).toContain("ip daddr . tcp dport { 192.0.2.1 . 80 } add @asked4");
  expect(probeScript([WEB])).not.toContain("asked6");
  expect(probeScript([SIX])).not.toContain("asked4");
  // So many at a time: the time is that of each round.
  const many = Array.from({ length: 65 }, (_, i) => server("192.0.2.1", 1000 + i));
  expect(probeScript(many)).toContain("timeout 8 bash");
});

/** A session that answers each script with the same, and counts them. */
function paper(reply = { code: 0, stdout: TABLE + HOST, stderr: "" }) {
  const scripts: string[] = [];
  const session = {
    ask: async (script: string) => {
      scripts.push(script);
      await new Promise((done) => setTimeout(done, 5));
      return reply;
    },
  } as unknown as HostSession;
  return { inquiry: new Inquiry(session), scripts };
}

describe("an inquiry", () => {
  test("asks once for all who wait, each server once; and again for those who come meanwhile", async () => {
    const { inquiry, scripts } = paper();
    const first = [inquiry.ask([WEB]), inquiry.ask([WEB, SIX])];
    await new Promise((done) => setTimeout(done, 2));
    const later = inquiry.ask([SIX]).then(() => inquiry.ask([WEB]));
    await Promise.all([...first, later]);
    expect(scripts).toHaveLength(3);
    expect(scripts[0]?.match(/192\.0\.2\.1 \. 80/g)).toHaveLength(1);
  });

  test("fails for all who wait with what the host said", async () => {
    const { inquiry } = paper({ code: 1, stdout: "", stderr: "nft: not found\n" });
    const results = await Promise.allSettled([inquiry.ask([WEB]), inquiry.ask([SIX])]);
    expect(results).toEqual(Array(2).fill({ status: "rejected", reason: new Error("nft: not found") }));
  });

  test("compares when the last of the changes is done, those that failed left out", async () => {
    const { inquiry, scripts } = paper();
    const told: string[] = [];
    const change = (name: string, wait: number, fails = false) =>
      inquiry.compared(async (later) => {
        later(question(), (problem) => told.push(`${name}: ${problem}`));
        await new Promise((done) => setTimeout(done, wait));
        expect(scripts).toEqual([]);
        if (fails) throw new Error("no");
        return name;
      });
    const results = await Promise.allSettled([change("a", 1), change("b", 15, true), change("c", 30)]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(scripts).toHaveLength(1);
    expect(told).toEqual(["a: 192.0.2.1 1460", "c: 192.0.2.1 1460"]);
  });

  test("says nothing where it cannot compare, and asks nothing where there is nothing to", async () => {
    const { inquiry, scripts } = paper({ code: 1, stdout: "", stderr: "no tool" });
    expect(await inquiry.compared(() => Promise.resolve(1))).toBe(1);
    expect(scripts).toEqual([]);
    const done = inquiry.compared((later) => {
      later(question(), () => {
        throw new Error("told");
      });
      return Promise.resolve(2);
    });
    expect(await done).toBe(2);
    expect(scripts).toHaveLength(1);
  });
});
