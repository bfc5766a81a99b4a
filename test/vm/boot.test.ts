/** What was last confirmed is what boots: on a real machine, with systemd, by a real restart and by pulling its plug. */
import { setTimeout as sleep } from "node:timers/promises";

import { type Declaration, desiredLines } from "../../provider/engine/desired";
import { observedLines } from "../../provider/engine/observed";
import { HostSession } from "../../provider/engine/session";
import { openSsh } from "../../provider/host/ssh";
import { kernelModule } from "../../provider/kernel/module/module";
import { type KernelObject, own, shared } from "../../provider/kernel/object";
import { CONNTRACK_TUNING } from "../../provider/resources/conntrack-tuning";
import { LAYOUT } from "../../provider/resources/layout";
import { ownPrefix } from "../../provider/resources/owner";
import { type ResourceType } from "../../provider/resources/resource";
import { SYNPROXY_RULE } from "../../provider/resources/synproxy-rule";
import { VmLab } from "../support/vm";

let lab: VmLab;
let session: HostSession;
let before: string;
const began = Date.now();

beforeAll(async () => {
  lab = await VmLab.up("vmbt", "10.73");
  // An operator's own files, which say other things than we do.
  await lab.exec(
    1,
    `modprobe nf_conntrack; modprobe ip_vs
printf 'net.netfilter.nf_conntrack_tcp_loose = 1\\nnet.ipv4.tcp_syncookies = 0\\n' >/etc/sysctl.d/90-operator.conf
printf '#!/usr/sbin/nft -f\\nflush ruleset\\ntable inet operator { chain input { type filter hook input priority 0; ct state invalid counter drop; }; }\\n' >/etc/nftables.conf
systemctl enable nftables; systemctl restart nftables systemd-sysctl`,
  );
  before = await lab.fingerprint(1);
}, 900_000);

afterAll(async () => {
  process.stdout.write(`  restarts took ${((Date.now() - began) / 1000).toFixed(0)} s\n`);
  await lab.down();
});

beforeEach(() => {
  session = new HostSession(open, LAYOUT);
});

afterEach(() => session.close());

function open() {
  const { address, user, hostKey, privateKey } = lab.host(1);
  const credentials = [{ from: "the test", privateKey }];
  return openSsh([{ host: address, port: 22, user, hostKey, credentials, dialErrorLimit: 20, perDialTimeout: 5 }]);
}

function declare(type: ResourceType, name: string, args: object, objects: readonly KernelObject[] = []): Declaration {
  const full = `${type.kind}/shop/test/${name}`;
  const compiled = type.compile(ownPrefix(full), type.model.parse(args));
  const more = objects.map((o) => (o.kind === "module" ? shared(o) : own(o)));
  return { name: full, label: `${type.type} ${name}`, ...compiled, wanted: [...compiled.wanted, ...more] };
}

const web = (mss = 1400): Declaration =>
  declare(
    SYNPROXY_RULE,
    "web",
    {
      chain: "forward",
      match: { destinations: [lab.host(1).vip(130)], ports: [80, "8000-8080"] },
      options: { mss },
      connectionLimit: { max: 1000, per: "source" },
      denySources: ["scanners"],
    },
    [
      kernelModule("ip_vs"),
      {
        kind: "ipvs-service",
        protocol: "tcp",
        address: "192.0.2.10",
        port: 443,
        scheduler: "wrr",
        flags: [],
        onePacket: false,
      },
    ],
  );

const tuning = (): Declaration =>
  declare(CONNTRACK_TUNING, "conntrack", {
    max: 65536,
    buckets: 32768,
    tcpLoose: false,
    timeouts: { tcpEstablished: "2d", udp: 44 },
    interfaces: { all: { rpFilter: "loose" } },
  });

const put = (d: Declaration) => session.change({ put: d }, { care: { guard: "never", confirmWithin: 60 } });
const remove = (d: Declaration) => session.change({ remove: d }, { care: { guard: "never", confirmWithin: 60 } });

async function expectInPlace(...declared: Declaration[]): Promise<void> {
  const reader = new HostSession(open, LAYOUT);
  for (const d of declared) expect(observedLines(d, await reader.read(d.wanted), LAYOUT)).toEqual(desiredLines(d));
  await reader.close();
}

const page = async () => (await lab.client(`curl -s -m 10 http://${lab.host(1).vip(130)}/id`)).stdout;

test("after a restart all is there, before sshd answers and without any controller", async () => {
  await put(web());
  await put(tuning());
  await expectInPlace(web(), tuning());
  await session.close();
  await lab.reboot(1);
  const { stdout } = await lab.exec(
    1,
    `for unit in lbshield.service ssh.service; do systemctl show -p ActiveEnterTimestampMonotonic --value $unit; done; systemctl is-failed lbshield.service lbshield-late.service; journalctl -b -q -u lbshield.service -u lbshield-late.service | grep "]: lbshield: "`,
  );
  const [restored, sshd] = stdout.trim().split("\n").map(Number);
  expect(restored).toBeGreaterThan(0);
  expect(restored).toBeLessThan(sshd ?? 0);
  expect(stdout).not.toMatch(/failed|lbshield: /);
  expect(await page()).toMatch(/\S/);
  await expectInPlace(web(), tuning());
}, 300_000);

test.each([
  "systemctl restart nftables",
  "systemctl reload nftables",
  "systemctl restart systemd-sysctl",
  "systemctl stop nftables; systemctl start nftables",
])("%s: ours is back when the command returns", async (command) => {
  expect(await lab.exec(1, command, 120)).toMatchObject({ code: 0 });
  await expectInPlace(web(), tuning());
  expect(await page()).toMatch(/\S/);
});

test("what would be lost at the next restart is drift, and mended", async () => {
  await lab.exec(1, "rm /etc/systemd/system/sysinit.target.wants/lbshield.service; echo >>/var/lib/lbshield/restore");
  const reader = new HostSession(open, LAYOUT);
  const lines = observedLines(web(), await reader.read(web().wanted), LAYOUT);
  expect(lines.nft?.["after a restart"]).toMatch(
    /^lost: \/var\/lib\/lbshield\/restore is not as it was written; .*sysinit\.target\.wants\/lbshield\.service is missing$/,
  );
  await reader.close();
  await put(web());
  await expectInPlace(web(), tuning());
});

const CUTS = process.env.LBSHIELD_FAULTS === "all" ? 20 : 3;

test(`the plug is pulled ${CUTS.toString()} times in the middle of a change: what boots is whole, the old or the new`, async () => {
  let current = 1400;
  for (let i = 0; i < CUTS; i++) {
    await session.close();
    session = new HostSession(open, LAYOUT);
    await session.read([]);
    const next = 1401 + i;
    const change = put(web(next)).then(
      () => "kept",
      () => "lost",
    );
    // Over the whole length of a change and of what follows it.
    await sleep((1500 * (i + 0.5)) / CUTS);
    await lab.reset(1);
    await session.close();
    const outcome = await Promise.race([change, sleep(1000, "lost")]);
    const reader = new HostSession(open, LAYOUT);
    const [old, fresh] = [web(current), web(next)];
    const lines = observedLines(old, await reader.read(old.wanted), LAYOUT);
    await reader.close();
    const text = JSON.stringify(lines);
    const isNew = text === JSON.stringify(desiredLines(fresh));
    if (!isNew) expect(lines).toEqual(desiredLines(old));
    // What was confirmed to us stands.
    if (outcome === "kept") expect(isNew).toBe(true);
    if (isNew) current = next;
    await expectInPlace(tuning());
  }
}, 1_800_000);

test("with the last resource everything is gone, at the next restart as well", async () => {
  await remove(web());
  await remove(tuning());
  await session.close();
  await lab.exec(1, "modprobe ip_vs");
  expect(await lab.fingerprint(1)).toBe(before);
  await lab.reboot(1);
  const { stdout } = await lab.exec(
    1,
    "systemctl list-unit-files 'lbshield*' --no-legend; nft list tables; ls /var/lib",
  );
  expect(stdout).not.toContain("lbshield");
}, 300_000);
