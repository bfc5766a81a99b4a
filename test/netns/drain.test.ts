/** A rule that drains: what it carries goes on to its end, and the host is as before. */
import { Hosts } from "../../provider/hosts";
import { Lifecycle } from "../../provider/lifecycle";
import { LOAD_BALANCER } from "../../provider/resources/load-balancer";
import { type ResourceType } from "../../provider/resources/resource";
import { SYNPROXY_RULE } from "../../provider/resources/synproxy-rule";
import { Lab } from "../support/lab";

let lab: Lab;
let hosts: Hosts;
let vip: string;
let before: string;
const told: string[] = [];

beforeAll(async () => {
  lab = await Lab.up("drn", "10.98", 1);
  vip = lab.host(1).vip();
  before = await lab.fingerprint(1);
});

afterAll(async () => {
  await lab.down();
});

beforeEach(() => {
  told.length = 0;
  hosts = new Hosts(undefined, undefined, () => (message, severity) => told.push(`${severity}: ${message}`));
});

afterEach(async () => {
  await hosts.close();
  await lab.exec(1, "conntrack -F");
  expect(await lab.fingerprint(1)).toBe(before);
});

function declare(type: ResourceType, args: object) {
  const { address: host, privateKey, hostKey } = lab.host(1);
  const lifecycle = new Lifecycle(type, hosts);
  const check = (more: object): Record<string, unknown> => {
    const connection = { host, privateKey, hostKey };
    const { inputs, problems } = lifecycle.check({ ...more, connection, owner: "shop/test/web" });
    expect(problems).toEqual([]);
    return inputs;
  };
  return { lifecycle, check, inputs: check(args) };
}

const rule = (more: object = {}) => ({
  chain: "input",
  match: { destinations: [vip], ports: [80] },
  onDelete: "drain",
  ...more,
});

/** Connections that go on for some seconds; gives how many bytes each received in the end. */
const downloads = (count: number, seconds: number) =>
  lab
    .client(
      `${`curl -s -N -m ${(seconds + 4).toString()} 'http://${vip}/drip?seconds=${seconds.toString()}' | wc -c & `.repeat(count)} wait`,
      seconds + 30,
    )
    .then(({ stdout }) => stdout.trim().split("\n").map(Number));

const page = async () => (await lab.client(`curl -s -m 5 http://${vip}/id`)).stdout;
const seconds = (n: number) => new Promise((done) => setTimeout(done, n * 1000));

test("ten downloads end while the rule goes; new clients are served meanwhile, and then nothing is left", async () => {
  const { lifecycle, inputs } = declare(SYNPROXY_RULE, rule());
  const { id } = await lifecycle.create(inputs);
  const running = downloads(10, 6);
  await seconds(1.5);
  let gone = false;
  const leaving = lifecycle.delete(id, inputs).then(() => (gone = true));
  await seconds(1.5);
  expect(gone).toBe(false);
  expect((await lab.exec(1, "nft list map inet lbshield prerouting4")).stdout).not.toContain("elements");
  expect(await page()).toMatch(/\S/);
  await leaving;
  const received = await running;
  expect(received).toEqual(Array(10).fill(received[0]));
  expect(received[0]).toBeGreaterThan(100);
  expect(told.join("\n")).toMatch(/status: draining: 10 connections open, \d+ s at most/);
});

test("what does not end in time is not waited for", async () => {
  const { lifecycle, inputs } = declare(SYNPROXY_RULE, rule({ drainTimeout: 2 }));
  const { id } = await lifecycle.create(inputs);
  const running = downloads(2, 8);
  await seconds(1);
  await lifecycle.delete(id, inputs);
  expect(told.at(-1)).toBe("warning: 2 connections still open after 2 s: they are not waited for");
  await running;
});

test("a drain that was cut off is gone on with, and one that is over is over", async () => {
  const { lifecycle, inputs } = declare(SYNPROXY_RULE, rule());
  const { id } = await lifecycle.create(inputs);
  const running = downloads(3, 6);
  await seconds(1);
  const cut = lifecycle.delete(id, inputs).catch((error: unknown) => String(error));
  await seconds(1);
  await hosts.close();
  expect(await cut).toMatch(/the run was ended|connection/);
  hosts = new Hosts(undefined, undefined, () => () => undefined);
  const again = new Lifecycle(SYNPROXY_RULE, hosts);
  await again.delete(id, inputs);
  const received = await running;
  expect(received).toEqual(Array(3).fill(received[0]));
  await again.delete(id, inputs);
});

test("a part that a LoadBalancer loses drains, beside the parts that stay", async () => {
  const parts = { web: rule(), api: rule({ match: { destinations: [lab.host(1).vip(101)], ports: [80] } }) };
  const { lifecycle, check, inputs } = declare(LOAD_BALANCER, { synproxyRules: parts });
  const { id } = await lifecycle.create(inputs);
  const running = downloads(5, 5);
  await seconds(1);
  const next = check({ synproxyRules: { api: parts.api } });
  await lifecycle.update(id, inputs, next);
  const received = await running;
  expect(received).toEqual(Array(5).fill(received[0]));
  const { stdout } = await lab.exec(1, "nft list table inet lbshield");
  expect(stdout).toContain("synproxy.api.");
  expect(stdout).not.toContain("synproxy.web.");
  await lifecycle.delete(id, next);
});

test("a host without conntrack(8): an error before anything is changed", async () => {
  const { lifecycle, inputs } = declare(SYNPROXY_RULE, rule());
  const { id } = await lifecycle.create(inputs);
  const tool = (await lab.exec(1, "command -v conntrack")).stdout.trim();
  await lab.exec(1, `mv ${tool} ${tool}.away`);
  const refused = await lifecycle.delete(id, inputs).catch((error: unknown) => String(error));
  await lab.exec(1, `mv ${tool}.away ${tool}`);
  expect(refused).toMatch(/conntrack: not found[\s\S]*nothing was changed[\s\S]*install conntrack/);
  expect(await page()).toMatch(/\S/);
  await lifecycle.delete(id, inputs);
});

test("an address that is not the host's own, on chain input, and one that is, on forward: a warning each", async () => {
  const own = declare(SYNPROXY_RULE, { chain: "forward", match: { destinations: [vip], ports: [8081] } });
  const { id } = await own.lifecycle.create(own.inputs);
  expect(told).toEqual([
    `warning: SynproxyRule web (shop/test): ${vip} is one of this host's addresses, so its packets do not reach chain forward: use chain input`,
  ]);
  told.length = 0;
  const foreign = own.check({
    chain: "input",
    match: { destinations: [vip, "198.51.100.77", "127.0.0.9"], ports: [80] },
  });
  await own.lifecycle.update(id, own.inputs, foreign);
  expect(told).toEqual([
    "warning: SynproxyRule web (shop/test): 198.51.100.77 is not one of this host's addresses, so its packets do not reach chain input: add it, or use chain forward",
  ]);
  await own.lifecycle.delete(id, foreign);
});

test("a policy rule that would catch the proxy's own SYN: a warning", async () => {
  await lab.exec(1, "ip rule add fwmark 0x10000000/0x30000000 table 77; ip rule add fwmark 0x1/0xff table 77");
  const { lifecycle, inputs } = declare(SYNPROXY_RULE, rule());
  const { id } = await lifecycle.create(inputs);
  expect(told).toEqual([
    expect.stringMatching(
      /^warning: the policy rule "[0-9]+:\s+from all fwmark 0x10000000\/0x30000000 lookup 77" catches/,
    ),
  ]);
  await lifecycle.delete(id, inputs);
  await lab.exec(1, "ip rule del fwmark 0x10000000/0x30000000 table 77; ip rule del fwmark 0x1/0xff table 77");
});
