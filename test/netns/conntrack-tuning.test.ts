/** What the kernel makes of a ConntrackTuning: what it refuses, and what it changes by itself. */
import { type Declaration, type Layout, desiredLines } from "../../provider/engine/desired";
import { observedLines } from "../../provider/engine/observed";
import { HostSession } from "../../provider/engine/session";
import { type Shell } from "../../provider/host/shell";
import { CONNTRACK_TUNING } from "../../provider/resources/conntrack-tuning";
import { type ConntrackTuningArgs } from "../../provider/resources/conntrack-tuning/model";
import { fingerprint, openNamespace } from "../support/namespace";

/** Values need no table. */
const NO_LAYOUT: Layout = { objectsFor: () => [], needsOf: () => [] };

let shell: Shell;
let session: HostSession;

beforeEach(async () => {
  shell = await openNamespace();
  session = new HostSession(() => Promise.resolve(shell), NO_LAYOUT);
  await session.read([]);
});

afterEach(() => session.close());

function declare(args: ConntrackTuningArgs, name = "one"): Declaration {
  const full = `conntrack/acme/prod/${name}`;
  const { compile, model } = CONNTRACK_TUNING;
  return { name: full, label: `ConntrackTuning ${name}`, ...compile(`${full}/`, model.parse(args)) };
}

const put = (args: ConntrackTuningArgs, name?: string) => session.change({ put: declare(args, name) });
const remove = (name?: string) => session.change({ remove: declare({ sack: true }, name) });
const cat = async (path: string) => (await shell.run(`cat /proc/sys/net/${path}`)).stdout.trim();
const write = async (path: string, value: number) => {
  expect(await shell.run(`echo ${value.toString()} >/proc/sys/net/${path}`)).toMatchObject({ code: 0, stderr: "" });
};

async function expectInPlace(args: ConntrackTuningArgs): Promise<void> {
  const d = declare(args);
  const reader = await session.read(d.wanted);
  expect(observedLines(d, reader, NO_LAYOUT)).toEqual(desiredLines(d));
}

describe("a value that cannot be set", () => {
  const LOOSE = "netfilter/nf_conntrack_tcp_loose";

  test.each([["max"], ["buckets"], ["expectMax"]] as const)(
    "is named with the reason and what to do, and nothing is changed: %s",
    async (property) => {
      const key = { max: "max", buckets: "buckets", expectMax: "expect_max" }[property];
      // They are the machine's own: a kernel that would let us write them from here must not be asked to.
      expect(await shell.run(`[ ! -w /proc/sys/net/netfilter/nf_conntrack_${key} ]`)).toMatchObject({ code: 0 });
      const before = await fingerprint(shell);
      const [one, other] = await Promise.allSettled([
        put({ sack: false, tcpLoose: false, [property]: 65_536 }),
        put({ accounting: true }, "other"),
      ]);
      expect(one).toMatchObject({ status: "rejected" });
      expect(String((one as PromiseRejectedResult).reason)).toBe(
        `HostError: apply ConntrackTuning one on testhost: net.netfilter.nf_conntrack_${key}: Permission denied\n` +
          "  outcome: undone, the host is as it was\n" +
          "  to do:   the value is read-only here: in a container or network namespace it belongs to the machine outside. Set it there, and leave it out here",
      );
      expect(other.status).toBe("fulfilled");
      expect(await cat("netfilter/nf_conntrack_acct")).toBe("1");
      await remove("other");
      expect(await fingerprint(shell)).toBe(before);
    },
  );

  test.each<[string, ConntrackTuningArgs, RegExp]>([
    [
      "a key that the host does not have",
      { extra: { "net.netfilter.nf_conntrack_nothing": 1 } },
      /nf_conntrack_nothing does not exist on this host\n.*nothing was changed\n.*nf_conntrack/,
    ],
    [
      "an interface that is not there",
      { interfaces: { "eth7.100": { rpFilter: "loose" } } },
      /net\.ipv4\.conf\.eth7\/100\.rp_filter does not exist on this host\n.*nothing was changed\n.*an interface eth7\.100/,
    ],
    [
      "a value that the kernel refuses",
      { extra: { "net.ipv4.ip_default_ttl": 0 } },
      /net\.ipv4\.ip_default_ttl: Invalid argument\n.*undone, the host is as it was\n.*range/,
    ],
    [
      "one that it takes for another",
      { extra: { "net.ipv4.tcp_fin_timeout": "0x10" } },
      /net\.ipv4\.tcp_fin_timeout is 16, not 0x10\n.*undone, the host is as it was/,
    ],
    [
      "a module's parameter that is not there",
      { modules: { nf_conntrack: { nothing: 1 } } },
      /\/sys\/module\/nf_conntrack\/parameters\/nothing does not exist on this host\n.*nothing was changed\n.*modinfo/,
    ],
  ])("%s", async (_name, args, expected) => {
    const before = await fingerprint(shell);
    const [one, other] = await Promise.allSettled([put({ tcpLoose: false, ...args }), put({ ecn: true }, "other")]);
    expect(String((one as PromiseRejectedResult).reason)).toMatch(expected);
    expect(other.status).toBe("fulfilled");
    expect(await cat(LOOSE)).toBe("1");
    await remove("other");
    expect(await fingerprint(shell)).toBe(before);
  });

  test("that is there already needs no writing", async () => {
    const max = Number(await cat("netfilter/nf_conntrack_max"));
    expect((await put({ max, tcpLoose: false })).changed).toBe(true);
    await expectInPlace({ max, tcpLoose: false });
    await remove();
  });
});

describe("what the kernel changes by itself", () => {
  const rpFilter = async () =>
    Promise.all(["all", "default", "peer0", "eth0"].map((name) => cat(`ipv4/conf/${name}/rp_filter`)));

  test("default does not take an interface along that is to be as it is", async () => {
    await write("ipv4/conf/default/rp_filter", 1);
    expect(await rpFilter()).toEqual(["0", "1", "1", "1"]);
    const before = await fingerprint(shell);
    const args: ConntrackTuningArgs = {
      interfaces: { eth0: { rpFilter: "strict" }, default: { rpFilter: "loose" } },
    };
    await put(args);
    expect(await rpFilter()).toEqual(["0", "2", "2", "1"]);
    await expectInPlace(args);
    expect((await put(args)).changed).toBe(false);
    await remove();
    expect(await fingerprint(shell)).toBe(before);
  });

  test("forwarding takes all interfaces along, but those that are named otherwise", async () => {
    await write("ipv4/conf/all/accept_redirects", 0);
    const before = await fingerprint(shell);
    const args: ConntrackTuningArgs = { ipForward: true, interfaces: { eth0: { forwarding: false } } };
    await put(args);
    const forwarding = ["all", "default", "lo", "eth0"].map((name) => cat(`ipv4/conf/${name}/forwarding`));
    expect(await Promise.all(forwarding)).toEqual(["1", "1", "1", "0"]);
    await expectInPlace(args);
    await remove();
    expect(await fingerprint(shell)).toBe(before);
  });

  test("an undo takes all of it back", async () => {
    await write("ipv4/conf/all/accept_redirects", 0);
    await write("ipv4/conf/eth0/forwarding", 1);
    const before = await fingerprint(shell);
    const refused = put({
      ipForward: true,
      interfaces: { eth0: { forwarding: true }, default: { rpFilter: "loose" } },
      extra: { "net.ipv4.ip_default_ttl": 0 },
    });
    await expect(refused).rejects.toThrow("Invalid argument");
    expect(await fingerprint(shell)).toBe(before);
  });
});

test("what somebody writes by hand is seen as what it is, and repaired", async () => {
  const args: ConntrackTuningArgs = { events: "auto", somaxconn: "8Ki", interfaces: { lo: { arpIgnore: 1 } } };
  await put(args);
  await write("ipv4/conf/lo/arp_ignore", 2);
  await write("core/somaxconn", 128);
  const d = declare(args);
  const reader = new HostSession(() => Promise.resolve(shell), NO_LAYOUT);
  const seen = await reader.read(d.wanted);
  expect(CONNTRACK_TUNING.decompile(`${d.name}/`, seen, CONNTRACK_TUNING.model.parse(args))).toMatchObject({
    somaxconn: 128,
    interfaces: { lo: { arpIgnore: 2 } },
  });
  expect((await put(args)).changed).toBe(true);
  expect([await cat("ipv4/conf/lo/arp_ignore"), await cat("core/somaxconn")]).toEqual(["1", "8192"]);
});
