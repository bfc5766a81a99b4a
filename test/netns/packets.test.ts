/** What happens to packets: real clients, a real flood, HAProxy on the balancer and a web server behind it. */
import { Hosts } from "../../provider/hosts";
import { Lifecycle } from "../../provider/lifecycle";
import { type ResourceType } from "../../provider/resources/resource";
import { SYNPROXY_RULE } from "../../provider/resources/synproxy-rule";
import { Lab } from "../support/lab";

let lab: Lab;
let hosts: Hosts;
let vip: string;

beforeAll(async () => {
  lab = await Lab.up("pkt", "10.90", 1);
  vip = lab.host(1).vip();
});

afterAll(async () => {
  await lab.down();
});

beforeEach(() => {
  hosts = new Hosts();
});

afterEach(async () => {
  await hosts.close();
  await lab.exec(1, "conntrack -F");
});

/** A rule from its declaration to its removal. */
class Rule {
  private inputs: Record<string, unknown> = {};
  private id = "";
  private readonly lifecycle: Lifecycle;

  constructor(
    private readonly name = "web",
    type: ResourceType = SYNPROXY_RULE,
  ) {
    this.lifecycle = new Lifecycle(type, hosts);
  }

  async create(match: object, options: object = { wscale: 7, timestamp: true, sackPerm: true }): Promise<this> {
    this.inputs = this.checked(match, options);
    this.id = (await this.lifecycle.create(this.inputs)).id;
    return this;
  }

  async update(match: object, options: object): Promise<void> {
    this.inputs = await this.lifecycle.update(this.id, this.inputs, this.checked(match, options));
  }

  delete(): Promise<void> {
    return this.lifecycle.delete(this.id, this.inputs);
  }

  private checked(match: object, options: object): Record<string, unknown> {
    const { address: host, privateKey, hostKey } = lab.host(1);
    const { inputs, problems } = this.lifecycle.check({
      chain: "input",
      match,
      options,
      connection: { host, privateKey, hostKey },
      owner: `shop/test/${this.name}`,
    });
    expect(problems).toEqual([]);
    return inputs;
  }
}

const web = () => ({ destinations: [vip], ports: [80, 443], interfaces: ["eth1"] });
const page = async (port = 80) => (await lab.client(`curl -s -m 5 http://${vip}:${port.toString()}/id`)).stdout;
const tracked = (port = 80) => lab.conntrackCount(1, `-p tcp --orig-dst ${vip} --orig-port-dst ${port.toString()}`);

/** How many SYNs the proxy has answered, and how many cookies came back good: /proc/net/stat/synproxy, hexadecimal. */
async function proxyStatistics(): Promise<{ syns: number; valid: number }> {
  const { stdout } = await lab.exec(1, "tail -n +2 /proc/net/stat/synproxy");
  const rows = stdout
    .trim()
    .split("\n")
    .map((row) =>
      row
        .trim()
        .split(/\s+/)
        .map((n) => parseInt(n, 16)),
    );
  const sum = (column: number) => rows.reduce((total, row) => total + (row[column] ?? 0), 0);
  return { syns: sum(1), valid: sum(3) };
}

test("a client gets the page through the proxy, small and large", async () => {
  const rule = await new Rule().create(web());
  const before = await proxyStatistics();
  expect(await page(80)).toMatch(/\S/);
  expect(await page(443)).toMatch(/\S/);
  expect((await lab.client(`curl -s -m 10 http://${vip}/big | wc -c`)).stdout.trim()).toBe("2000000");
  const after = await proxyStatistics();
  expect(after.syns - before.syns).toBe(3);
  expect(after.valid - before.valid).toBe(3);
  await rule.delete();
});

test("spoofed SYNs leave nothing behind, where they leave thousands without the rule", async () => {
  // The control: conntrack at work, and no proxy.
  await lab.exec(
    1,
    "nft 'table ip control { chain input { type filter hook input priority 0; ct state new accept; }; }'",
  );
  await lab.syns(vip, 80, 5000);
  expect(await tracked()).toBeGreaterThan(3000);
  await lab.exec(1, "nft delete table ip control; conntrack -F");

  const rule = await new Rule().create(web());
  // The balancer's own connection, by which declared options were compared, is tracked.
  await lab.exec(1, "conntrack -F");
  await lab.syns(vip, 80, 20_000);
  expect(await tracked()).toBe(0);
  expect(await page()).toMatch(/\S/);
  expect(await tracked()).toBeGreaterThan(0);
  await rule.delete();
});

test("a service on another port, and clients on another interface, are not proxied", async () => {
  const rule = await new Rule().create({ ...web(), ports: [443] });
  const elsewhere = await new Rule("inside").create({ destinations: [vip], ports: [8080], interfaces: ["eth2"] });
  const before = await proxyStatistics();
  expect(await page(80)).toMatch(/\S/);
  expect(await page(8080)).toMatch(/\S/);
  expect(await proxyStatistics()).toEqual(before);
  await rule.delete();
  await elsewhere.delete();
});

test("exact port before range, interface before none: the more specific rule answers", async () => {
  const range = await new Rule("range").create({ destinations: [vip], ports: ["80-90"] }, { mss: 1200 });
  const exact = await new Rule("exact").create({ destinations: [vip], ports: [80] }, { mss: 1300 });
  expect(await announcedMss()).toBe(1300);
  const outside = await new Rule("outside").create(
    { destinations: [vip], ports: ["80-85"], interfaces: ["eth1"] },
    { mss: 1400 },
  );
  expect(await announcedMss()).toBe(1400);
  await outside.delete();
  await exact.delete();
  expect(await announcedMss()).toBe(1200);
  await range.delete();
});

/** The maximum segment size in the SYN-ACK that our client gets (an earlier flood still draws SYN-ACKs to others). */
async function announcedMss(): Promise<number> {
  const capture = `timeout 5 tcpdump -c 1 -l -n -i any 'src host ${vip} and dst net 10.90 and tcp[13] = 18' 2>/dev/null & sleep 0.5; curl -s -o /dev/null -m 3 http://${vip}/id; wait`;
  const { stdout } = await lab.client(capture);
  return Number(/mss ([0-9]+)/.exec(stdout)?.[1]);
}

test("a SYN that negotiates ECN is proxied as well", async () => {
  const rule = await new Rule().create(web());
  await lab.client("sysctl -qw net.ipv4.tcp_ecn=1");
  const before = await proxyStatistics();
  expect(await page()).toMatch(/\S/);
  expect((await proxyStatistics()).valid - before.valid).toBe(1);
  await lab.client("sysctl -qw net.ipv4.tcp_ecn=2");
  await rule.delete();
});

/** Opens connections that go on for some seconds; gives how many bytes each received in the end. */
function downloads(count: number, seconds: number): Promise<number[]> {
  const one = `curl -s -N -m ${(seconds + 10).toString()} 'http://${vip}/drip?seconds=${seconds.toString()}' | wc -c & `;
  return lab
    .client(`${one.repeat(count)} wait`, seconds + 20)
    .then(({ stdout }) => stdout.trim().split("\n").map(Number));
}

test("live connections survive a change of options, of another rule, and of the rule's own ports", async () => {
  const rule = await new Rule().create(web());
  const [whole = 0] = await downloads(1, 4);
  expect(whole).toBeGreaterThan(100);
  const running = downloads(10, 4);
  await new Promise((done) => setTimeout(done, 1000));
  await rule.update(web(), { mss: 1400, wscale: 5, timestamp: true });
  const other = await new Rule("other").create({ destinations: [lab.host(1).vip(101)], ports: [80] });
  await rule.update({ ...web(), ports: [80, "8000-8080"] }, { mss: 1400 });
  await other.delete();
  expect(await running).toEqual(Array(10).fill(whole));
  await rule.delete();
});

test("a client that reuses its port is served again", async () => {
  const rule = await new Rule().create(web());
  // Twice from each source port, ended by a reset: the old entry is still there when the second SYN comes.
  const reuse = `
import socket, struct
for port in range(40000, 40020):
    for turn in range(2):
        s = socket.socket(); s.settimeout(3)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("", port)); s.connect(("${vip}", 80)); s.sendall(b"GET /id HTTP/1.0\\r\\n\\r\\n"); assert s.recv(100)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); s.close()
print("all served")`;
  expect(await lab.client(`python3 - <<'END'\n${reuse}\nEND`, 60)).toMatchObject({ stdout: "all served\n" });
  await rule.delete();
});

test("an operator's own `ct state invalid drop` is no obstacle, whenever it was loaded", async () => {
  const chain = "chain input { type filter hook input priority 0; ct state invalid drop; };";
  const rule = await new Rule().create(web());
  await lab.exec(1, `nft 'table ip operator { ${chain} }'`);
  expect(await page()).toMatch(/\S/);
  await rule.delete();
  const again = await new Rule().create(web());
  expect(await page()).toMatch(/\S/);
  await again.delete();
  await lab.exec(1, "nft delete table ip operator");
});

test("connections from before the first rule live on, though conntrack was idle and an operator drops what is invalid", async () => {
  expect(await lab.conntrackCount(1)).toBe(0);
  const [whole = 0] = await downloads(1, 5);
  const running = downloads(8, 5);
  const session = lab.ssh(1, "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.5; done");
  await new Promise((done) => setTimeout(done, 1000));
  const rule = await new Rule().create(web());
  await lab.exec(
    1,
    "nft 'table ip operator { chain input { type filter hook input priority 0; ct state invalid drop; }; }'",
  );
  expect(await running).toEqual(Array(8).fill(whole));
  expect((await session).stdout.trim().split("\n")).toHaveLength(10);
  await rule.delete();
  await lab.exec(1, "nft delete table ip operator");
});

test("management access stays while rules come, change and go", async () => {
  const session = lab.ssh(1, "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.5; done");
  const rule = await new Rule().create(web());
  await lab.exec(1, "conntrack -F");
  await rule.update(web(), { mss: 1300 });
  await rule.delete();
  expect((await session).stdout.trim().split("\n")).toHaveLength(8);
});
