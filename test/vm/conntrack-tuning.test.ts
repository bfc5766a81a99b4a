/** The sizes of the connection table belong to the whole machine: only a machine of our own may change them. */
import { type Declaration, type Layout, desiredLines } from "../../provider/engine/desired";
import { observedLines } from "../../provider/engine/observed";
import { HostSession } from "../../provider/engine/session";
import { type Shell } from "../../provider/host/shell";
import { openSsh } from "../../provider/host/ssh";
import { CONNTRACK_TUNING } from "../../provider/resources/conntrack-tuning";
import { type ConntrackTuningArgs, conntrackTuning } from "../../provider/resources/conntrack-tuning/model";
import { VmLab } from "../support/vm";

/** Values need no table. */
const NO_LAYOUT: Layout = { objectsFor: () => [], needsOf: () => [] };

let lab: VmLab;
let session: HostSession;

beforeAll(async () => {
  lab = await VmLab.up("vmct", "10.78");
}, 900_000);

afterAll(async () => {
  await lab.down();
});

beforeEach(() => {
  session = new HostSession(open, NO_LAYOUT);
});

afterEach(() => session.close());

function open(): Promise<Shell> {
  const { address, hostKey, privateKey } = lab.host(1);
  const credentials = [{ from: "the test", privateKey }];
  return openSsh([
    { host: address, port: 22, user: "root", hostKey, credentials, dialErrorLimit: -1, perDialTimeout: 5 },
  ]);
}

const NAME = "conntrack/acme/prod/one";

const declare = (args: ConntrackTuningArgs): Declaration => ({
  name: NAME,
  label: "ConntrackTuning one",
  ...CONNTRACK_TUNING.compile(`${NAME}/`, conntrackTuning.parse(args)),
});

const care = { guard: "never", confirmWithin: 60 } as const;
const put = (args: ConntrackTuningArgs) => session.change({ put: declare(args) }, { care });
const remove = () => session.change({ remove: declare({ sack: true }) }, { care });
const cat = async (path: string) => (await lab.exec(1, `cat ${path}`)).stdout.trim();
const netfilter = (key: string) => cat(`/proc/sys/net/netfilter/nf_conntrack_${key}`);
const HASHSIZE = "/sys/module/nf_conntrack/parameters/hashsize";

/** All that a ConntrackTuning may touch. */
const everything = async () =>
  (
    await lab.exec(
      1,
      "grep -rs . /proc/sys/net/netfilter /proc/sys/net/ipv4 /proc/sys/net/core /sys/module/*/parameters | grep -Ev 'nf_conntrack_count|fastopen_key|ehash_entries'",
    )
  ).stdout;

async function expectInPlace(args: ConntrackTuningArgs): Promise<void> {
  const d = declare(args);
  const reader = new HostSession(open, NO_LAYOUT);
  const seen = await reader.read(d.wanted);
  await reader.close();
  expect(observedLines(d, seen, NO_LAYOUT)).toEqual(desiredLines(d));
  const model = conntrackTuning.parse(args);
  expect(CONNTRACK_TUNING.decompile(`${NAME}/`, seen, model)).toMatchObject(model);
}

test("the module is loaded for the first change; the sizes are written, read back, and given back", async () => {
  expect(await cat("/proc/modules")).not.toMatch(/^nf_conntrack /m);
  const args: ConntrackTuningArgs = { max: "128Ki", buckets: "64Ki", expectMax: 1000, tcpLoose: false };
  expect((await put(args)).changed).toBe(true);
  expect([await netfilter("max"), await netfilter("buckets"), await cat(HASHSIZE)]).toEqual([
    "131072",
    "65536",
    "65536",
  ]);
  await expectInPlace(args);
  expect((await put(args)).changed).toBe(false);
  await remove();
  expect(await netfilter("tcp_loose")).toBe("1");
  expect(await netfilter("buckets")).toBe("2048");
});

test("every buckets that a program may write is what the kernel makes of it", async () => {
  const before = await everything();
  for (const buckets of [1, 4097, 100_000]) {
    await put({ buckets });
    await expectInPlace({ buckets });
    expect((await put({ buckets })).changed).toBe(false);
    expect(await netfilter("max")).toMatch(/^(2048|4096)$/);
  }
  await remove();
  expect(await everything()).toBe(before);
});

test("a kernel that rounds to larger pages is neither a failure nor drift", async () => {
  const before = await everything();
  await put({ buckets: 1000 });
  await lab.exec(1, `echo 8192 >${HASHSIZE}`);
  await expectInPlace({ buckets: 1000 });
  expect((await put({ buckets: 1000 })).changed).toBe(false);
  await remove();
  expect(await everything()).toBe(before);
});

test("a budget becomes both sizes", async () => {
  const before = await everything();
  await put({ memoryBudget: "16Mi" });
  expect([await netfilter("max"), await netfilter("buckets")]).toEqual(["56320", "56320"]);
  await expectInPlace({ memoryBudget: "16Mi" });
  await remove();
  expect(await everything()).toBe(before);
});

test.each<[ConntrackTuningArgs, RegExp]>([
  [
    { max: "8Mi", buckets: "1Mi", tcpLoose: false },
    /nf_conntrack_max: 8388608 entries of 288 bytes and 1048576 buckets of 8 bytes take 2312 MiB, more than three quarters of the [0-9]+ MiB of memory that the host has\n.*undone, the host is as it was\n.*lower max/,
  ],
  // Written, it would take the machine down.
  [{ buckets: "128Mi", tcpLoose: false }, /nf_conntrack_buckets: 134217728 buckets of 8 bytes take 1024 MiB/],
])("%j is more than the host has: refused with the arithmetic, and nothing is changed", async (args, expected) => {
  const before = await everything();
  await expect(put(args)).rejects.toThrow(expected);
  expect(await everything()).toBe(before);
});

test("parameters of modules, one that is not loaded yet too", async () => {
  expect(await cat("/proc/modules")).not.toMatch(/^ip_vs_mh /m);
  const args: ConntrackTuningArgs = { modules: { nf_conntrack: { acct: true, tstamp: "Y" }, ip_vs_mh: {} } };
  await put(args);
  expect(await cat("/proc/modules")).toMatch(/^ip_vs_mh /m);
  expect(await cat("/sys/module/nf_conntrack/parameters/acct")).toBe("Y");
  await expectInPlace(args);
  await remove();
  expect(await cat("/sys/module/nf_conntrack/parameters/acct")).toBe("N");
});

test.each<[string, ConntrackTuningArgs, RegExp]>([
  [
    "a parameter that is read at loading only",
    { modules: { nf_conntrack: { expect_hashsize: 1024 } } },
    /expect_hashsize: Permission denied\n.*undone, the host is as it was\n.*modprobe\.d/,
  ],
  ["a module that is not there", { modules: { nf_nothing: {} } }, /module nf_nothing: .*not found in directory/],
  [
    "a parameter of a module that is not there",
    { modules: { nf_nothing: { a: 1 } } },
    /\/sys\/module\/nf_nothing\/parameters\/a does not exist on this host\n.*nothing was changed\n.*modprobe nf_nothing/,
  ],
  ["a key that is gone from this kernel", { helper: false }, /nf_conntrack_helper does not exist on this host/],
])("%s is named, and nothing is changed", async (_name, args, expected) => {
  const before = await everything();
  await expect(put({ tcpLoose: false, ...args })).rejects.toThrow(expected);
  expect(await everything()).toBe(before);
});

test("every other value, in one go", async () => {
  const before = await everything();
  const args: ConntrackTuningArgs = {
    expectMax: 77,
    tcpIgnoreInvalidRst: true,
    tcpMaxRetrans: 5,
    dccpLoose: false,
    accounting: true,
    flowTimestamps: true,
    events: true,
    checksum: false,
    logInvalid: "udplite",
    sack: false,
    ecn: true,
    windowScaling: false,
    maxSynBacklog: "4Ki",
    somaxconn: 65_535,
    synackRetries: 2,
    ipForward: true,
    ipNonlocalBind: true,
    interfaces: { all: { rpFilter: "off" }, eth1: { rpFilter: "loose", sendRedirects: false, arpAnnounce: 2 } },
    timeouts: { dccpOpen: "1h", frag6: "30s", flowtableTcp: "1m", flowtableUdp: "1m", tcpEstablished: "24d" },
    extra: { "net.core.netdev_max_backlog": 5000, "net.ipv4.ip_local_port_range": "10000 60999" },
  };
  await put(args);
  await expectInPlace(args);
  expect((await put(args)).changed).toBe(false);
  await remove();
  expect(await everything()).toBe(before);
});
