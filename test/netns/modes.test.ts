/**
 * Everything that a SynproxyRule can be, on real packets: each action, each way to match, each limit, for IPv4 and IPv6.
 * A server tells at /self which address and port of its own it was reached by, and who the client was.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Hosts } from "../../provider/hosts";
import { Lifecycle } from "../../provider/lifecycle";
import { SYNPROXY_RULE } from "../../provider/resources/synproxy-rule";
import { type ParseOptions, parseAll } from "../../provider/resources/synproxy-rule/syntax";
import { Lab } from "../support/lab";

const NET = "10.94.1";
const SIX = "fd00:10:94:1::";
const PORT = 9000;

/** The same place for either family. 110 to 117 are the balancer's own, with a server on ports 9000 and 9001. */
type Family = 4 | 6;
const FAMILIES = [4, 6] as const;
const at = (family: Family, n: number): string => (family === 4 ? `${NET}.${n.toString()}` : `${SIX}${n.toString()}`);
const VIP = 110;
/** Routed through the balancer to where nobody is. */
const NOWHERE = 150;
const [BACKEND, BACKEND2] = [130, 131];
/** Outside, at eth1, and elsewhere outside, at eth3. */
const [CLIENT, CLIENT2] = [66, 162];
/** Clients come from all over these networks as well. */
const stranger = (family: Family, n: number): string =>
  family === 4 ? `198.18.1.${n.toString()}` : `2001:db8:18:1::${n.toString()}`;
const bracketed = (family: Family, n: number): string => (family === 4 ? at(4, n) : `[${at(6, n)}]`);

let lab: Lab;
let hosts: Hosts;

beforeAll(async () => {
  lab = await Lab.up("modes", "10.94", 1);
  await lab.widen(1);
  await lab.backend(`
    ip addr add 5.6.7.8/32 dev lo && ip rule add from 5.6.7.8 table 1001
    for n in 1 2 3 4 5 6 7 8 9 10; do ip addr add 10.1.1.$n/32 dev lo; done
    ip rule add from 10.1.1.0/24 table 1001`);
  await lab.client(`
    for to in 1.2.3.4 10.0.0.1 5.6.7.8; do ip route add $to/32 via ${NET}.65; done
    for n in 192.168.1 192.168.2 192.168.3 11.22.33; do ip route add local $n.0/24 dev lo; done`);
  await succeed(`
    for n in 110 111 112 113 114 115 116 117; do
      ip addr add ${NET}.$n/32 dev lo && ip addr add ${SIX}$n/128 dev lo
    done
    # The addresses of the sources' examples.
    ip addr add 1.2.3.4/32 dev lo && ip addr add 10.0.0.1/32 dev lo
    ip route add 5.6.7.8/32 via ${NET}.130 && ip route add 10.1.1.0/24 via ${NET}.130
    # Conntrack is at work before, as on any balancer with a firewall: to wake it is tested in packets.test.ts.
    nft 'table inet firewall { chain input { type filter hook input priority 10; ct state new accept; }; }'
    cat >/etc/haproxy/self.cfg <<X
global
  maxconn 8000
defaults
  mode http
  backlog 8192
  timeout client 1m
$(for port in 9000 9001 90 8888; do cat <<Y
frontend self-$port
  bind *:$port
  bind :::$port v6only
  http-request return status 200 content-type text/plain lf-string "%[dst] $port %[src]\\n" hdr Connection close
Y
done)
$(for port in 80 443; do cat <<Y
frontend self-$port
  bind 1.2.3.4:$port,10.0.0.1:$port
  http-request return status 200 content-type text/plain lf-string "%[dst] $port %[src]\\n" hdr Connection close
Y
done)
X
    setsid haproxy -db -f /etc/haproxy/self.cfg >/tmp/self.log 2>&1 &
    for i in $(seq 100); do ss -Hltn 'sport = :9001' | grep -q . && break; sleep 0.05; done
    ss -Hltn 'sport = :9001' | grep -q . || { cat /tmp/self.log >&2; exit 1; }`);
});

afterAll(async () => {
  await lab.down();
});

beforeEach(() => {
  hosts = new Hosts();
});

afterEach(async () => {
  await Promise.all([...standing].map((rule) => rule.delete()));
  await hosts.close();
  await succeed("nft list tables | grep -vE 'firewall' | sed 's/^/delete /' | nft -f -");
});

const succeed = async (command: string, seconds = 30): Promise<string> => {
  const { stdout, stderr, code } = await lab.exec(1, command, seconds);
  expect({ stderr, code }).toEqual({ stderr: expect.any(String) as string, code: 0 });
  return stdout;
};

type Args = Record<string, unknown>;

const standing = new Set<Rule>();

/** A rule from its declaration to its removal. What a test leaves goes with its end. */
class Rule {
  private inputs: Args = {};
  private id = "";
  private readonly lifecycle = new Lifecycle(SYNPROXY_RULE, hosts);

  private constructor(private readonly name: string) {}

  static async create(args: Args, name = "web"): Promise<Rule> {
    const rule = new Rule(name);
    rule.inputs = rule.checked(args);
    rule.id = (await rule.lifecycle.create(rule.inputs)).id;
    standing.add(rule);
    return rule;
  }

  async update(args: Args): Promise<void> {
    this.inputs = await this.lifecycle.update(this.id, this.inputs, this.checked(args));
  }

  async delete(): Promise<void> {
    standing.delete(this);
    await this.lifecycle.delete(this.id, this.inputs);
  }

  private checked(args: Args): Args {
    const { address: host, privateKey, hostKey } = lab.host(1);
    const connection = { host, privateKey, hostKey };
    const { inputs, problems } = this.lifecycle.check({ ...args, connection, owner: `shop/test/${this.name}` });
    expect(problems).toEqual([]);
    return inputs;
  }
}

/** See tools/lab/clients.py. */
interface Job {
  readonly to: string;
  readonly port: number;
  readonly from?: string;
  readonly sport?: number;
  readonly path?: string;
  readonly times?: number;
  readonly end?: "rst";
  readonly patience?: number;
}

interface Answer {
  readonly text?: string;
  readonly mss?: number;
  readonly wscale?: number;
  readonly error?: string;
  readonly seconds: number;
}

/** By its text: a host of the lab may have another /tmp than the clone lies in. */
const CLIENTS = readFileSync(resolve(__dirname, "../../tools/lab/clients.py"), "utf8");

const program = (jobs: readonly Job[]): string =>
  `python3 - '${JSON.stringify(jobs)}' <<'LBSHIELD_END'\n${CLIENTS}\nLBSHIELD_END\n`;

async function answers(...jobs: Job[]): Promise<Answer[]> {
  const { stdout, stderr } = await lab.client(program(jobs), 60);
  expect(stderr).toBe("");
  return JSON.parse(stdout) as Answer[];
}

/** What servers say, or `no answer`. */
const texts = async (...jobs: Job[]): Promise<string[]> =>
  (await answers(...jobs)).map(({ text, error }) => text?.trim() ?? `no answer: ${error ?? ""}`.split(":")[0] ?? "");

const NOBODY = "no answer";
/** For clients who are to get nothing: a handshake takes no tenth of it. */
const patience = 0.7;

/** Half-open and whole connections to there of others than our own clients. */
async function tracked(family: Family, to: string, port: number): Promise<number> {
  const ours = FAMILIES.flatMap((f) => [at(f, 0).slice(0, -1), stranger(f, 0).slice(0, -1)]).map((s) => `-e src=${s}`);
  const command = `conntrack -L -f ipv${family.toString()} -p tcp -d ${to} --dport ${port.toString()} 2>/dev/null | grep -cv ${ours.join(" ")}`;
  return Number((await lab.exec(1, command)).stdout);
}

/** How many SYNs the proxy has answered, and how many cookies came back good: /proc/net/stat/synproxy, hexadecimal. */
async function proxied(): Promise<{ syns: number; valid: number }> {
  const rows = (await succeed("tail -n +2 /proc/net/stat/synproxy")).trim().split("\n");
  const sum = (column: number) =>
    rows.reduce((total, row) => total + parseInt(row.trim().split(/\s+/)[column] ?? "0", 16), 0);
  return { syns: sum(1), valid: sum(3) };
}

/** Thousands of SYNs from anywhere: none of them leaves an entry, or gets past the proxy. */
async function flood(...destinations: (readonly [Family, string])[]): Promise<void> {
  const before = await proxied();
  await Promise.all(destinations.map(([, to]) => lab.syns(to, PORT, 5000, "h1")));
  expect((await proxied()).syns - before.syns).toBeGreaterThan(4500 * destinations.length);
  for (const [family, to] of destinations) expect(await tracked(family, to, PORT)).toBe(0);
}

/** What the host itself gets where it asks for a protected service. */
const fromHost = async (to: string, port: number): Promise<string> => {
  const asked = (await lab.exec(1, program([{ to, port, patience: 1 }]))).stdout;
  return ((JSON.parse(asked) as Answer[])[0]?.text ?? NOBODY).trim();
};

interface Mode {
  readonly name: string;
  readonly chain?: "forward";
  readonly destination: number;
  readonly port?: number;
  readonly action: (family: Family) => unknown;
  /** Servers that may answer, and ports. */
  readonly servers: readonly number[];
  readonly serverPorts: readonly number[];
}

const dnat =
  (to: (family: Family) => string, persistent = false) =>
  (family: Family) => ({
    dnat: { to: to(family), ...(persistent ? { persistent } : {}) },
  });

const MODES: readonly Mode[] = [
  {
    name: "the server on the balancer",
    destination: VIP,
    action: () => undefined,
    servers: [VIP],
    serverPorts: [PORT],
  },
  { name: "the same, said so", destination: VIP, action: () => "accept", servers: [VIP], serverPorts: [PORT] },
  {
    name: "another port of the balancer",
    destination: VIP,
    action: () => ({ redirect: 9001 }),
    servers: [VIP],
    serverPorts: [9001],
  },
  {
    name: "another machine without NAT",
    chain: "forward",
    destination: BACKEND,
    action: () => undefined,
    servers: [BACKEND],
    serverPorts: [PORT],
  },
  {
    name: "DNAT to another machine",
    destination: VIP,
    action: dnat((f) => at(f, BACKEND)),
    servers: [BACKEND],
    serverPorts: [PORT],
  },
  {
    name: "DNAT to a range of machines",
    destination: VIP,
    action: dnat((f) => `${at(f, BACKEND)}-${at(f, BACKEND2)}`),
    servers: [BACKEND, BACKEND2],
    serverPorts: [PORT],
  },
  {
    name: "DNAT to a range of machines, persistent",
    destination: VIP,
    action: dnat((f) => `${at(f, BACKEND)}-${at(f, BACKEND2)}`, true),
    servers: [BACKEND, BACKEND2],
    serverPorts: [PORT],
  },
  {
    name: "DNAT to another machine and port",
    destination: VIP,
    action: dnat((f) => `${bracketed(f, BACKEND)}:80`),
    servers: [BACKEND],
    serverPorts: [80],
  },
  {
    // The kernel takes the first port of a range that is free for this client, so the others are rarely seen.
    name: "DNAT to a range of ports",
    destination: VIP,
    action: dnat((f) => `${bracketed(f, BACKEND)}:8081-8082`),
    servers: [BACKEND],
    serverPorts: [8081],
  },
  {
    name: "DNAT to ranges of machines and ports",
    destination: VIP,
    action: dnat((f) => `${bracketed(f, BACKEND)}-${bracketed(f, BACKEND2)}:8081-8082`),
    servers: [BACKEND, BACKEND2],
    serverPorts: [8081],
  },
  {
    name: "DNAT to another port alone",
    destination: VIP,
    action: () => ({ dnat: { to: ":9001" } }),
    servers: [VIP],
    serverPorts: [9001],
  },
  {
    name: "DNAT of an address that is routed through",
    chain: "forward",
    destination: NOWHERE,
    action: dnat((f) => `${bracketed(f, BACKEND)}-${bracketed(f, BACKEND2)}:80`),
    servers: [BACKEND, BACKEND2],
    serverPorts: [80],
  },
];

/** The rule of a mode; of both families in one, or one for each where its target has one. */
async function declare(mode: Mode): Promise<void> {
  const rule = (families: readonly Family[]) => ({
    chain: mode.chain ?? "input",
    match: { destinations: families.map((f) => at(f, mode.destination)), ports: [PORT] },
    ...(mode.action(families[0] ?? 4) === undefined ? {} : { action: mode.action(families[0] ?? 4) }),
  });
  const same = JSON.stringify(mode.action(4)) === JSON.stringify(mode.action(6));
  if (same) await Rule.create(rule(FAMILIES));
  else await Promise.all(FAMILIES.map((f) => Rule.create(rule([f]), `web${f.toString()}`)));
}

test.each(MODES)(
  "$name: serves, shows the server its clients, leaves the host's own connections alone, bears a flood and reused ports",
  async (mode) => {
    await declare(mode);
    const place = (family: Family) => ({ to: at(family, mode.destination), port: PORT });
    const asked = (family: Family, times: number) => {
      const strangers = Array.from({ length: 30 }, (_, i) => stranger(family, i + 1));
      const clients = [at(family, CLIENT), at(family, CLIENT2), ...strangers];
      return clients.map((from): Job & { from: string } => ({ ...place(family), from, times }));
    };
    for (const family of FAMILIES) {
      const jobs = asked(family, 2);
      const seen = (await texts(...jobs)).map((text) => text.split(" "));
      expect(seen.map(([, , peer]) => peer)).toEqual(jobs.flatMap(({ from }) => [from, from]));
      const [servers, ports] = [0, 1].map((part) => [...new Set(seen.map((parts) => parts[part]))].toSorted());
      expect(servers).toEqual(mode.servers.map((n) => at(family, n)));
      expect(ports).toEqual(mode.serverPorts.map(String).toSorted());
      // Of several servers a client keeps its own.
      const [first, second] = [0, 1].map((turn) => seen.filter((_, i) => i % 2 === turn).map(([server]) => server));
      expect(second).toEqual(first);
      // The host asks its own server, or where the packet goes without us.
      const { to } = place(family);
      const own = await fromHost(to, PORT);
      if (mode.destination === NOWHERE) expect(own).toBe(NOBODY);
      else expect(own).toMatch(new RegExp(`^${to} ${PORT.toString()} `));
    }
    await flood(...FAMILIES.map((f) => [f, place(f).to] as const));
    expect(await texts(...FAMILIES.flatMap((f) => asked(f, 1)))).not.toContain(NOBODY);
    // Twice from the same port, 20 of 20 after a reset and after the server's FIN. No port that an earlier mode has used:
    // a server waits for the end of those.
    const ports = Array.from({ length: 20 }, (_, i) => i + 20 * MODES.indexOf(mode));
    const reused = FAMILIES.flatMap((f) =>
      ports.flatMap((n): Job[] => [
        { ...place(f), from: at(f, CLIENT), times: 2, sport: 40_000 + n, end: "rst" },
        { ...place(f), from: at(f, CLIENT), times: 2, sport: 41_000 + n },
      ]),
    );
    expect((await texts(...reused)).filter((text) => text === NOBODY)).toEqual([]);
  },
);

test("persistent: a client gets the same server for each of the rule's addresses", async () => {
  await Promise.all(
    FAMILIES.map((f) =>
      Rule.create(
        {
          chain: "input",
          match: { destinations: [at(f, 110), at(f, 111), at(f, 112)], ports: [PORT] },
          action: { dnat: { to: `${at(f, BACKEND)}-${at(f, BACKEND2)}`, persistent: true } },
        },
        `web${f.toString()}`,
      ),
    ),
  );
  for (const family of FAMILIES) {
    const jobs = Array.from({ length: 20 }, (_, i) => stranger(family, i + 1)).flatMap((from) =>
      [110, 111, 112].map((n) => ({ to: at(family, n), port: PORT, from })),
    );
    const seen = await served(...jobs);
    for (let i = 0; i < seen.length; i += 3) expect(new Set(seen.slice(i, i + 3)).size).toBe(1);
    expect([...new Set(seen)].toSorted()).toEqual(["130:9000", "131:9000"]);
  }
});

const dnatTo = (family: Family, n: number, port?: number) => ({
  dnat: { to: port === undefined ? at(family, n) : `${bracketed(family, n)}:${port.toString()}` },
});

/** One rule for each family, at the same time. */
const both = (args: (family: Family) => Args, name = "web"): Promise<Rule[]> =>
  Promise.all(FAMILIES.map((f) => Rule.create(args(f), `${name}-${f.toString()}`)));

/** Which server answers: the last number of its address, and its port. */
const served = async (...jobs: Job[]): Promise<string[]> =>
  (await texts(...jobs)).map((text) => {
    const [server = "", port = ""] = text.split(" ");
    return text === NOBODY ? NOBODY : `${server.split(/[.:]/).at(-1) ?? ""}:${port}`;
  });

const same = <T>(value: T, count: number): T[] => Array.from({ length: count }, () => value);

const members = (set: string): Promise<string> => succeed(`nft list set inet lbshield ${set}`);

describe("nobody is asked", () => {
  test("drop and reject: no client gets an answer, and the server never hears of one", async () => {
    const rule = (n: number, action: string) => ({
      chain: "input",
      match: { destinations: FAMILIES.map((f) => at(f, n)), ports: [PORT] },
      action,
    });
    await Promise.all([Rule.create(rule(110, "drop"), "dropped"), Rule.create(rule(111, "reject"), "rejected")]);
    const before = await proxied();
    const jobs = FAMILIES.flatMap((f) => [110, 111].map((n) => ({ to: at(f, n), port: PORT, patience })));
    expect(await texts(...jobs)).toEqual(same(NOBODY, 4));
    expect((await proxied()).valid - before.valid).toBeGreaterThanOrEqual(4);
    expect(await succeed("ss -Htn state established state syn-recv '( sport = :9000 )'")).toBe("");
    await flood(...FAMILIES.map((f) => [f, at(f, 110)] as const));
  });

  test("trap: the client is in the set, rules that deny it do not answer it, others are served, and floods trap nobody", async () => {
    const trap = {
      chain: "input",
      match: { destinations: FAMILIES.map((f) => at(f, 113)), ports: [PORT] },
      action: { trap: { set: "scanners", timeout: "1h" } },
    };
    const open = {
      chain: "input",
      match: { destinations: FAMILIES.map((f) => at(f, VIP)), ports: [PORT] },
      denySources: ["scanners"],
    };
    const [trapping] = await Promise.all([Rule.create(trap, "trap"), Rule.create(open)]);
    for (const family of FAMILIES) {
      const ask = (n: number) =>
        [CLIENT, CLIENT2].map((c) => ({ to: at(family, n), port: PORT, from: at(family, c), patience }));
      const set = `trap${family.toString()}-scanners`;
      expect(await served(...ask(VIP))).toEqual(["110:9000", "110:9000"]);
      await flood([family, at(family, 113)]);
      expect(await members(set)).not.toContain("elements");
      expect(await served(...ask(113).slice(0, 1))).toEqual([NOBODY]);
      expect(await members(set)).toMatch(
        new RegExp(`elements = \\{ ${at(family, CLIENT)} timeout 1h expires 59m\\S+ \\}`),
      );
      expect(await served(...ask(VIP))).toEqual([NOBODY, "110:9000"]);
      // What was trapped stays over a change of the rule.
      await trapping.update({ ...trap, options: { mss: 1300 + family } });
      expect(await members(set)).toContain(at(family, CLIENT));
    }
  });

  test("a trap that is full lets nobody through", async () => {
    await Rule.create({
      chain: "input",
      match: { destinations: [at(4, 113)], ports: [PORT] },
      action: { trap: { set: "scanners", timeout: "1h" } },
    });
    await succeed(`python3 - <<'END' | nft -f -
print("add element inet lbshield trap4-scanners {", ", ".join(f"12.0.{n >> 8}.{n & 255}" for n in range(65535)), "}")
END`);
    expect(await served({ to: at(4, 113), port: PORT, patience })).toEqual([NOBODY]);
  });
});

describe("what is matched", () => {
  test("two interfaces, two servers: 200 of 200 connections each go right while both are flooded", async () => {
    const rule = (device: string, server: number) => (f: Family) => ({
      chain: "input",
      match: { destinations: [at(f, VIP)], ports: [PORT], interfaces: [device] },
      action: dnatTo(f, server),
    });
    await Promise.all([both(rule("eth1", BACKEND), "outside"), both(rule("eth3", BACKEND2), "elsewhere")]);
    for (const family of FAMILIES) {
      const to = at(family, VIP);
      const ask = (client: number) => ({ to, port: PORT, from: at(family, client), times: 10 });
      const floods = Promise.all(["h1", "w1"].map((device) => lab.syns(to, PORT, 20_000, device)));
      const [outside, elsewhere] = await Promise.all([
        served(...same(ask(CLIENT), 20)),
        served(...same(ask(CLIENT2), 20)),
        floods,
      ]);
      expect(outside).toEqual(same("130:9000", 200));
      expect(elsewhere).toEqual(same("131:9000", 200));
      expect(await tracked(family, to, PORT)).toBe(0);
    }
  });

  test("by interface: a client that asks for two services from one port at once gets each from its own server", async () => {
    const rule = (n: number, server: number) => (f: Family) => ({
      chain: "input",
      match: { destinations: [at(f, n)], ports: [PORT], interfaces: ["eth1"] },
      action: dnatTo(f, server),
    });
    await Promise.all([both(rule(110, BACKEND), "one"), both(rule(111, BACKEND2), "two")]);
    for (const family of FAMILIES) {
      const jobs = Array.from({ length: 20 }, (_, i) => i).flatMap((n): Job[] =>
        [110, 111].map((vip) => ({ to: at(family, vip), port: PORT, from: at(family, CLIENT), sport: 50_000 + n })),
      );
      expect(await served(...jobs)).toEqual(same(["130:9000", "131:9000"], 20).flat());
    }
  });

  test("all interfaces but one: it matches a less specific rule, and that acts on nobody else", async () => {
    const vips = (f: Family) => `${at(f, 110)}-${at(f, 113)}`;
    await Promise.all([
      both((f) => ({
        chain: "input",
        match: { destinations: [at(f, VIP)], ports: [PORT], notInterfaces: ["eth3"] },
        action: dnatTo(f, BACKEND),
      })),
      both(
        (f) => ({
          chain: "input",
          match: { destinations: [vips(f)], ports: [PORT] },
          action: dnatTo(f, BACKEND2),
          denySources: ["denied"],
        }),
        "range",
      ),
    ]);
    for (const family of FAMILIES) {
      await succeed(
        `nft add element inet lbshield trap${family.toString()}-denied '{ ${at(family, CLIENT)} timeout 1h }'`,
      );
      const ask = [CLIENT, CLIENT2].map((c) => ({ to: at(family, VIP), port: PORT, from: at(family, c) }));
      expect(await served(...ask)).toEqual(["130:9000", "131:9000"]);
    }
  });

  test("all interfaces but one, above a rate: below it as well, the one is left alone", async () => {
    await both((f) => ({
      chain: "input",
      match: { destinations: [at(f, VIP)], ports: [PORT], notInterfaces: ["eth3"] },
      action: dnatTo(f, BACKEND),
      protectAbove: "100/second",
    }));
    for (const family of FAMILIES) {
      const ask = [CLIENT, CLIENT2].map((c) => ({ to: at(family, VIP), port: PORT, from: at(family, c) }));
      expect(await served(...ask)).toEqual(["130:9000", "110:9000"]);
    }
  });

  test("two networks of clients, two servers; others get neither", async () => {
    const network = (f: Family) => (f === 4 ? "198.18.1.0/24" : "2001:db8:18:1::/64");
    const rule = (source: (f: Family) => string, server: number) => (f: Family) => ({
      chain: "input",
      match: { destinations: [at(f, VIP)], ports: [PORT], sources: [source(f)] },
      action: dnatTo(f, server),
    });
    await Promise.all([
      both(rule(network, BACKEND), "strangers"),
      both(
        rule((f) => at(f, CLIENT), BACKEND2),
        "neighbour",
      ),
    ]);
    for (const family of FAMILIES) {
      const to = at(family, VIP);
      const from = [stranger(family, 7), stranger(family, 77), at(family, CLIENT), at(family, CLIENT2)];
      const expected = ["130:9000", "130:9000", "131:9000", "110:9000"];
      expect(await served(...from.map((c) => ({ to, port: PORT, from: c })))).toEqual(expected);
      await lab.syns(to, PORT, 1000);
    }
  });

  test("all clients but some", async () => {
    await both((f) => ({
      chain: "input",
      match: {
        destinations: [at(f, VIP)],
        ports: [PORT],
        notSources: [at(f, CLIENT), `${stranger(f, 1)}-${stranger(f, 9)}`],
      },
      action: dnatTo(f, BACKEND),
    }));
    for (const family of FAMILIES) {
      const to = at(family, VIP);
      const from = [
        at(family, CLIENT),
        stranger(family, 1),
        stranger(family, 9),
        stranger(family, 10),
        at(family, CLIENT2),
      ];
      const expected = ["110:9000", "110:9000", "110:9000", "130:9000", "130:9000"];
      expect(await served(...from.map((c) => ({ to, port: PORT, from: c })))).toEqual(expected);
      await flood([family, to]);
    }
  });

  test("networks and ranges of destinations, and nothing beside them", async () => {
    await both((f) => ({
      chain: "input",
      match: {
        destinations: [`${at(f, 110)}/${f === 4 ? "31" : "128"}`, `${at(f, 113)}-${at(f, 115)}`],
        ports: ["8990-9000"],
      },
      action: dnatTo(f, BACKEND),
    }));
    for (const family of FAMILIES) {
      const vips = family === 4 ? [110, 111, 113, 114, 115] : [110, 113, 114, 115];
      const others = [112, 116];
      const ask = (n: number) => ({ to: at(family, n), port: PORT });
      expect(await served(...vips.map(ask))).toEqual(vips.map(() => "130:9000"));
      expect(await served(...others.map(ask))).toEqual(others.map((n) => `${n.toString()}:9000`));
      await flood([family, at(family, 114)]);
      expect(await fromHost(at(family, 114), PORT)).toMatch(/ 9000 /);
    }
  });

  test("all destinations but one, all ports but some", async () => {
    await both((f) => ({
      chain: "input",
      match: { notDestinations: [at(f, 111)], notPorts: ["1-8999", "9001-65535"] },
      action: dnatTo(f, BACKEND),
    }));
    for (const family of FAMILIES) {
      const jobs = [
        { to: at(family, 110), port: PORT },
        { to: at(family, 112), port: PORT },
        { to: at(family, 111), port: PORT },
        { to: at(family, 110), port: 9001 },
      ];
      expect(await served(...jobs)).toEqual(["130:9000", "130:9000", "111:9000", "110:9001"]);
      await flood([family, at(family, 112)]);
    }
  });

  const invalidDrop = `nft 'table inet operator {
    chain input { type filter hook input priority 0; ct state invalid drop; };
    chain forward { type filter hook forward priority 0; ct state invalid drop; };
  }'`;

  test("no destination, chain input: all addresses of the balancer; what is routed through goes untouched", async () => {
    await succeed(invalidDrop);
    await Rule.create({ chain: "input", match: { ports: [PORT] }, action: { redirect: 9001 } });
    for (const family of FAMILIES) {
      const before = await proxied();
      const [through = ""] = await served({ to: at(family, BACKEND), port: PORT });
      expect({ through, ...(await proxied()) }).toEqual({ through: "130:9000", ...before });
      expect(await served(...[110, 117].map((n) => ({ to: at(family, n), port: PORT })))).toEqual([
        "110:9001",
        "117:9001",
      ]);
      await flood([family, at(family, 117)]);
      expect(await fromHost(at(family, 117), PORT)).toMatch(/ 9000 /);
      expect(await fromHost(at(family, BACKEND), PORT)).toMatch(/ 9000 /);
    }
  });

  test("no destination, chain forward: all that is routed through; the balancer's own services go untouched", async () => {
    await succeed(invalidDrop);
    await Rule.create({ chain: "forward", match: { ports: ["1-10000"], interfaces: ["eth1"] } });
    for (const family of FAMILIES) {
      const before = await proxied();
      const own = await served({ to: at(family, VIP), port: PORT });
      expect({ own, ...(await proxied()) }).toEqual({ own: ["110:9000"], ...before });
      expect(await served({ to: at(family, BACKEND), port: PORT })).toEqual(["130:9000"]);
      expect((await proxied()).valid - before.valid).toBe(1);
      await flood([family, at(family, BACKEND)]);
      expect(await fromHost(at(family, BACKEND), PORT)).toMatch(/ 9000 /);
    }
  });

  test("of overlapping rules the more specific decides: interface and source, source, interface, address, range, any", async () => {
    const tiers: [string, (f: Family) => Args, number, number][] = [
      ["wide", () => ({ ports: [PORT] }), BACKEND, 80],
      ["range", (f) => ({ destinations: [`${at(f, 110)}-${at(f, 117)}`], ports: [PORT] }), BACKEND2, 8082],
      ["exact", (f) => ({ destinations: [at(f, VIP)], ports: [PORT] }), BACKEND2, 8081],
      ["if-range", (f) => ({ destinations: [at(f, VIP)], ports: ["8000-9999"], interfaces: ["eth1"] }), BACKEND2, 80],
      ["if", (f) => ({ destinations: [at(f, VIP)], ports: [PORT], interfaces: ["eth1"] }), BACKEND, 8082],
      ["src", (f) => ({ destinations: [at(f, VIP)], ports: [PORT], sources: [at(f, CLIENT)] }), BACKEND, 8081],
      [
        "if-src",
        (f) => ({ destinations: [at(f, VIP)], ports: [PORT], sources: [at(f, CLIENT)], interfaces: ["eth1"] }),
        BACKEND,
        9000,
      ],
    ];
    const ask = FAMILIES.map((f) => ({ to: at(f, VIP), port: PORT, from: at(f, CLIENT) }));
    const rules = await Promise.all(
      tiers.map(([name, match, server, port]) =>
        both((f) => ({ chain: "input", match: match(f), action: dnatTo(f, server, port) }), name),
      ),
    );
    for (const [i, [, , server, port]] of [...tiers.entries()].toReversed()) {
      expect(await served(...ask)).toEqual(same(`${server.toString()}:${port.toString()}`, 2));
      await Promise.all((rules[i] ?? []).map((rule) => rule.delete()));
    }
    expect(await served(...ask)).toEqual(same("110:9000", 2));
  });
});

const everyVip = { destinations: FAMILIES.map((f) => at(f, VIP)), ports: [PORT] };

describe("how it is done", () => {
  test("profiles: each network of clients sees the options that are meant for it", async () => {
    const rule = await Rule.create({
      chain: "input",
      match: everyVip,
      options: { mss: 1300 },
      profiles: { near: { mss: 1200 }, far: { mss: 1100 } },
      sourceProfiles: {
        [`${NET}.64/27`]: "near",
        "198.18.1.0/25": "far",
        [at(6, CLIENT)]: "near",
        "2001:db8:18:1::/80": "far",
      },
    });
    const seen = async () =>
      Promise.all(
        FAMILIES.map(async (f) => {
          const from = [at(f, CLIENT), at(f, CLIENT2), stranger(f, 5), stranger(f, 126), stranger(f, 200)];
          return (await answers(...from.map((c) => ({ to: at(f, VIP), port: PORT, from: c })))).map(({ mss }) => mss);
        }),
      );
    expect(await seen()).toEqual([
      [1200, 1300, 1100, 1100, 1300],
      [1200, 1300, 1100, 1100, 1100],
    ]);
    await rule.update({
      chain: "input",
      match: everyVip,
      options: { mss: 1250 },
      profiles: { near: { mss: 1150 } },
      sourceProfiles: { [`${NET}.64/27`]: "near", [at(6, CLIENT)]: "near" },
    });
    expect(await seen()).toEqual([
      [1150, 1250, 1250, 1250, 1250],
      [1150, 1250, 1250, 1250, 1250],
    ]);
  });

  test.each([
    ["the server on the balancer", () => undefined, "110:9000"],
    ["another port", () => ({ redirect: 9001 }), "110:9001"],
    ["DNAT", (f: Family) => dnatTo(f, BACKEND, 8081), "130:8081"],
  ])(
    "protectAbove, %s: below the rate no proxy, above it one, and every client is served across it",
    async (_, action, server) => {
      const declared = await both((f) => ({
        chain: "input",
        match: { destinations: [at(f, VIP)], ports: [PORT] },
        ...(action(f) === undefined ? {} : { action: action(f) }),
        protectAbove: { rate: "100/second", burst: 100 },
      }));
      expect(declared).toHaveLength(2);
      for (const family of FAMILIES) {
        const to = at(family, VIP);
        const ask = { to, port: PORT, times: 10 };
        const before = await proxied();
        expect(await served(ask)).toEqual(same(server, 10));
        expect((await proxied()).syns).toBe(before.syns);
        // Across the threshold, and in a flood.
        expect(await served(...same({ ...ask, times: 20 }, 20))).toEqual(same(server, 400));
        const across = await proxied();
        expect(across.valid - before.valid).toBeGreaterThan(50);
        expect(across.valid - before.valid).toBeLessThan(400);
        const [inFlood] = await Promise.all([served(...same(ask, 10)), lab.syns(to, PORT, 5000, "h1")]);
        expect(inFlood).toEqual(same(server, 100));
        expect((await proxied()).syns - across.syns).toBeGreaterThan(4000);
        // What the rate lets past is tracked, and no more.
        expect(await tracked(family, to, PORT)).toBeLessThan(400);
      }
    },
  );

  test("connectionLimit: over the whole rule, for each client, for each network of clients", async () => {
    const rule = (n: number, per: unknown) => (f: Family) => ({
      chain: "input",
      match: { destinations: [at(f, n)], ports: [PORT] },
      action: dnatTo(f, BACKEND),
      connectionLimit: { max: 5, per },
    });
    await Promise.all([
      both(rule(110, "rule"), "rule"),
      both(rule(111, "source"), "source"),
      both(rule(112, { ipv4: 24, ipv6: 64 }), "network"),
    ]);
    const tried = FAMILIES.map(async (family) => {
      const open = async (n: number) => {
        const from = [at(family, CLIENT), stranger(family, 1), stranger(family, 2)];
        const jobs = from.flatMap((c) =>
          same({ to: at(family, n), port: PORT, from: c, path: "/drip?seconds=2.5", patience: 2 }, 8),
        );
        const ok = (await answers(...jobs)).map(({ text }) => text !== undefined);
        return [0, 8, 16].map((i) => ok.slice(i, i + 8).filter(Boolean).length);
      };
      const [rule_, source, network] = await Promise.all([open(110), open(111), open(112)]);
      expect(rule_.reduce((a, b) => a + b)).toBe(5);
      expect(source).toEqual([5, 5, 5]);
      expect([network[0], (network[1] ?? 0) + (network[2] ?? 0)]).toEqual([5, 5]);
      // What has ended counts no more.
      expect(await served(...same({ to: at(family, VIP), port: PORT }, 5))).toEqual(same("130:9000", 5));
    });
    await Promise.all(tried);
  });

  test("rateLimit: over the whole rule, and for each client", async () => {
    const rule = (n: number, per: string) => (f: Family) => ({
      chain: "input",
      match: { destinations: [at(f, n)], ports: [PORT] },
      rateLimit: { rate: "5/minute", per },
    });
    await Promise.all([both(rule(110, "rule"), "rule"), both(rule(111, "source"), "source")]);
    const tried = FAMILIES.map(async (family) => {
      const ask = async (n: number) => {
        const from = [at(family, CLIENT), at(family, CLIENT2)];
        const jobs = from.flatMap((c) => same({ to: at(family, n), port: PORT, from: c, patience: 2 }, 8));
        const ok = (await texts(...jobs)).map((text) => text !== NOBODY);
        return [0, 8].map((i) => ok.slice(i, i + 8).filter(Boolean).length);
      };
      const [whole, each] = await Promise.all([ask(110), ask(111)]);
      expect(whole.reduce((a, b) => a + b)).toBe(5);
      expect(each).toEqual([5, 5]);
    });
    await Promise.all(tried);
  });

  // The kernel writes no line for what happens in another network namespace than the machine's own, unless a sysctl of the
  // machine (nf_log_all_netns) says so. So it is asked which rules the packets went through.
  test("log and logHandshake: each step of a connection goes through its rule, with its words and no oftener than it may", async () => {
    await Promise.all([
      Rule.create({
        chain: "input",
        match: everyVip,
        log: { prefix: "web open ", level: "notice" },
        logHandshake: { prefix: "web ", rate: "2/minute", burst: 2 },
      }),
      Rule.create(
        { chain: "input", match: { ...everyVip, ports: [9001] }, log: true, action: { redirect: 9000 } },
        "plain",
      ),
    ]);
    await succeed(`nft 'table inet tracer {
      chain prerouting { type filter hook prerouting priority -400; tcp dport { 9000, 9001 } tcp flags & (fin|rst|psh) == 0 meta nftrace set 1; };
      chain output { type filter hook output priority -400; tcp dport { 9000, 9001 } tcp flags & (fin|rst|psh) == 0 meta nftrace set 1; };
    }'`);
    // It listens once its socket is a member of the group of traces.
    await succeed(`
      nft monitor trace >/tmp/trace 2>&1 & echo $! >/tmp/monitor
      for i in $(seq 100); do awk '$2 == 12 && $4 == "00000100"' /proc/net/netlink | grep -q . && exit; sleep 0.05; done; exit 1`);
    for (const family of FAMILIES) {
      await served({ to: at(family, VIP), port: PORT, times: 2 }, { to: at(family, VIP), port: 9001 });
    }
    const trace = await succeed("sleep 0.3; kill $(cat /tmp/monitor); cat /tmp/trace");
    const hits = trace.match(/log prefix "[^"]*"( level [a-z]+)?/g) ?? [];
    const count = (line: string) => hits.filter((hit) => hit === `log prefix ${line}`).length;
    expect(count('"web SYN " level info')).toBe(2);
    expect(count('"web ACK " level info')).toBe(2);
    expect(count('"web to server " level info')).toBe(2);
    // A client that waits longer than a fifth of a second asks again.
    expect(count('"web open " level notice')).toBeGreaterThanOrEqual(4);
    expect(count('"plain " level info')).toBeGreaterThanOrEqual(2);
  });
});

describe("beside an operator's own rules", () => {
  const operatorDnat = `nft 'table inet operator { chain output { type nat hook output priority -100;
    meta l4proto tcp ip daddr ${NET}.110 tcp dport ${PORT.toString()} dnat ip to ${NET}.131:8082;
    meta l4proto tcp ip6 daddr ${SIX}110 tcp dport ${PORT.toString()} dnat ip6 to [${SIX}131]:8082; }; }'`;
  const invalidDrop = `nft 'table inet operator { chain input { type filter hook input priority 0; ct state invalid drop; };
    chain forward { type filter hook forward priority 0; ct state invalid drop; }; }'`;
  const unload = "nft delete table inet operator";

  test("DNAT in output, loaded before or after: it has the host's own connections, and never the proxy's", async () => {
    const rules = () =>
      Promise.all([
        Rule.create({ chain: "input", match: { ...everyVip, interfaces: ["eth1"] } }, "plain"),
        both(
          (f) => ({
            chain: "input",
            match: { destinations: [at(f, VIP)], ports: [PORT], interfaces: ["eth3"] },
            action: dnatTo(f, BACKEND),
          }),
          "dnat",
        ),
      ]).then((made) => made.flat());
    const expectKept = async () => {
      for (const family of FAMILIES) {
        const to = at(family, VIP);
        expect(await served(...[CLIENT, CLIENT2].map((c) => ({ to, port: PORT, from: at(family, c) })))).toEqual([
          "110:9000",
          "130:9000",
        ]);
        expect(await fromHost(to, PORT)).toMatch(/131 8082 /);
      }
    };
    await succeed(operatorDnat);
    const made = await rules();
    await expectKept();
    await succeed(unload);
    await succeed(operatorDnat);
    await expectKept();
    await Promise.all(made.map((rule) => rule.delete()));
  });

  test("a drop of what is invalid, loaded before or after", async () => {
    const declared = () =>
      Promise.all([
        Rule.create({ chain: "input", match: everyVip }, "same"),
        Rule.create({ chain: "input", match: { ...everyVip, ports: [9001] }, action: { redirect: 9000 } }, "redirect"),
        Rule.create(
          { chain: "forward", match: { destinations: FAMILIES.map((f) => at(f, BACKEND)), ports: [80] } },
          "forward",
        ),
        both(
          (f) => ({
            chain: "input",
            match: { destinations: [at(f, 111)], ports: [PORT] },
            action: dnatTo(f, BACKEND2),
          }),
          "dnat",
        ),
        both(
          (f) => ({
            chain: "forward",
            match: { destinations: [at(f, NOWHERE)], ports: [80] },
            action: dnatTo(f, BACKEND2),
          }),
          "nowhere",
        ),
      ]).then((made) => made.flat());
    const expectServed = async () => {
      for (const family of FAMILIES) {
        const asked = [
          [VIP, PORT],
          [VIP, 9001],
          [BACKEND, 80],
          [111, PORT],
          [NOWHERE, 80],
        ] as const;
        expect(await served(...asked.map(([n, port]) => ({ to: at(family, n), port, times: 2 })))).toEqual(
          ["110:9000", "110:9000", "130:80", "131:9000", "131:80"].flatMap((server) => [server, server]),
        );
      }
    };
    await succeed(invalidDrop);
    await declared();
    await expectServed();
    await succeed(unload);
    await succeed(invalidDrop);
    await expectServed();
  });
});

test("updates of everything: 80 of 80 live connections go on, in every mode", async () => {
  const same_ = { chain: "input", match: { ...everyVip, destinations: FAMILIES.map((f) => at(f, 100)), ports: [80] } };
  const redirect = {
    chain: "input",
    match: { ...everyVip, destinations: FAMILIES.map((f) => at(f, 101)), ports: [9100] },
    action: { redirect: 8080 },
  };
  const forward = {
    chain: "forward",
    match: { ...everyVip, destinations: FAMILIES.map((f) => at(f, BACKEND)), ports: [80] },
  };
  const dnatted = (f: Family, server: number) => ({
    chain: "input",
    match: { destinations: [at(f, 111)], ports: [PORT], interfaces: ["eth1"] },
    action: dnatTo(f, server),
  });
  const [web, other, routed, [dnat4, dnat6]] = await Promise.all([
    Rule.create(same_),
    Rule.create(redirect, "redirect"),
    Rule.create(forward, "forward"),
    both((f) => dnatted(f, BACKEND), "dnat"),
  ]);
  const seconds = 5;
  const targets = [
    [100, 80],
    [101, 9100],
    [BACKEND, 80],
    [111, PORT],
  ] as const;
  const jobs = FAMILIES.flatMap((f) =>
    targets.flatMap(([n, port]) => same({ to: at(f, n), port, path: `/drip?seconds=${seconds.toString()}` }, 10)),
  );
  const start = Date.now();
  const before = await proxied();
  const running = answers(...jobs);
  await sleep(800);
  expect((await proxied()).valid - before.valid).toBeGreaterThanOrEqual(80);
  await Promise.all([
    web.update({ ...same_, options: { mss: 1300, timestamp: true, wscale: 5, sackPerm: true } }),
    other.update({ ...redirect, action: { redirect: 443 } }),
    routed.update({ ...forward, options: { mss: 1250 }, logHandshake: true, protectAbove: "1000/second" }),
    dnat4?.update(dnatted(4, BACKEND2)),
    dnat6?.update(dnatted(6, BACKEND2)),
    Rule.create(
      { chain: "input", match: { ...everyVip, sources: [`${NET}.66`, at(6, CLIENT)] }, action: "drop" },
      "new",
    ),
  ]);
  await web.update({
    ...same_,
    profiles: { near: { mss: 1200 } },
    sourceProfiles: { [`${NET}.64/27`]: "near" },
    connectionLimit: { max: 1000, per: "source" },
  });
  await web.update({ ...same_, profiles: { near: { mss: 1100 } }, sourceProfiles: { [`${NET}.66`]: "near" } });
  await other.delete();
  await routed.update({ ...forward, match: { ports: ["1-9999"] } });
  const took = (Date.now() - start) / 1000;
  expect(await served(...FAMILIES.map((f) => ({ to: at(f, 111), port: PORT })))).toEqual(same("131:9000", 2));
  expect(took).toBeLessThan(seconds - 0.3);
  const lines = (await running).map(({ text, error }) => text?.trim().split("\n").length ?? error);
  expect(lines).toEqual(same(seconds * 10, 80));
}, 30_000);

describe("TCP options", () => {
  test("the server sees the client's own, as far as the rule offers them", async () => {
    const rule = (f: Family, options: object, protectAbove?: string) => ({
      chain: "input",
      match: { destinations: [at(f, VIP)], ports: [PORT] },
      action: dnatTo(f, BACKEND),
      options,
      ...(protectAbove === undefined ? {} : { protectAbove }),
    });
    for (const family of FAMILIES) {
      const ask = { to: at(family, VIP), port: PORT, path: "/options" };
      const made = await Rule.create(rule(family, {}, "1000/second"));
      const [direct = ""] = await texts(ask);
      expect(direct).toMatch(/ wscale [0-9]+ sack timestamps$/);
      await made.update(rule(family, { timestamp: true, sackPerm: true, wscale: 9 }));
      const [all] = await answers(ask);
      expect(all).toMatchObject({ text: `${direct}\n`, wscale: 9 });
      await made.update(rule(family, { timestamp: true }));
      expect(await texts(ask)).toEqual([direct.replace(" sack", "")]);
      await made.update(rule(family, {}));
      const [none] = await answers(ask);
      expect(none?.text).toBe(`mss ${family === 4 ? "1460" : "1440"}\n`);
      expect(none?.wscale).toBeUndefined();
      await made.delete();
    }
  });

  test("timestamp has a price: a server that speaks first is heard a second late", async () => {
    const banner = `python3 -c 'import socket, time
start = time.monotonic()
print(socket.create_connection(("${at(4, VIP)}", 2200), 5).recv(4).decode(), time.monotonic() - start)'`;
    const heard = async () => {
      const [text, seconds] = (await lab.client(banner)).stdout.trim().split(" ");
      expect(text).toBe("SSH-");
      return Number(seconds);
    };
    const rule = { chain: "input", match: { destinations: [at(4, VIP)], ports: [2200] }, action: { redirect: 22 } };
    const made = await Rule.create(rule);
    expect(await heard()).toBeLessThan(0.5);
    await made.update({ ...rule, options: { timestamp: true } });
    expect(await heard()).toBeGreaterThan(0.9);
  });

  // Since Linux 6.15 a server takes nothing from a client before that echoes the timestamp of its SYN-ACK. To the proxy's
  // ACK, which does not, it says what it expects in an ACK of its own, and the client echoes that one's. If the server's
  // clock, in milliseconds, has moved on between the two, nothing is heard until the SYN-ACK is sent again. Here they are
  // some 15 microseconds apart; with a server more than a millisecond away it would be all connections.
  test("and of many clients that speak first some are heard late as well, where without timestamp all are heard at once", async () => {
    const rule = { chain: "input", match: { destinations: [at(4, VIP)], ports: [PORT] }, action: dnatTo(4, BACKEND) };
    const late = async () => {
      const clients = Array.from({ length: 60 }, (_, i) => ({ to: at(4, VIP), port: PORT, from: stranger(4, i + 1) }));
      const all = await answers(...clients.map((job) => ({ ...job, times: 15, patience: 6 })));
      expect(all.filter(({ text }) => text === undefined)).toEqual([]);
      return all.filter(({ seconds }) => seconds > 1).length;
    };
    const made = await Rule.create(rule);
    expect(await late()).toBe(0);
    await made.update({ ...rule, options: { timestamp: true } });
    const some = await late();
    expect(some).toBeGreaterThan(0);
    expect(some).toBeLessThan(200);
  });

  // net/netfilter/nft_synproxy.c asks nf_ip_checksum of IPv6 as well. It matters where neither the network card nor GRO
  // has checked the packet before. If this fails, the kernel has learned it: take the warning out of docs/synproxy.md.
  test("IPv6 whose checksum nobody has checked yet the kernel drops at the proxy", async () => {
    await Rule.create({ chain: "input", match: everyVip });
    const answered = async (family: Family) => {
      const before = await proxied();
      await lab.syns(at(family, VIP), PORT, 100, "h1", "unchecked");
      return (await proxied()).syns - before.syns;
    };
    expect(await answered(4)).toBe(100);
    expect(await answered(6)).toBe(0);
  });
});

describe("the examples of the sources", () => {
  /** In this lab eth0 is not where clients are. */
  const here = (text: string): string => text.replaceAll("eth1", "eth3").replaceAll("eth0", "eth1");
  const declared = async (text: string, options: ParseOptions = {}): Promise<void> => {
    const { rules } = parseAll(here(text), options);
    expect(rules.length).toBeGreaterThan(0);
    await Promise.all(rules.map((rule, i) => Rule.create(rule, `example-${i.toString()}`)));
  };
  // FireHOL's options have timestamp, and that its price.
  const ask = (to: string, port: number, from = at(4, CLIENT)): Job => ({ to, port, from, patience: 6 });
  const askInVain = (port: number, from?: string): Job => ({ ...ask(PUBLIC, port, from), patience });
  /** Asked through the proxy, all of them. */
  async function expectServed(...expected: [Job, string][]): Promise<void> {
    const before = await proxied();
    expect(await texts(...expected.map(([job]) => job))).toEqual(
      expected.map(([{ from = "" }, server]) => `${server} ${from}`),
    );
    expect((await proxied()).valid - before.valid).toBe(expected.length);
  }
  const PUBLIC = "1.2.3.4";
  const TRAP = { actions: { TRAP_AND_DROP: { trap: { set: "trap", timeout: "1h" } } } } satisfies ParseOptions;

  test("ALOHA: HTTP and HTTPS of a service on the balancer", async () => {
    await declared(
      "input dst 10.0.0.1 dstport 80 iface eth0 wscale 3\ninput dst 10.0.0.1 dstport 443 iface eth0 wscale 3",
    );
    await expectServed([ask("10.0.0.1", 80), "10.0.0.1 80"], [ask("10.0.0.1", 443), "10.0.0.1 443"]);
  });

  test("ALOHA: HTTP and HTTPS of machines behind the balancer", async () => {
    await declared("forward dstport 80 iface eth0 wscale 3\nforward dstport 443 iface eth0 wscale 3");
    await expectServed([ask("5.6.7.8", 80), "5.6.7.8 80"], [ask(at(4, BACKEND), 80), `${at(4, BACKEND)} 80`]);
    // The balancer's own are not of this chain.
    const before = await proxied();
    expect(await texts(ask(PUBLIC, 80))).toEqual([`${PUBLIC} 80 ${at(4, CLIENT)}`]);
    expect(await proxied()).toEqual(before);
  });

  test("FireHOL: a web server on the firewall", async () => {
    await declared(
      "ipv4 synproxy input inface eth0 dst 1.2.3.4 dport 80 accept\n\ninterface eth0 wan\n    server http accept\n",
    );
    await expectServed([ask(PUBLIC, 80), `${PUBLIC} 80`]);
  });

  test("FireHOL: a web server on the firewall, on port 90", async () => {
    await declared(`server_myhttp_ports="tcp/90"
client_myhttp_ports="default"

ipv4 synproxy input inface eth0 dst 1.2.3.4 dport 80 redirect to 90

interface eth0 wan
    server myhttp accept # packet filtering works with the real ports
`);
    await expectServed([ask(PUBLIC, 80), `${PUBLIC} 90`]);
  });

  test("FireHOL: a web server on another machine, without NAT", async () => {
    await declared(`ipv4 synproxy forward inface eth0 dst 5.6.7.8 dport 80 accept

router wan2lan inface eth0 outface eth1
    server http accept dst 5.6.7.8
`);
    await expectServed([ask("5.6.7.8", 80), "5.6.7.8 80"]);
  });

  test("FireHOL: a web server on another machine in a DMZ", async () => {
    await declared(`ipv4 synproxy input inface eth0 \\
    dst 1.2.3.4 dport 80 dnat to 10.1.1.1

router wan2lan inface eth0 outface eth1
    server http accept dst 10.1.1.1
`);
    await expectServed([ask(PUBLIC, 80), "10.1.1.1 80"]);
  });

  test("FireHOL: ten web servers in a DMZ; each client always sees one of them", async () => {
    await declared(`ipv4 synproxy input inface eth0 \\
    dst 1.2.3.4 dport 80 dnat to 10.1.1.1-10.1.1.10 persistent

router wan2lan inface eth0 outface eth1
    server http accept dst 10.1.1.1-10.1.1.10
`);
    const clients = Array.from({ length: 60 }, (_, i) => ask(PUBLIC, 80, stranger(4, i + 1)));
    const turns = await Promise.all([1, 2, 3].map(() => served(...clients)));
    expect(turns[1]).toEqual(turns[0]);
    expect(turns[2]).toEqual(turns[0]);
    expect([...new Set(turns[0])].toSorted()).toEqual(
      Array.from({ length: 10 }, (_, i) => `${(i + 1).toString()}:80`).toSorted(),
    );
  });

  test("FireHOL: all SSH to a trap, and SSH itself on port 2200", async () => {
    await declared(
      `# definition of action TRAP_AND_DROP should be placed here

# send ssh traffic to TRAP_AND_DROP
ipv4 synproxy input inface eth0 dst 1.2.3.4 dport 22 action TRAP_AND_DROP

# accept ssh traffic on tcp/2200
ipv4 synproxy input inface eth0 dst 1.2.3.4 dport 2200 redirect to 22

interface eth0 wan
    server ssh accept
`,
      TRAP,
    );
    const banner = `python3 -c 'import socket; print(socket.create_connection(("${PUBLIC}", 2200), 5).recv(4).decode())'`;
    expect((await lab.client(banner)).stdout).toBe("SSH-\n");
    expect(await members("trap4-trap")).not.toContain("elements");
    expect(await texts(askInVain(22))).toEqual([NOBODY]);
    expect(await members("trap4-trap")).toContain(at(4, CLIENT));
  });

  test("FireHOL: the same server by interface, which it cannot tell apart itself: accepted here, trapped there", async () => {
    await declared(
      "ipv4 synproxy input inface eth0 dst 1.2.3.4 dport 80 accept\nipv4 synproxy input inface eth1 dst 1.2.3.4 dport 80 action TRAP_AND_DROP",
      TRAP,
    );
    await expectServed([ask(PUBLIC, 80), `${PUBLIC} 80`]);
    expect(await texts(askInVain(80, at(4, CLIENT2)))).toEqual([NOBODY]);
    const trapped = await members("trap4-trap");
    expect(trapped).toContain(at(4, CLIENT2));
    expect(trapped).not.toContain(`${at(4, CLIENT)} `);
  });

  test("FireHOL: the same server by source, as it advises", async () => {
    await declared(
      `ipv4 synproxy input inface eth0 src ${at(4, CLIENT)} dst 1.2.3.4 dport 80 accept
ipv4 synproxy input inface eth0 src 198.18.1.0/24 dst 1.2.3.4 dport 80 action TRAP_AND_DROP`,
      TRAP,
    );
    await expectServed([ask(PUBLIC, 80), `${PUBLIC} 80`]);
    expect(await texts(askInVain(80, stranger(4, 3)))).toEqual([NOBODY]);
    expect(await members("trap4-trap")).toContain(stranger(4, 3));
  });

  test("FireHOL: its variables, and a balancer whose address is not known", async () => {
    await declared(
      `FIREHOL_SYNPROXY_OPTIONS="--sack-perm --timestamp --wscale 6 --mss 1400"
FIREHOL_SYNPROXY_LOG=1
FIREHOL_SYNPROXY_EXCLUDE_OWNER=1

ipv4 synproxy input inface eth0 src not "\${UNROUTABLE_IPS}" dport 80 accept`,
    );
    const [seen] = await answers(ask(PUBLIC, 80, "11.22.33.44"));
    expect(seen).toMatchObject({ text: `${PUBLIC} 80 11.22.33.44\n`, mss: 1388, wscale: 6 });
    await expectServed([ask(PUBLIC, 80, "11.22.33.44"), `${PUBLIC} 80`]);
    const before = await proxied();
    expect(await texts(ask(PUBLIC, 80))).toEqual([`${PUBLIC} 80 ${at(4, CLIENT)}`]);
    expect(await fromHost(PUBLIC, 80)).toBe(`${PUBLIC} 80 ${PUBLIC}`);
    expect(await proxied()).toEqual(before);
  });

  test("nftables' wiki: an anonymous synproxy", async () => {
    await Rule.create({
      chain: "input",
      match: { ports: [8888] },
      family: "ipv4",
      options: { mss: 1460, wscale: 7, timestamp: true, sackPerm: true },
    });
    const [seen] = await answers(ask(PUBLIC, 8888));
    expect(seen).toMatchObject({ text: `${PUBLIC} 8888 ${at(4, CLIENT)}\n`, mss: 1448, wscale: 7 });
  });

  // Its other-synproxy has wscale 5 without timestamp, which the kernel does not offer: the scale is kept in the timestamp.
  test("nftables' wiki: two named ones, by the client's network", async () => {
    await Rule.create({
      chain: "forward",
      match: { ports: [8888], sources: ["192.168.1.0/24", "192.168.2.0/24"] },
      profiles: {
        "https-synproxy": { mss: 1460, wscale: 7, timestamp: true, sackPerm: true },
        "other-synproxy": { mss: 1460 },
      },
      sourceProfiles: { "192.168.1.0/24": "https-synproxy", "192.168.2.0/24": "other-synproxy" },
    });
    const from = ["192.168.1.5", "192.168.2.5", "192.168.3.5"];
    const before = await proxied();
    const seen = await answers(...from.map((client) => ({ ...ask("5.6.7.8", 8888, client), path: "/options" })));
    expect(seen.map(({ mss, wscale }) => [mss, wscale])).toEqual([
      [1448, 7],
      [1460, undefined],
      [1448, 10],
    ]);
    expect((await proxied()).valid - before.valid).toBe(2);
  });
});
