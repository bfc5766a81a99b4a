/** What only a real machine has: IPVS, systemd, a reboot and a power cut in the middle of a change. */
import fc from "fast-check";

import { type Declaration, desiredLines } from "../../provider/engine/desired";
import { observedLines } from "../../provider/engine/observed";
import { HostSession } from "../../provider/engine/session";
import { type Care } from "../../provider/engine/transaction";
import { type Shell } from "../../provider/host/shell";
import { openSsh } from "../../provider/host/ssh";
import { kernelModule } from "../../provider/kernel/module/module";
import { type KernelObject, own, shared } from "../../provider/kernel/object";
import { sysctl } from "../../provider/kernel/sysctl/sysctl";
import { LAYOUT } from "../../provider/resources/layout";
import { SYNPROXY_RULE } from "../../provider/resources/synproxy-rule";
import { ipvsState } from "../support/arbitrary-ipvs";
import { VmLab } from "../support/vm";

let lab: VmLab;
let session: HostSession;
/** Is done before the host is asked to confirm. */
let beforeConfirm: (() => Promise<unknown>) | undefined;
let user = "root";

const CARE: Care = { guard: "never", confirmWithin: 60 };

beforeAll(async () => {
  lab = await VmLab.up("vmtx", "10.79");
  await lab.exec(1, "for m in ip_vs ip_vs_lblc ip_vs_lblcr nf_conntrack; do modprobe $m; done");
}, 900_000);

afterAll(async () => {
  await lab.down();
});

beforeEach(() => {
  beforeConfirm = undefined;
  user = "root";
  session = new HostSession(open, LAYOUT);
});

afterEach(() => session.close());

async function open(): Promise<Shell> {
  const { address, hostKey, privateKey } = lab.host(1);
  const credentials = [{ from: "the test", privateKey }];
  const shell = await openSsh([
    { host: address, port: 22, user, hostKey, credentials, dialErrorLimit: -1, perDialTimeout: 5 },
  ]);
  return {
    host: shell.host,
    get alive() {
      return shell.alive;
    },
    run: async (script, what, seconds) => {
      if (what === "confirm") await beforeConfirm?.();
      return shell.run(script, what, seconds);
    },
    close: () => {
      shell.close();
    },
  };
}

const NAME = "synproxy/shop/test/web";

function declare(objects: readonly KernelObject[]): Declaration {
  const match = { destinations: [lab.host(1).vip()], ports: [80] };
  const { needs, wanted } = SYNPROXY_RULE.compile(`${NAME}/`, SYNPROXY_RULE.model.parse({ chain: "input", match }));
  const more = objects.map((o) => (o.kind === "sysctl" || o.kind === "module" ? shared(o) : own(o)));
  return { name: NAME, label: "SynproxyRule web (shop/test)", needs, wanted: [...wanted, ...more] };
}

const put = (d: Declaration) => session.change({ put: d }, { care: CARE });
const remove = (d: Declaration) => session.change({ remove: d }, { care: CARE });

async function expectInPlace(d: Declaration): Promise<void> {
  const reader = new HostSession(open, LAYOUT);
  expect(observedLines(d, await reader.read(d.wanted), LAYOUT)).toEqual(desiredLines(d));
  await reader.close();
}

const IPVS = [kernelModule("ip_vs"), sysctl("net.ipv4.vs.conntrack", 1)];

test("nft, values, modules and IPVS change together, over generated states, and go together", async () => {
  const before = await lab.fingerprint(1);
  await fc.assert(
    fc.asyncProperty(ipvsState, ipvsState, async (a, b) => {
      for (const state of [a, b]) {
        const d = declare([...IPVS, ...state]);
        await put(d);
        await expectInPlace(d);
        expect((await put(d)).changed).toBe(false);
      }
      await remove(declare([]));
      await session.close();
      expect(await lab.fingerprint(1)).toBe(before);
      session = new HostSession(open, LAYOUT);
    }),
    { numRuns: 2, endOnFailure: true },
  );
}, 600_000);

test("what IPVS refuses, all undo; services of others are neither taken over nor changed", async () => {
  await lab.exec(1, "ipvsadm -A -t 192.0.2.9:80 -s rr");
  const before = await lab.fingerprint(1);
  const service = { kind: "ipvs-service", protocol: "tcp", address: lab.host(1).vip(), port: 80 } as const;
  const options = { scheduler: "nosuch", flags: [], onePacket: false } as const;
  await expect(put(declare([...IPVS, { ...service, ...options }]))).rejects.toThrow(/service tcp [^]*outcome: undone/);
  const theirs = { ...service, address: "192.0.2.9", scheduler: "wrr", flags: [], onePacket: false } as const;
  await expect(put(declare([...IPVS, theirs]))).rejects.toThrow(/is on the host already and is not ours/);
  await session.close();
  expect(await lab.fingerprint(1)).toBe(before);
  await lab.exec(1, "ipvsadm -C");
});

test("the guard is a unit of its own: it outlives a login that is ended with all its processes", async () => {
  const before = await lab.fingerprint(1);
  user = "ops";
  await lab.exec(
    1,
    "mkdir -p /run/systemd/logind.conf.d; printf '[Login]\\nKillUserProcesses=yes\\n' >/run/systemd/logind.conf.d/kill.conf; systemctl restart systemd-logind; :",
  );
  let units = "";
  beforeConfirm = async () => {
    beforeConfirm = undefined;
    units = (await lab.exec(1, "systemctl list-units --plain --no-legend 'lbshield-guard-*'")).stdout;
    await lab.exec(1, "loginctl terminate-user ops 2>/dev/null; pkill -9 -u ops; pkill -9 -f '[l]bshield-ready'; :");
  };
  await expect(put(declare([]))).rejects.toThrow(
    /outcome: undone by the host itself: shop\/test \(1 resource\): the connection (ended before|was lost)/,
  );
  expect(units).toMatch(/^lbshield-guard-\w+\.service loaded active running/);
  await session.close();
  await lab.exec(1, "sleep 2; rm -r /run/systemd/logind.conf.d; systemctl restart systemd-logind; :");
  expect(await lab.fingerprint(1)).toBe(before);
  expect((await lab.exec(1, "systemctl list-units --all --plain --no-legend 'lbshield*'")).stdout).toBe("");
});

test("a reboot between apply and confirm: the host is as it was last confirmed, and the error says so", async () => {
  beforeConfirm = async () => {
    beforeConfirm = undefined;
    await lab.reboot(1);
  };
  await expect(put(declare([]))).rejects.toThrow(/outcome: the change is gone with the host's restart/);
  expect(
    (await lab.exec(1, "nft list tables; ls /var/lib/lbshield /run/lbshield/*/open 2>/dev/null; :")).stdout,
  ).not.toContain("lbshield");
  expect((await put(declare([]))).changed).toBe(true);
  await expectInPlace(declare([]));
  await remove(declare([]));
}, 400_000);

test("a power cut right after the confirmation loses nothing that was confirmed", async () => {
  await put(declare([]));
  await lab.reset(1);
  const { stdout } = await lab.exec(1, "cut -f 1,2 /var/lib/lbshield/ledger");
  expect(stdout).toMatch(/^lbshield-ledger\t[0-9a-f]+\n[^]*record\tsynproxy\/shop\/test\/web\n/);
  // It is what has booted.
  expect((await put(declare([]))).changed).toBe(false);
  await expectInPlace(declare([]));
  await remove(declare([]));
  await session.close();
  expect((await lab.exec(1, "ls /var/lib/lbshield /run/lbshield 2>&1")).stdout).toMatch(
    /cannot access '\/var\/lib\/lbshield'/,
  );
}, 400_000);

test("a power cut before the confirmation leaves the ledger as it was", async () => {
  await put(declare([]));
  const ledger = (await lab.exec(1, "cat /var/lib/lbshield/ledger")).stdout;
  beforeConfirm = async () => {
    beforeConfirm = undefined;
    await lab.reset(1);
  };
  await expect(put(declare([sysctl("net.ipv4.tcp_max_syn_backlog", 777)]))).rejects.toThrow(/the host's restart/);
  expect((await lab.exec(1, "cat /var/lib/lbshield/ledger")).stdout).toBe(ledger);
  await put(declare([]));
  await remove(declare([]));
}, 400_000);
