/** TCP options that the server itself announces: learned, compared, and what `timestamp` costs. */
import { openSsh } from "../../provider/host/ssh";
import { Hosts, type Opener } from "../../provider/hosts";
import { Heard, type Server, probeScript } from "../../provider/learn";
import { Lifecycle } from "../../provider/lifecycle";
import { LOAD_BALANCER } from "../../provider/resources/load-balancer";
import { type ResourceType } from "../../provider/resources/resource";
import { SYNPROXY_RULE } from "../../provider/resources/synproxy-rule";
import { type Properties } from "../../provider/wire";
import { Lab } from "../support/lab";

const NET = "10.74";
/** The web server, behind the balancer. */
const BACKEND = `${NET}.1.130`;
const BACKEND6 = "fd00:10:74:1::130";

let lab: Lab;
let hosts: Hosts;
let vip: string;
let vip6: string;
let before: string;
const told: string[] = [];
/** What was asked of the host, by name. */
const asked: string[] = [];

/** SSH that notes what is asked over it. */
const opener: Opener = async (hops) => {
  const shell = await openSsh(hops);
  return new Proxy(shell, {
    get: (target, key) =>
      key === "run"
        ? (...args: Parameters<typeof shell.run>) => {
            asked.push(args[1] ?? "");
            return target.run(...args);
          }
        : (Reflect.get(target, key, target) as unknown),
  });
};

beforeAll(async () => {
  lab = await Lab.up("lrn", NET, 1);
  vip = lab.host(1).vip();
  vip6 = lab.host(1).vip6();
  before = await lab.fingerprint(1);
});

afterAll(async () => {
  await lab.down();
});

beforeEach(() => {
  told.length = asked.length = 0;
  hosts = new Hosts(opener, undefined, () => (message, severity) => told.push(`${severity}: ${message}`));
});

afterEach(async () => {
  // After a failure: the next test is another.
  for (const rule of there) await rule.delete();
  await hosts.close();
  await backendAs({});
  await lab.exec(1, "conntrack -F; ip tcp_metrics flush all");
  expect(await lab.fingerprint(1)).toBe(before);
});

interface Options {
  readonly mss?: number;
  readonly wscale?: number;
  readonly timestamp: boolean;
  readonly sackPerm: boolean;
}

/** How the web server's machine announces itself. */
async function backendAs(how: { mss?: number; timestamps?: 0 | 1; sack?: 0 | 1; rmem?: number }): Promise<void> {
  const advmss = how.mss === undefined ? "" : ` advmss ${how.mss.toString()}`;
  const { code, stderr } = await lab.backend(`
    sysctl -qw net.ipv4.tcp_timestamps=${(how.timestamps ?? 1).toString()} net.ipv4.tcp_sack=${(how.sack ?? 1).toString()} \
      net.ipv4.tcp_rmem="4096 131072 ${(how.rmem ?? 33_554_432).toString()}" &&
    ip route replace default via ${NET}.1.129 table 1001${advmss} &&
    ip -6 route replace default via fd00:10:74:1::129 dev h1 onlink table 1001${advmss}`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

/** The options of the SYN-ACK that a client gets. */
async function announced(address: string, port = 80): Promise<Options> {
  const [ip, flags, url] = address.includes(":") ? ["ip6", "ip6[53]", `[${address}]`] : ["ip", "tcp[13]", address];
  const synAck = `${ip} and src host ${address} and tcp src port ${port.toString()} and ${flags} & 0x3f = 0x12`;
  const { stdout } = await lab.client(`
    said=$(mktemp) && { timeout 20 tcpdump -c 1 -l -n -i any '${synAck}' 2>"$said" & } &&
    until grep -q listening "$said"; do sleep 0.05; done; sleep 0.1
    curl -s -o /dev/null -m 5 'http://${url}:${port.toString()}/id'; wait; rm "$said"`);
  const mss = /\bmss ([0-9]+)/.exec(stdout)?.[1];
  const wscale = /\bwscale ([0-9]+)/.exec(stdout)?.[1];
  return {
    ...(mss === undefined ? {} : { mss: Number(mss) }),
    ...(wscale === undefined ? {} : { wscale: Number(wscale) }),
    timestamp: stdout.includes("TS val"),
    sackPerm: stdout.includes("sackOK"),
  };
}

const there = new Set<Rule>();

class Rule {
  inputs: Properties = {};
  outputs: Properties = {};
  private id = "";
  private readonly lifecycle: Lifecycle;

  constructor(
    readonly name = "web",
    type: ResourceType = SYNPROXY_RULE,
  ) {
    this.lifecycle = new Lifecycle(type, hosts);
  }

  async create(args: object): Promise<this> {
    this.inputs = this.check(args);
    const { id, outputs } = await this.lifecycle.create(this.inputs);
    Object.assign(this, { id, outputs });
    there.add(this);
    return this;
  }

  async update(args: object): Promise<void> {
    this.inputs = this.check(args);
    this.outputs = await this.lifecycle.update(this.id, this.outputs, this.inputs);
  }

  read() {
    return this.lifecycle.read(this.outputs);
  }

  async delete(): Promise<void> {
    there.delete(this);
    await this.lifecycle.delete(this.id, this.outputs);
  }

  private check(args: object): Properties {
    const { address: host, privateKey, hostKey } = lab.host(1);
    const connection = { host, privateKey, hostKey };
    const { inputs, problems } = this.lifecycle.check({ ...args, connection, owner: `shop/test/${this.name}` });
    expect(problems).toEqual([]);
    return inputs;
  }
}

const toBackend = (more: object = {}): object => ({
  chain: "input",
  match: { destinations: [vip], ports: [80] },
  action: { dnat: { to: `${BACKEND}:80` } },
  options: "learn",
  ...more,
});
const local = (more: object = {}) => ({
  chain: "input",
  match: { destinations: [vip], ports: [80], interfaces: ["eth1"] },
  options: "learn",
  ...more,
});
const chainOf = (properties: Properties, name = "synproxy/shop/test/web/input") =>
  (properties.nft as Record<string, string>)[`chain ${name}`];
const tables = async () => (await lab.exec(1, "nft list tables")).stdout;

describe("what a server announces is what clients get", () => {
  test.each<[string, Parameters<typeof backendAs>[0], Options | undefined]>([
    ["as it comes", {}, undefined],
    ["another mss", { mss: 1300 }, undefined],
    ["another window scale", { rmem: 134_217_728 }, undefined],
    ["no SACK", { sack: 0 }, undefined],
    // A cookie keeps window scale and SACK in the timestamp.
    ["no timestamps", { timestamps: 0 }, { mss: 1460, timestamp: false, sackPerm: false }],
  ])("%s", async (_name, how, expected) => {
    await backendAs(how);
    const own = await announced(BACKEND);
    const rule = await new Rule().create(toBackend());
    expect(await announced(vip)).toEqual(expected ?? own);
    expect(rule.outputs.learned).toEqual(own);
    expect(rule.inputs.options).toBe("learn");
    expect(chainOf(rule.inputs)).toBe("synproxy (learned from the server on apply); drop");
    expect(chainOf(rule.outputs)).toMatch(/^synproxy mss \d+/);
    expect(await tables()).toBe("table inet lbshield\n");
    // The rule that is there now does not stand in the way of the question.
    expect(await rule.read()).toEqual({ inputs: rule.inputs, outputs: rule.outputs });
    expect(asked.filter((what) => what === "learn")).toHaveLength(2);
    expect(told).toEqual([]);
    await rule.delete();
  });

  test("by IPv6", async () => {
    await backendAs({ mss: 1280 });
    const own = await announced(BACKEND6);
    expect(own.mss).toBe(1280);
    const rule = await new Rule().create(
      toBackend({
        match: { destinations: [vip6], ports: [80] },
        action: { dnat: { to: `[${BACKEND6}]:80` } },
      }),
    );
    expect(rule.outputs.learned).toEqual(own);
    expect(await announced(vip6)).toEqual(own);
    await rule.delete();
  });

  test("of a server on the balancer: with the segments of the way that its clients come by", async () => {
    const own = await announced(vip);
    expect(own.mss).toBe(1460);
    const rule = await new Rule().create(local());
    expect(rule.outputs.learned).toEqual(own);
    expect(await announced(vip)).toEqual(own);
    await lab.exec(1, "ip link set eth1 mtu 1400");
    // By the default route, which is eth1's as well.
    await rule.update(local({ match: { destinations: [vip, vip6], ports: [80] } }));
    await lab.exec(1, "ip link set eth1 mtu 1500");
    expect(rule.outputs.learned).toEqual({ ...own, mss: 1340 });
    expect((await announced(vip6)).mss).toBe(1340);
    await rule.delete();
  });

  test("where the server speaks first: its mss alone", async () => {
    const own = await announced(BACKEND);
    const rule = await new Rule().create(toBackend({ serverFirst: true }));
    expect(rule.outputs.learned).toEqual(own);
    expect(await announced(vip)).toEqual({ mss: own.mss, timestamp: false, sackPerm: false });
    // What it makes no use of is no drift.
    await backendAs({ timestamps: 0 });
    expect(await rule.read()).toEqual({ inputs: rule.inputs, outputs: rule.outputs });
    await rule.delete();
  });
});

describe("drift", () => {
  test("a server that announces something else is named, with both; an update learns it", async () => {
    const rule = await new Rule().create(toBackend());
    const { learned } = rule.outputs;
    const line = chainOf(rule.outputs) ?? "";
    await backendAs({ mss: 1300, sack: 0 });
    const found = await rule.read();
    expect(line).toMatch(/^synproxy mss 1460 wscale \d+ timestamp sack-perm; drop$/);
    const now = line.replace(/^synproxy mss 1460 (wscale \d+ timestamp) sack-perm; drop$/, "mss 1300 $1");
    expect(chainOf(found?.inputs ?? {})).toBe(`${line}; but ${BACKEND}:80 now announces ${now}`);
    // Nothing else differs; and what the host has is still what was learned.
    const nft = { ...(rule.inputs.nft as object), "chain synproxy/shop/test/web/input": chainOf(found?.inputs ?? {}) };
    expect(found?.inputs).toEqual({ ...rule.inputs, nft });
    expect(found?.outputs.learned).toEqual(learned);
    // As a refresh keeps it, and asks again.
    rule.outputs = found?.outputs ?? {};
    expect(await rule.read()).toEqual(found);
    await rule.update(toBackend());
    expect(rule.outputs.learned).toEqual({ ...(learned as object), mss: 1300, sackPerm: false });
    expect(await announced(vip)).toEqual(await announced(BACKEND));
    expect(await rule.read()).toEqual({ inputs: rule.inputs, outputs: rule.outputs });
    await rule.delete();
  });

  test("what somebody changed on the host is named as ever", async () => {
    const rule = await new Rule().create(toBackend());
    const chain = "inet lbshield synproxy/shop/test/web/input";
    await lab.exec(1, `nft 'flush chain ${chain}; add rule ${chain} synproxy mss 1400; add rule ${chain} drop'`);
    const found = await rule.read();
    expect(found?.inputs.options).toEqual({ mss: 1400, timestamp: false, sackPerm: false });
    expect(chainOf(found?.inputs ?? {})).toBe("synproxy mss 1400; drop");
    rule.outputs = found?.outputs ?? {};
    await rule.update(toBackend());
    expect(await rule.read()).toEqual({ inputs: rule.inputs, outputs: rule.outputs });
    await rule.delete();
  });

  test("of a server that is silent, what was learned stands: at a refresh, and when something else changes", async () => {
    const rule = await new Rule().create(toBackend());
    const { learned } = rule.outputs;
    await lab.backend(`ip link set h1 down`);
    try {
      expect(await rule.read()).toEqual({ inputs: rule.inputs, outputs: rule.outputs });
      expect(told).toEqual([`warning: ${BACKEND}:80 did not answer: what was learned stands`]);
      await rule.update(toBackend({ log: true }));
      expect(rule.outputs.learned).toEqual(learned);
      expect(told.at(-1)).toBe(`warning: ${BACKEND}:80 did not answer: what was learned before stands`);
      // Another server is another matter.
      await expect(rule.update(toBackend({ action: { dnat: { to: `${NET}.1.131:80` } } }))).rejects.toThrow(
        `${NET}.1.131:80 did not answer`,
      );
    } finally {
      await lab.backend(`
        ip link set h1 up; ip addr add ${BACKEND6} peer fd00:10:74:1::129 dev h1 nodad
        ip addr add fe80::130/64 dev h1 nodad; ip route add ${NET}.1.0/24 via ${NET}.1.129
        ip -6 route add fd00:10:74:1::/64 via fd00:10:74:1::129 dev h1 onlink`);
    }
    await rule.delete();
  });
});

test("a rule that learned drains as any other", async () => {
  const learned = toBackend({ onDelete: "drain", drainTimeout: 20 });
  const rule = await new Rule().create(learned);
  const running = lab.client(`curl -s -N -m 9 'http://${vip}/drip?seconds=4' | wc -l`);
  await lab.exec(1, `until conntrack -L -p tcp --orig-dst ${vip} 2>/dev/null | grep -q EST; do sleep 0.1; done`);
  await rule.delete();
  expect((await running).stdout.trim()).toBe("40");
  // What one test declares stays declared.
  const second = { destinations: [lab.host(1).vip(101)], ports: [80] };
  const api = local({ match: { destinations: [vip], ports: [8080] } });
  const balancer = await new Rule("lb1", LOAD_BALANCER).create({
    synproxyRules: { web: { ...learned, match: second }, api },
  });
  await balancer.update({ synproxyRules: { api } });
  expect(balancer.outputs.learned).toMatchObject({ synproxyRules: { api: { mss: 1460 } } });
  // Before anything is changed, and each by its name.
  const silent = {
    synproxyRules: { api, web: toBackend({ match: second, action: { dnat: { to: `${BACKEND}:81` } } }) },
  };
  await expect(balancer.update(silent)).rejects.toThrow(`synproxyRules.web: ${BACKEND}:81 refused the connection`);
  await balancer.delete();
});

test("no answer: an error that names the server, before anything is changed", async () => {
  const refused = (to: string) =>
    new Rule().create(toBackend({ action: { dnat: { to } } })).catch((error: unknown) => String(error));
  expect(await refused(`${BACKEND}:81`)).toBe(
    `HostError: learn TCP options SynproxyRule web (shop/test) on ${NET}.1.2: ${BACKEND}:81 refused the connection\n` +
      "  outcome: nothing was changed\n" +
      '  to do:   see that the server runs and that the balancer may connect to it; or say the options instead of "learn"',
  );
  expect(await refused(`${NET}.1.140:80`)).toContain(`${NET}.1.140:80 did not answer`);
  await lab.exec(1, "sysctl -qw net.ipv4.tcp_timestamps=0");
  const without = await refused(`${BACKEND}:80`);
  await lab.exec(1, "sysctl -qw net.ipv4.tcp_timestamps=1");
  expect(without).toContain("net.ipv4.tcp_timestamps is 0 on the balancer, so that no server offers it to it");
  expect(await tables()).toBe("");
  expect(asked.filter((what) => what !== "learn")).toEqual([]);
});

test("a hundred parts are one question, and each learns its own", async () => {
  const parts = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [
      `r${i.toString()}`,
      toBackend({
        match: { destinations: [vip], ports: [10_000 + i] },
        action: {
          dnat: { to: i === 0 ? `[${BACKEND6}]:80` : `${BACKEND}:${[80, 8081, 8082, 9000][i % 4]!.toString()}` },
        },
      }),
    ]),
  );
  parts.r0 = { ...parts.r0, match: { destinations: [vip6], ports: [10_000] } };
  const rule = await new Rule("lb1", LOAD_BALANCER).create({ synproxyRules: parts });
  const { synproxyRules: learned = {} } = rule.outputs.learned as { synproxyRules?: Record<string, Options> };
  expect(Object.keys(learned)).toHaveLength(100);
  expect([learned.r0?.mss, learned.r1?.mss, learned.r99?.mss]).toEqual([1440, 1460, 1460]);
  expect(asked.filter((what) => what === "learn")).toHaveLength(1);
  await backendAs({ mss: 1400 });
  const found = await rule.read();
  expect(chainOf(found?.inputs ?? {}, "lb/shop/test/lb1/synproxy.r1.input")).toContain(
    `but ${BACKEND}:8081 now announces mss 1400`,
  );
  await rule.delete();
});

describe("declared options that the server does not have", () => {
  const declared = (options: object, more: object = {}) => toBackend({ options, ...more });

  test("are told of, both values and the cost; the change stands", async () => {
    await backendAs({ mss: 1400 });
    const { wscale = 0 } = await announced(BACKEND);
    const rule = await new Rule().create(declared({ mss: 1460, wscale: 0, timestamp: true, sackPerm: true }));
    expect(told).toEqual([
      `warning: options.mss: 1460 is announced for ${BACKEND}:80, which itself announces 1400: larger segments are fragmented, or lost where the path is narrower; say 1400, or options: "learn"`,
      `warning: options.wscale: 0 is announced for ${BACKEND}:80, which itself announces ${wscale.toString()}: clients take its window for smaller than it is, and uploads are slow (0 against 10: 17.6 s for 20 MB instead of 0.12 s); say ${wscale.toString()}, or options: "learn"`,
    ]);
    expect(asked.at(-1)).toBe("learn");
    asked.length = told.length = 0;
    // Once told is enough, as long as the options are the same.
    await rule.update(declared({ mss: 1460, wscale: 0, timestamp: true, sackPerm: true }, { log: true }));
    expect(told).toEqual([]);
    expect(asked).not.toContain("learn");
    await rule.update(declared({ mss: 1400, wscale, timestamp: true, sackPerm: true }));
    expect(told).toEqual([]);
    expect(asked.at(-1)).toBe("learn");
    await rule.delete();
  });

  test("of default options nobody is asked, nor where nobody could answer", async () => {
    const rule = await new Rule().create(declared({}));
    await rule.update(declared({ timestamp: true }, { action: "drop" }));
    await rule.update(declared({ timestamp: true }, { match: { ports: [80] }, action: undefined, family: "ipv4" }));
    expect(asked).not.toContain("learn");
    await rule.delete();
  });

  test("of a server that is silent nothing is said, and it takes a second at most", async () => {
    const start = Date.now();
    const rule = await new Rule().create(declared({ mss: 1300 }, { action: { dnat: { to: `${NET}.1.140:80` } } }));
    expect(Date.now() - start).toBeLessThan(8000);
    expect(told).toEqual([]);
    await rule.delete();
  });

  test("of rules that come together one question is asked, after the last", async () => {
    const rules = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        new Rule(`r${i.toString()}`).create(
          declared({ mss: 1400 + i }, { match: { destinations: [vip], ports: [10_000 + i] } }),
        ),
      ),
    );
    expect(asked.filter((what) => what === "learn")).toHaveLength(1);
    expect(told).toHaveLength(10);
    await Promise.all(rules.map((rule) => rule.delete()));
  });
});

test("any of the tools that open a connection will do; without one it is said which", async () => {
  const { code: made } = await lab.exec(
    1,
    "mkdir -p /tmp/tools && for t in nft sed timeout ip grep cat rm sh; do ln -sf $(command -v $t) /tmp/tools/; done",
  );
  expect(made).toBe(0);
  const server: Server = { address: BACKEND, port: 80, interfaces: [] };
  const ask = async (tool: string | undefined) => {
    const link = tool === undefined ? ":" : `ln -s $(command -v ${tool}) /tmp/tools/`;
    const script = `${link}; PATH=/tmp/tools LBS=/tmp; ${probeScript([server])}`;
    const reply = await lab.exec(1, script);
    await lab.exec(1, `rm -f /tmp/tools/${tool ?? "none"}`);
    return reply;
  };
  const answers = [];
  for (const tool of ["bash", "python3", "perl", "curl"]) answers.push(new Heard((await ask(tool)).stdout).of(server));
  expect(answers).toEqual(Array(4).fill(expect.objectContaining({ mss: 1460, timestamp: true })));
  expect(await ask(undefined)).toMatchObject({
    code: 1,
    stderr: "none of bash, nc, python3, perl and curl is there to open a connection with\n",
  });
  expect(await tables()).toBe("");
});

test("what a question that was killed left goes with the next", async () => {
  await lab.exec(1, "nft add table inet lbshield-learn-99999; nft add table inet lbshield-learn-1");
  const rule = await new Rule().create(toBackend());
  // A process of that number runs: it may be asking.
  expect(await tables()).toBe("table inet lbshield-learn-1\ntable inet lbshield\n");
  await lab.exec(1, "nft delete table inet lbshield-learn-1");
  await rule.delete();
});

/** Milliseconds until a client hears the first word, the best of some tries. */
async function firstWord(): Promise<number> {
  const script = `
import socket, time
best = 1e9
for _ in range(4):
    begin = time.monotonic()
    with socket.create_connection(("${vip}", 80), 5) as s:
        s.settimeout(10)
        assert s.recv(5) == b"hello"
    best = min(best, time.monotonic() - begin)
print(best * 1000)`;
  const { stdout, stderr } = await lab.client(`python3 -c '${script.replaceAll("'", `'"'"'`)}'`, 60);
  expect(stderr).toBe("");
  return Number(stdout);
}

test("the price of timestamp: a server that speaks first is heard a second late", async () => {
  const server = `import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("", 2525)); s.listen(64)
while True:
    c, _ = s.accept(); c.sendall(b"hello"); c.close()`;
  await lab.backend(`setsid python3 -c '${server}' >/dev/null 2>&1 & echo $! >/tmp/lrn-banner.pid; sleep 1`);
  try {
    const smtp = (options: unknown, more: object = {}) =>
      toBackend({ action: { dnat: { to: `${BACKEND}:2525` } }, options, ...more });
    const rule = await new Rule().create(smtp({ mss: 1460, timestamp: true, wscale: 10, sackPerm: true }));
    const withTimestamp = await firstWord();
    await rule.update(smtp("learn", { serverFirst: true }));
    const without = await firstWord();
    console.info(`first word after ${withTimestamp.toFixed(0)} ms with timestamp, ${without.toFixed(1)} ms without`);
    // The server's SYN-ACK timer of a second, against the way there and back.
    expect(withTimestamp).toBeGreaterThan(800);
    expect(withTimestamp / without).toBeGreaterThan(20);
    await rule.delete();
  } finally {
    await lab.backend("kill $(cat /tmp/lrn-banner.pid); rm /tmp/lrn-banner.pid");
  }
});
