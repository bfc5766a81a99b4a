/** The virtual machines themselves: what tests that use them take for granted. */
import { VmLab } from "../support/vm";

let lab: VmLab;

/** Says how long it took: nobody waits for a virtual machine without asking why. */
async function timed<T>(what: string, work: Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work;
  console.log(`${what}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

beforeAll(async () => {
  lab = await timed("up", VmLab.up("vm", "10.80"));
}, 900_000);

afterAll(async () => {
  await lab.down();
});

const inside = async (command: string) => (await lab.exec(1, command)).stdout.trim();
const bootId = () => inside("cat /proc/sys/kernel/random/boot_id");
const page = () => lab.client(`curl -s -m 3 http://${lab.host(1).vip(130)}/id`);

test("looking at a host that nobody has touched loads no module, and shows the same twice", async () => {
  const before = await inside("cut -d' ' -f1 /proc/modules");
  const first = await lab.fingerprint(1);
  expect(first).toContain("## ip -4 route show table all\ndefault via 10.80.1.66 dev eth1");
  expect(await lab.fingerprint(1)).toBe(first);
  expect(await inside("cut -d' ' -f1 /proc/modules")).toBe(before);
  expect(before).not.toMatch(/nf_tables|ip_vs|nf_conntrack/);
});

test("SSH verifies the host's own key, and knows root, ops and guest", async () => {
  const { address, hostKey } = lab.host(1);
  expect((await lab.client(`ssh-keyscan -t ed25519 ${address} 2>/dev/null`)).stdout).toBe(`${address} ${hostKey}\n`);
  expect(await lab.ssh(1, "id -un; hostname")).toMatchObject({ code: 0, stdout: "root\nh1\n" });
  expect(await lab.ssh(1, "sudo -n id -un", "ops")).toMatchObject({ code: 0, stdout: "root\n" });
  expect(await lab.ssh(1, "id -un; sudo -n true", "guest")).toMatchObject({ code: 1, stdout: "guest\n" });
});

test("a client reaches the web server through the host, over IPv4 and IPv6", async () => {
  expect(await page()).toMatchObject({ code: 0, stdout: "backend\n" });
  const { stdout } = await lab.client(`curl -s -m 3 "http://[${lab.host(1).vip6(130)}]/id"`);
  expect(stdout).toBe("backend\n");
});

test("its kernel has IPVS, the SYN proxy, VLANs and dummy devices", async () => {
  expect(await inside("modprobe ip_vs && ipvsadm -Ln")).toMatch(/^IP Virtual Server version/);
  const rule = "tcp dport 80 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm";
  expect(
    await lab.exec(1, `nft 'table ip t { chain c { type filter hook input priority 0; ${rule}; }; }'`),
  ).toMatchObject({ code: 0 });
  expect(await inside("cut -d' ' -f1 /proc/modules")).toMatch(/^nft_synproxy$/m);
  const links =
    "ip link add link eth1 name eth1.5 type vlan id 5 && ip link add d0 type dummy && ip link del eth1.5 && ip link del d0";
  expect(await lab.exec(1, links)).toMatchObject({ code: 0 });
  expect(await inside("conntrack -L; ipvsadm -Sn; nft delete table ip t; echo done")).toBe("done");
});

test("fingerprints show what the provider may leave", async () => {
  const before = await lab.fingerprint(1);
  const files = ["/etc/systemd/system/lbshield-x.service", "/etc/sysctl.d/90-x.conf", "/etc/modules-load.d/x.conf"];
  const others = ["/var/lib/lbshield/x", "/run/lbshield.x/x"];
  const all = [...files, ...others].join(" ");
  await lab.exec(1, `mkdir -p /var/lib/lbshield /run/lbshield.x && touch ${all}`);
  await lab.exec(
    1,
    "echo '#' >>/etc/nftables.conf; ip rule add fwmark 7 table 77; ip route add local 0/0 dev lo table 77",
  );
  await lab.exec(1, "ipvsadm -A -t 10.80.1.100:80 -s rr");
  const after = await lab.fingerprint(1);
  for (const file of [...files, ...others]) expect(after).toContain(`'${file}'`);
  expect(after).toMatch(/^-A -t 10\.80\.1\.100:80 -s rr/m);
  expect(after).toMatch(/fwmark 0x7 lookup 77/);
  expect(after).toMatch(/^local default dev lo table 77/m);
  await lab.exec(1, "ipvsadm -C; ip rule del table 77; ip route flush table 77; sed -i '$d' /etc/nftables.conf");
  await lab.exec(1, `rm ${all} && rmdir /var/lib/lbshield /run/lbshield.x`);
  expect(await lab.fingerprint(1)).toBe(before);
});

test("a command inside needs no network: its streams, its status, its time", async () => {
  await lab.exec(1, "nft 'table ip cut { chain input { type filter hook input priority 0; tcp dport 22 drop; }; }'");
  expect(await lab.exec(1, "echo out; echo err >&2; exit 3")).toEqual({ code: 3, stdout: "out\n", stderr: "err\n" });
  expect((await lab.exec(1, "head -c 3000000 /dev/zero | base64 -w 0")).stdout).toHaveLength(4_000_000);
  const [slow, quick] = await Promise.all([lab.exec(1, "sleep 3; date +%s%N"), lab.exec(1, "date +%s%N")]);
  expect(Number(quick.stdout)).toBeLessThan(Number(slow.stdout));
  await expect(lab.exec(1, "sleep 60", 2)).rejects.toThrow(/not done after 2 s/);
  expect((await lab.ssh(1, "true")).code).not.toBe(0);
  await lab.exec(1, "nft delete table ip cut");
  expect((await lab.ssh(1, "true")).code).toBe(0);
});

test("a machine that is held answers nobody, and goes on where it was", async () => {
  const boot = await bootId();
  await lab.stop(1);
  expect((await page()).code).not.toBe(0);
  await lab.cont(1);
  expect((await page()).code).toBe(0);
  expect(await bootId()).toBe(boot);
});

test("a reboot is one: another boot, with nothing in the kernel, and every file", async () => {
  const boot = await bootId();
  await lab.exec(1, "echo kept >/var/lib/kept; nft add table ip gone; modprobe ip_vs");
  await timed("reboot", lab.reboot(1));
  expect(await bootId()).not.toBe(boot);
  expect(await inside("cat /var/lib/kept; nft list tables; cat /proc/net/ip_vs 2>&1")).toMatch(
    /^kept\ncat: .*No such file/,
  );
  expect(await lab.ssh(1, "true")).toMatchObject({ code: 0 });
  expect((await page()).stdout).toBe("backend\n");
}, 400_000);

test("a power cut keeps what was synced, and nothing else", async () => {
  const boot = await bootId();
  await inside("cd /var/lib && echo synced >s.new && sync s.new && mv s.new s && sync . && echo unsynced >u");
  await timed("reset", lab.reset(1));
  expect(await bootId()).not.toBe(boot);
  expect(await inside("cat /var/lib/s /var/lib/u 2>/dev/null")).toBe("synced");
  expect(await inside("cat /var/lib/kept")).toBe("kept");
  expect(await lab.ssh(1, "true")).toMatchObject({ code: 0 });
  expect((await page()).stdout).toBe("backend\n");
}, 400_000);
