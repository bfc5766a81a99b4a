/** A change that cuts the way to the host is undone by the host itself, and the error says so. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Client } from "ssh2";

import { type Declaration } from "../../provider/engine/desired";
import { HostSession } from "../../provider/engine/session";
import { type Care } from "../../provider/engine/transaction";
import { type Shell } from "../../provider/host/shell";
import { openSsh } from "../../provider/host/ssh";
import { parseRule } from "../../provider/kernel/nftables/rule";
import { type KernelObject, own, shared } from "../../provider/kernel/object";
import { sysctl } from "../../provider/kernel/sysctl/sysctl";
import { DEFAULT_MARK, LAYOUT, needMark, tierElement, tierKey } from "../../provider/resources/layout";
import { SYNPROXY_RULE } from "../../provider/resources/synproxy-rule";
import { Lab } from "../support/lab";

let lab: Lab;
let before: string;
let session: HostSession;
let dials: number;
const told: string[] = [];

beforeAll(async () => {
  lab = await Lab.up("guard", "10.83", 1);
  // Conntrack is awake: nothing waits for it to warm up.
  await lab.exec(1, "conntrack -I -p udp -s 192.0.2.1 -d 192.0.2.2 --sport 1 --dport 2 --timeout 9999");
});

beforeEach(async () => {
  before = await lab.fingerprint(1);
  dials = 0;
  told.length = 0;
  session = new HostSession(open, LAYOUT);
});

afterEach(async () => {
  await session.close();
});

afterAll(async () => {
  await lab.down();
});

function open(): Promise<Shell> {
  dials++;
  const { address, user, hostKey, privateKey } = lab.host(1);
  const credentials = [{ from: "the test", privateKey }];
  return openSsh([{ host: address, port: 22, user, hostKey, credentials, dialErrorLimit: -1, perDialTimeout: 2 }]);
}

const AUTO: Care = { guard: "auto", confirmWithin: 4 };

const declare = (name: string, objects: readonly KernelObject[], needs: readonly string[] = []): Declaration => ({
  name: `synproxy/shop/test/${name}`,
  label: `SynproxyRule ${name} (shop/test)`,
  needs,
  wanted: objects.map((o) => (o.kind === "sysctl" ? shared(o) : own(o))),
});

/** Takes the SYNs of one port, and answers none. */
function hole(name: string, address: string, port: number): Declaration {
  const chain = `synproxy/shop/test/${name}/input`;
  const raw = `synproxy/shop/test/${name}/prerouting`;
  const key = tierKey({ destination: address, port: port.toString() }, false);
  const elements = [tierElement("prerouting", 4, key, `goto ${raw}`), tierElement("input", 4, key, `goto ${chain}`)];
  return declare(
    name,
    [
      { kind: "chain", name: chain, rules: [parseRule("drop")] },
      { kind: "chain", name: raw, rules: [parseRule("notrack")] },
      ...elements,
    ],
    [needMark(DEFAULT_MARK), ...elements.map((e) => e.of)],
  );
}

const put = (declaration: Declaration, care: Care) =>
  session.change({ put: declaration }, { care, tell: (message, severity) => told.push(`${severity}: ${message}`) });

const remove = (declaration: Declaration, care: Care = { ...AUTO, guard: "never" }) =>
  session.change({ remove: declaration }, { care });

const rule = (port: number): Declaration => {
  const name = `rule${port.toString()}`;
  const match = { destinations: [lab.host(1).vip()], ports: [port] };
  const full = `synproxy/shop/test/${name}/`;
  return { ...declare(name, []), ...SYNPROXY_RULE.compile(full, SYNPROXY_RULE.model.parse({ chain: "input", match })) };
};

test("new connections are refused, the open one lives: no new one comes about, the change is undone", async () => {
  await expect(put(hole("ssh", lab.host(1).address, 22), AUTO)).rejects.toThrow(
    /apply SynproxyRule ssh \(shop\/test\) on 10\.83\.1\.2: the change cut off the way to the host: no new connection within 3 s[^]*outcome: undone, the host is as it was\n.*to do: .*management connection/,
  );
  expect(told).toContainEqual("status: 10.83.1.2 let nobody in after the change: it is undone");
  await session.close();
  expect(await lab.fingerprint(1)).toBe(before);
});

test("the way back is cut: the host undoes it when time is up, and the error says what became of it", async () => {
  const route = declare("route", [
    { kind: "ip-rule", family: 4, pref: 10, to: `${lab.host(1).address.replace(/2$/, "0")}/30`, table: 99 },
    { kind: "route", family: 4, table: 99, type: "blackhole", destination: "default" },
  ]);
  const began = Date.now();
  await expect(put(route, AUTO)).rejects.toThrow(
    /apply SynproxyRule route \(shop\/test\) on 10\.83\.1\.2: the change could not be confirmed: shop\/test \(1 resource\): nobody confirmed it in time\n.*outcome: undone, the host is as it was\n.*to do: .*management connection/,
  );
  expect(Date.now() - began).toBeLessThan(60_000);
  // The next run finds the host as it was, and gets through.
  expect((await put(rule(80), AUTO)).changed).toBe(true);
  await remove(rule(80));
  await session.close();
  expect(await lab.fingerprint(1)).toBe(before);
});

test("a value that breaks the way back is undone as well", async () => {
  // Nobody answers for our address any more; the neighbour's entry is gone at once.
  const arp = declare("arp", [sysctl("net.ipv4.conf.eth0.arp_ignore", 8)]);
  await lab.exec(1, "echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding; ip neigh flush dev eth0");
  before = await lab.fingerprint(1);
  const flush = setInterval(() => void lab.exec(1, "ip neigh flush dev eth0; :"), 300);
  const result = put(arp, AUTO).then(
    () => "confirmed",
    (error: unknown) => String(error),
  );
  const said = await result;
  clearInterval(flush);
  // A neighbour that still has an entry gets through: then the change is confirmed, and rightly so.
  expect(said).toMatch(/confirmed|outcome: undone/);
  if (said === "confirmed") await remove(arp);
  await session.close();
  expect(await lab.fingerprint(1)).toBe(before);
});

test("guard never: the open connection confirms, and new ones stay out", async () => {
  const ssh = hole("ssh", lab.host(1).address, 22);
  expect((await put(ssh, { ...AUTO, guard: "never" })).changed).toBe(true);
  expect(dials).toBe(1);
  await remove(ssh);
  await session.close();
  expect(await lab.fingerprint(1)).toBe(before);
});

test("auto proves the first rules, and not one more rule of another port; always proves that as well", async () => {
  await put(rule(80), AUTO);
  expect(dials).toBe(2);
  await put(rule(81), AUTO);
  expect(dials).toBe(2);
  await put(rule(82), { ...AUTO, guard: "always" });
  expect(dials).toBe(3);
  for (const port of [80, 81, 82]) await remove(rule(port));
  await session.close();
  expect(await lab.fingerprint(1)).toBe(before);
});

test("at the SSH layer: a hundred rules are one connection, one channel and three scripts; so are their reading and removal", async () => {
  const channels = jest.spyOn(Client.prototype, "exec");
  const trace = join(mkdtempSync(join(tmpdir(), "lbshield-")), "trace");
  process.env.LBSHIELD_TRACE = trace;
  const scripts = () => {
    const lines = readFileSync(trace, "utf8").trim().split("\n");
    writeFileSync(trace, "");
    return lines.map((line) => line.split("\t")[2]).filter((what) => what !== "dial");
  };
  try {
    const rules = Array.from({ length: 100 }, (_, i) => rule(1000 + i));
    await Promise.all(rules.map((r) => put(r, { ...AUTO, guard: "never" })));
    expect(scripts()).toEqual(["look", "apply", "confirm"]);
    await Promise.all(rules.map((r) => session.read(r.wanted)));
    expect(scripts()).toEqual(["read"]);
    await Promise.all(rules.map((r) => remove(r)));
    expect(scripts()).toEqual(["look", "apply", "confirm"]);
    expect({ dials, channels: channels.mock.calls.length }).toEqual({ dials: 1, channels: 1 });
  } finally {
    delete process.env.LBSHIELD_TRACE;
    channels.mockRestore();
  }
  await session.close();
  expect(await lab.fingerprint(1)).toBe(before);
});

test("a SYN proxy in front of sshd itself lets us in, and is kept", async () => {
  const match = { destinations: [lab.host(1).address], ports: [22] };
  const full = "synproxy/shop/test/sshd/";
  const compiled = SYNPROXY_RULE.compile(full, SYNPROXY_RULE.model.parse({ chain: "input", match }));
  const sshd = { ...declare("sshd", []), ...compiled };
  await put(rule(80), AUTO);
  dials = 0;
  expect((await put(sshd, AUTO)).changed).toBe(true);
  expect(dials).toBe(1);
  // A connection that came through the proxy ends with the last rule: it takes a new one to confirm that.
  await remove(sshd, AUTO);
  await remove(rule(80), AUTO);
  await session.close();
  expect(await lab.fingerprint(1)).toBe(before);
});
