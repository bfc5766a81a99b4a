/** Laws 5 and 8: what cannot be is told clearly, and nothing is changed on the host. */
import { Lab, type LabHost } from "../support/lab";
import { Project, type Ran, connectionTo } from "../support/project";

let lab: Lab;
let project: Project;
let other: Project;
/** A good key that no host knows. */
let stranger: string;

beforeAll(async () => {
  lab = await Lab.up("flt", "10.93", 1);
  const env = { LBSHIELD_PRIVATE_KEY: lab.host(1).privateKey };
  project = await Project.create({ program: "", env });
  other = await Project.create({ program: "", env, name: "billing", stack: "prod" });
  stranger = (await lab.exec(1, "ssh-keygen -q -t ed25519 -N '' -f /root/stranger && cat /root/stranger")).stdout;
});

afterAll(async () => {
  project.remove();
  other.remove();
  await lab.down();
});

const rule = (args: { connection?: string; match?: string; options?: string; name?: string }) => `
new lbshield.SynproxyRule("${args.name ?? "web"}", {
  host: ${args.connection ?? connectionTo(lab.host(1))},
  chain: "input",
  match: ${args.match ?? `{ destinations: ["${lab.host(1).vip()}"], ports: [80] }`},
  options: ${args.options ?? "{}"},
} as never);`;

/** Connection arguments of the lab's host with some of them changed. */
const connection = (change: Partial<Record<keyof LabHost | "dialErrorLimit" | "perDialTimeout" | "host", unknown>>) => {
  const good = JSON.parse(connectionTo(lab.host(1))) as object;
  return JSON.stringify({ ...good, privateKey: lab.host(1).privateKey, dialErrorLimit: 1, ...change });
};

/** Runs a program that must fail, and shows that the host was left alone. */
async function refused(run: () => Promise<Ran>): Promise<string> {
  const before = await lab.fingerprint(1);
  const { code, text } = await run();
  expect(code).not.toBe(0);
  expect(await lab.fingerprint(1)).toBe(before);
  return text;
}

const BAD: readonly (readonly [string, "options" | "match", string, string])[] = [
  [
    "wscale 15",
    "options",
    "{ timestamp: true, wscale: 15 }",
    "options.wscale: 15: wscale is a whole number from 0 to 14",
  ],
  [
    "wscale 256",
    "options",
    "{ timestamp: true, wscale: 256 }",
    "options.wscale: 256: wscale is a whole number from 0 to 14",
  ],
  ["mss 70000", "options", "{ mss: 70000 }", "options.mss: 70000: mss is a whole number from 88 to 65495"],
  ["port 0", "match", '{ destinations: ["192.0.2.1"], ports: [0] }', "match.ports[0]: 0: a port is a whole number"],
  ["port 65536", "match", '{ destinations: ["192.0.2.1"], ports: [80, 65536] }', "match.ports[1]: 65536: a port is"],
  ['port "80-"', "match", '{ destinations: ["192.0.2.1"], ports: ["80-"] }', 'match.ports[0]: "80-": a port is'],
  [
    "host bits",
    "match",
    '{ destinations: ["2001:db8::1/64"], ports: [80] }',
    'match.destinations[0]: "2001:db8::1/64": has host bits: the network is 2001:db8::/64',
  ],
  [
    "interface of 16 characters",
    "match",
    '{ destinations: ["192.0.2.1"], ports: [80], interfaces: ["sixteen-letters0"] }',
    'match.interfaces[0]: "sixteen-letters0": is too long; the kernel takes interface names of at most 15 bytes',
  ],
  ["ecn", "options", "{ ecn: true }", "options.ecn: SYNPROXY in nftables cannot offer ECN"],
  ["wscale without timestamp", "options", "{ wscale: 7 }", "options.wscale: 7: wscale needs timestamp: true"],
];

test.each(BAD)("bad input, at preview: %s", async (_name, property, value, message) => {
  project.program(rule({ [property]: value }));
  expect(await refused(() => project.run("preview"))).toContain(message);
});

test("every problem of a resource is told at once", async () => {
  project.program(
    rule({ options: "{ mss: 1, wscale: 15, bananas: 3 }", match: '{ destinations: ["a"], ports: [0] }' }),
  );
  const text = await refused(() => project.run("preview"));
  for (const path of [
    "options.mss",
    "options.wscale",
    'options: has no property "bananas"',
    "match.destinations[0]",
    "match.ports[0]",
  ])
    expect(text).toContain(path);
});

test("the same destination and port declared twice in one program: at preview", async () => {
  project.program(
    rule({}) + rule({ name: "web2", match: `{ destinations: ["${lab.host(1).vip()}"], ports: [443, 80] }` }),
  );
  const text = await refused(() => project.run("preview"));
  expect(text).toMatch(/10\.93\.1\.100 port 80 is declared by SynproxyRule web2? \(shop\/test\) as well/);
});

test("tcpLoose beside a SYN proxy: at preview, both named", async () => {
  project.program(`${rule({})}
new lbshield.ConntrackTuning("conntrack", { host: ${connectionTo(lab.host(1))}, tcpLoose: true });`);
  const text = await refused(() => project.run("preview"));
  expect(text).toMatch(
    /nf_conntrack_tcp_loose should be [01], but (SynproxyRule web|ConntrackTuning conntrack) \(shop\/test\) wants/,
  );
});

describe("a host that cannot be reached", () => {
  const CASES: readonly (readonly [string, () => string, string[]])[] = [
    [
      "does not answer",
      () => connection({ host: "10.93.1.3", perDialTimeout: 2 }),
      ["connect on 10.93.1.3: no answer after 1 attempt"],
    ],
    [
      "has no sshd there",
      () => connection({ port: 2222 }),
      ["connect on 10.93.1.2:2222: no answer after 1 attempt", "ECONNREFUSED"],
    ],
    [
      "has an unknown key",
      () => connection({ hostKey: undefined }),
      [
        "its host key is not known: ssh-ed25519 SHA256:",
        "to do:",
        "known_hosts",
        'connection.hostKey to "ssh-ed25519 AAAA',
      ],
    ],
    [
      "has another key",
      () => connection({ hostKey: "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }),
      ["its host key is ssh-ed25519 SHA256:", "not the hostKey that was given"],
    ],
    [
      "does not know the user's key",
      () => connection({ user: "root", privateKey: stranger }),
      ["root was not let in: the host accepted none of the private key of the connection"],
    ],
    [
      "gives the user no root",
      () => connection({ user: "guest" }),
      ["start a root shell on 10.93.1.2", "sudo", "NOPASSWD"],
    ],
  ];
  test.each(CASES)("%s", async (_name, target, messages) => {
    project.program(rule({ connection: target() }));
    const text = await refused(() => project.runWith({ LBSHIELD_PRIVATE_KEY: "" }, "up", "--yes", "--skip-preview"));
    for (const message of messages) expect(text).toContain(message);
  });
});

test("a user with sudo is as good as root", async () => {
  project.program(rule({ connection: connection({ user: "ops" }) }));
  const before = await lab.fingerprint(1);
  expect(await project.up()).toMatchObject({ code: 0 });
  expect(await project.run("destroy", "--yes")).toMatchObject({ code: 0 });
  expect(await lab.fingerprint(1)).toBe(before);
});

test("a key that no file can be: told without showing it", async () => {
  project.program(rule({ connection: connection({ privateKey: "not a key at all" }) }));
  const text = await refused(() => project.runWith({ LBSHIELD_PRIVATE_KEY: "" }, "up", "--yes", "--skip-preview"));
  expect(text).toContain("the private key of the connection cannot be used");
  expect(text).not.toContain("not a key at all");
});

test("two stacks: the owner is named", async () => {
  project.program(rule({}));
  expect(await project.up()).toMatchObject({ code: 0 });
  other.program(rule({ name: "invoices" }));
  const text = await refused(() => other.up());
  expect(text).toContain(
    "apply SynproxyRule invoices (billing/prod) on 10.93.1.2: 10.93.1.100 port 80 already belongs to synproxy/shop/test/web",
  );
  expect(text).toContain("nothing was changed");

  other.program(rule({ name: "range", match: `{ destinations: ["${lab.host(1).vip()}"], ports: ["8000-8080"] }` }));
  expect(await other.up()).toMatchObject({ code: 0 });
  project.program(
    rule({}) + rule({ name: "overlap", match: `{ destinations: ["${lab.host(1).vip()}"], ports: ["8080-8090"] }` }),
  );
  expect(await refused(() => project.up())).toContain("belongs to synproxy/billing/prod/range");

  project.program(rule({}));
  other.program(
    `new lbshield.ConntrackTuning("conntrack", { host: ${connectionTo(lab.host(1))}, tcpLoose: true });` +
      rule({ name: "range", match: `{ destinations: ["${lab.host(1).vip()}"], ports: ["8000-8080"] }` }).replace(
        /\bweb\b/,
        "range",
      ),
  );
  expect(await refused(() => other.run("preview"))).toContain("wants it to be");

  // One stack goes: what the other needs stays; with the last, everything goes.
  other.program("");
  expect(await project.run("destroy", "--yes")).toMatchObject({ code: 0 });
  expect((await lab.exec(1, "sysctl -n net.netfilter.nf_conntrack_tcp_loose; nft list ruleset")).stdout).toMatch(
    /^0\n[^]*billing\/prod\/range/,
  );
  expect(await other.up()).toMatchObject({ code: 0 });
  expect(
    (await lab.exec(1, "sysctl -n net.netfilter.nf_conntrack_tcp_loose; nft list ruleset; ls /var/lib/lbshield 2>&1"))
      .stdout,
  ).toMatch(/^1\nls: cannot access/);
});

test("a host without nft", async () => {
  await lab.exec(1, "mv /usr/sbin/nft /usr/sbin/nft.away");
  project.program(rule({}));
  const text = await refused(() => project.up());
  await lab.exec(1, "mv /usr/sbin/nft.away /usr/sbin/nft");
  expect(text).toContain("nft: not found");
  expect(text).toContain("install nftables on the host");
});

/** nft as it speaks on a kernel without CONFIG_NFT_SYNPROXY: this kernel has it built in, so nft is stood in for. */
const NFT_WITHOUT_SYNPROXY = `#!/bin/sh
[ "$1" = -f ] && n=$(grep -n " synproxy mss" "$2" | cut -d: -f1) && {
  echo "$2:$n:1-40: Error: Could not process rule: No such file or directory" >&2
  sed -n "\${n}p" "$2" >&2
  exit 1
}
exec /usr/sbin/nft.away "$@"
`;

test("a kernel without synproxy", async () => {
  await lab.exec(
    1,
    `mv /usr/sbin/nft /usr/sbin/nft.away; printf '%s' '${NFT_WITHOUT_SYNPROXY}' >/usr/sbin/nft; chmod +x /usr/sbin/nft`,
  );
  project.program(rule({}));
  const text = await refused(() => project.up());
  await lab.exec(1, "mv /usr/sbin/nft.away /usr/sbin/nft");
  expect(text).toContain("chain synproxy/shop/test/web/input");
  expect(text).toContain("this kernel has no SYNPROXY");
  expect(text).toContain("undone, the host is as it was");
});

test("a value that cannot be written: everything is undone, the key is named", async () => {
  const key = "/proc/sys/net/netfilter/nf_conntrack_udp_timeout";
  await lab.exec(1, `echo 31 >/run/frozen && mount --bind /run/frozen ${key} && mount -o remount,ro,bind ${key}`);
  project.program(
    `new lbshield.ConntrackTuning("conntrack", { host: ${connectionTo(lab.host(1))}, accounting: true, timeouts: { udp: 40, gre: 77 } });`,
  );
  const text = await refused(() => project.up());
  await lab.exec(1, `umount ${key}; rm /run/frozen`);
  expect(text).toContain("net.netfilter.nf_conntrack_udp_timeout: ");
  expect(text).toMatch(/Read-only file system/);
  expect(text).toContain("undone, the host is as it was");
});
