/** Connections as the real world has them, against real sshds: bastions, keys of every type, agents, sudo, hosts that come late or go away. */
import { execFileSync, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type Socket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { HostError } from "../../provider/errors";
import { type ConnectionArgs, connection, wayTo, withCredentials } from "../../provider/host/connection";
import { readPrivateKey } from "../../provider/host/private-key";
import { type Shell } from "../../provider/host/shell";
import { openSsh } from "../../provider/host/ssh";
import { Hosts } from "../../provider/hosts";
import { Lab } from "../support/lab";

const NET = "10.87";
let lab: Lab;
let folder: string;
const opened: Shell[] = [];

beforeAll(async () => {
  lab = await Lab.up("conn", NET, 3);
  folder = mkdtempSync(join(tmpdir(), "lbshield-connections-"));
  // The hosts reach each other through the clients' side.
  await lab.client("sysctl -qw net.ipv4.ip_forward=1");
  for (const i of [1, 2, 3])
    await lab.exec(i, "grep -v ^HostKey /etc/ssh/sshd_config >/etc/ssh/no_key && : >/run/authorized_keys");
});

afterEach(() => {
  for (const shell of opened.splice(0)) shell.close();
  delete process.env.LBSHIELD_KNOWN_HOSTS;
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await lab.down();
});

type Args = Partial<ConnectionArgs>;

/** Connection arguments for a host of the lab, as a program writes them. */
const to = (i: number, change: Args = {}): ConnectionArgs => {
  const { address: host, hostKey, privateKey } = lab.host(i);
  return { host, hostKey, privateKey, dialErrorLimit: 1, perDialTimeout: 5, ...change };
};

/** Without what is undefined, as `to` would have it from a program. */
const without = (args: ConnectionArgs, ...keys: (keyof ConnectionArgs)[]): ConnectionArgs =>
  Object.fromEntries(Object.entries(args).filter(([key]) => !keys.includes(key as keyof ConnectionArgs))) as never;

async function open(args: ConnectionArgs, env: NodeJS.ProcessEnv = {}): Promise<Shell> {
  const hops = wayTo(connection.parse(args)).map((dial) => withCredentials(dial, () => undefined, env));
  const shell = await openSsh(hops);
  opened.push(shell);
  return shell;
}

/** What the host answers to a script. */
const ask = async (shell: Shell, script: string): Promise<string> => (await shell.run(script)).stdout.trim();

/** The error of a connection that must fail. */
async function failure(args: ConnectionArgs, env: NodeJS.ProcessEnv = {}) {
  const error: unknown = await open(args, env).catch((e: unknown) => e);
  if (error instanceof HostError) return error.problem;
  throw new Error(`no HostError: ${String(error)}`);
}

/** Another sshd on host i. */
async function sshd(i: number, port: number, ...options: string[]): Promise<void> {
  const given = options.map((o) => (o.startsWith("-") ? o : `-o '${o}'`)).join(" ");
  const { code, stderr } = await lab.exec(i, `/usr/sbin/sshd ${given} -p ${port} -E /run/sshd-${port}.log`);
  if (code !== 0) throw new Error(stderr);
}

const log = async (i: number, port: number): Promise<string> => (await lab.exec(i, `cat /run/sshd-${port}.log`)).stdout;
const logins = async (i: number, port: number): Promise<number> => (await log(i, port)).split("Accepted ").length - 1;

/** Connections that host i has open on that port of its own. */
const connections = async (i: number, port: number): Promise<number> =>
  Number((await lab.exec(i, `ss -Htn state established 'sport = :${port}' | wc -l`)).stdout);

async function until(what: string, reached: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < 50; n++) {
    if (await reached()) return;
    await sleep(100);
  }
  throw new Error(`${what}: not within 5 s`);
}

describe("bastions", () => {
  test("one, two and three in a row: each host sees the one before it", async () => {
    await sshd(1, 2001);
    const last = (shell: Shell) => ask(shell, "echo ${SSH_CONNECTION%% *}");
    expect(await last(await open(to(3, { proxy: to(1) })))).toBe(`${NET}.1.65`);
    expect(await last(await open(to(3, { proxy: to(2, { proxy: to(1) }) })))).toBe(`${NET}.2.65`);
    const three = to(3, { proxy: to(2, { proxy: to(1, { proxy: to(1, { port: 2001 }) }) }) });
    expect(await last(await open(three))).toBe(`${NET}.2.65`);
    expect(await logins(1, 2001)).toBe(1);
  });

  test("need neither a shell nor root", async () => {
    await sshd(1, 2002, "ForceCommand /bin/false");
    const shell = await open(to(3, { proxy: to(1, { port: 2002, user: "guest" }) }));
    expect(await ask(shell, "id -u")).toBe("0");
  });

  describe("an error names the one that failed", () => {
    const STRANGER = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    test("the first does not answer", async () => {
      const { host, reason } = await failure(to(3, { proxy: to(2, { proxy: to(1, { port: 9 }) }) }));
      expect(host).toBe(`${NET}.3.2`);
      expect(reason).toMatch(/^bastion 10\.87\.1\.2:9: no answer after 1 attempt in 1 s: .*connect ECONNREFUSED/);
    });

    test("the second does not answer the first", async () => {
      const { reason } = await failure(to(3, { proxy: to(2, { port: 9, proxy: to(1) }) }));
      expect(reason).toBe(
        `bastion ${NET}.2.2:9: no answer after 1 attempt through bastion ${NET}.1.2 in 1 s: Connection refused`,
      );
    });

    test("the host does not answer its bastion", async () => {
      const { reason } = await failure(to(3, { port: 9, proxy: to(1) }));
      expect(reason).toBe(`no answer after 1 attempt through bastion ${NET}.1.2 in 1 s: Connection refused`);
    });

    test("the host is filtered, and the time for a dial is kept", async () => {
      await lab.exec(
        3,
        "nft 'table ip cut { chain input { type filter hook input priority -10; tcp dport 9 drop; }; }'",
      );
      const began = Date.now();
      const { reason } = await failure(to(3, { port: 9, perDialTimeout: 1, dialErrorLimit: 2, proxy: to(1) }));
      await lab.exec(3, "nft delete table ip cut");
      expect(reason).toMatch(/^no answer after 2 attempts through bastion .* in 3 s: no answer within 1 s$/);
      expect(Date.now() - began).toBeLessThan(4000);
    });

    test.each([
      [
        "first",
        () => to(2, { proxy: to(1, { hostKey: STRANGER }) }),
        `bastion ${NET}.1.2: its host key is ssh-ed25519`,
      ],
      ["second", () => to(2, { hostKey: STRANGER, proxy: to(1) }), `bastion ${NET}.2.2: its host key is ssh-ed25519`],
    ])("the %s is another than it should be", async (_name, proxy, message) => {
      expect((await failure(to(3, { proxy: proxy() }))).reason).toContain(message);
    });

    test("the host is another than it should be", async () => {
      const { reason } = await failure(to(3, { hostKey: STRANGER, proxy: to(1) }));
      expect(reason).toMatch(/^its host key is ssh-ed25519 SHA256:.*, not the hostKey that was given$/);
    });

    test("the second lets nobody in", async () => {
      const { reason } = await failure(to(3, { proxy: to(2, { user: "stranger", proxy: to(1) }) }));
      expect(reason).toMatch(
        /^bastion 10\.87\.2\.2: stranger was not let in: the host accepted none of the private key/,
      );
    });

    test.each([
      [2003, "AllowTcpForwarding no"],
      [2004, `PermitOpen ${NET}.2.2:22`],
    ])("it does not forward (port %d: %s)", async (port, option) => {
      await sshd(1, port, option);
      const { reason, remedy } = await failure(to(3, { proxy: to(1, { port }), dialErrorLimit: 10 }));
      expect(reason).toBe(
        `bastion ${NET}.1.2:${port}: it does not forward to ${NET}.3.2: administratively prohibited (open failed)`,
      );
      expect(remedy).toContain("AllowTcpForwarding");
    });

    test("it knows no host of that name", async () => {
      await lab.exec(1, "printf 'hosts: files\\n' >/etc/nsswitch.conf");
      const { reason } = await failure(to(3, { host: "h3.example.net", proxy: to(1), dialErrorLimit: 10 }));
      expect(reason).toBe("there is no host of this name: Name or service not known");
    });
  });

  describe("are shared", () => {
    const behind = async (from: number, count: number): Promise<ConnectionArgs[]> => {
      const ports = Array.from({ length: count }, (_, n) => from + n);
      await Promise.all(ports.map((port) => sshd(3, port)));
      return ports.map((port) => to(3, { port }));
    };

    test("by eight hosts at once, even where MaxStartups is 1 and MaxSessions 2; the last one closes the connection", async () => {
      await sshd(1, 2010, "MaxStartups 1", "MaxSessions 2");
      const hosts = await behind(3000, 8);
      const shells = await Promise.all(hosts.map((host) => open({ ...host, proxy: to(1, { port: 2010 }) })));
      expect(await Promise.all(shells.map((shell) => ask(shell, "echo ${SSH_CONNECTION##* }")))).toEqual(
        hosts.map(({ port }) => String(port)),
      );
      expect(await logins(1, 2010)).toBe(1);
      expect(await log(1, 2010)).not.toContain("MaxStartups");
      for (const shell of shells.slice(1)) shell.close();
      await sleep(300);
      expect(await ask(shells[0]!, "echo still here")).toBe("still here");
      shells[0]!.close();
      await until("the bastion's connection is closed", async () => (await connections(1, 2010)) === 0);
    });

    test("twelve hosts take two connections", async () => {
      await sshd(1, 2011, "MaxStartups 2");
      const hosts = await behind(3100, 12);
      await Promise.all(hosts.map((host) => open({ ...host, proxy: to(1, { port: 2011 }) })));
      expect(await logins(1, 2011)).toBe(2);
      expect(await log(1, 2011)).not.toContain("MaxStartups");
    });

    test("their error as well: one that is not there is dialled by one", async () => {
      const proxy = to(1, { port: 9, dialErrorLimit: 3 });
      const began = Date.now();
      const reasons = await Promise.all([1, 2, 3, 4].map((n) => failure(to(3, { port: 4000 + n, proxy }))));
      for (const { reason } of reasons) expect(reason).toContain(`bastion ${NET}.1.2:9: no answer after 3 attempts`);
      expect(Date.now() - began).toBeLessThan(3000);
    });

    test("a host that is reached by itself, and two by each other, do not wait for each other", async () => {
      const ways = [to(1, { proxy: to(1) }), to(1, { proxy: to(2) }), to(2, { proxy: to(1) })];
      const shells = await Promise.all(ways.map((way) => open(way)));
      expect(await Promise.all(shells.map((shell) => ask(shell, "id -u")))).toEqual(["0", "0", "0"]);
    });

    test("one that dies takes its hosts along, and the next connection dials it again", async () => {
      await sshd(1, 2012);
      const way = to(3, { proxy: to(1, { port: 2012 }) });
      const shell = await open(way);
      await lab.exec(1, "pkill -f '[s]shd: root$'; pkill -f '[s]shd: root@notty'; true");
      await expect(shell.run("sleep 5")).rejects.toThrow("the connection was lost");
      expect(await ask(await open(way), "id -u")).toBe("0");
      expect(await logins(1, 2012)).toBe(2);
    });
  });
});

describe("many at once", () => {
  const eight = async (port: number, change: Args = {}): Promise<void> => {
    const shells = await Promise.all(Array.from({ length: 8 }, () => open(to(1, { port, ...change }))));
    expect(await Promise.all(shells.map((shell) => ask(shell, "id -u")))).toEqual(Array(8).fill("0"));
  };

  test("eight sessions on one host, where MaxStartups is 2 and MaxSessions 1: none is dropped", async () => {
    await sshd(1, 2020, "MaxStartups 2", "MaxSessions 1");
    await eight(2020);
    expect(await log(1, 2020)).not.toContain("MaxStartups");
  });

  test("where MaxStartups is 1 as well: sshd may not have noticed yet that the one before is in, and is asked again", async () => {
    await sshd(1, 2024, "MaxStartups 1");
    await eight(2024, { dialErrorLimit: 10 });
  });

  describe("somebody else takes the only place", () => {
    /** Connects and does not log in. */
    const occupy = (port: number, seconds: number) =>
      lab.client(`timeout ${seconds} bash -c 'exec 3<>/dev/tcp/${NET}.1.2/${port}; sleep ${seconds}'; true`);

    test("the dial is repeated until it is free", async () => {
      await sshd(1, 2021, "MaxStartups 1");
      const other = occupy(2021, 3);
      await sleep(500);
      const began = Date.now();
      const shell = await open(to(1, { port: 2021, dialErrorLimit: 10 }));
      expect(await ask(shell, "id -u")).toBe("0");
      expect(Date.now() - began).toBeGreaterThan(1500);
      expect(await log(1, 2021)).toContain("past MaxStartups");
      await other;
    });

    test("the error says so, and nothing of a wrong key", async () => {
      await sshd(1, 2022, "MaxStartups 1");
      const other = occupy(2022, 2);
      await sleep(500);
      const { reason } = await failure(to(1, { port: 2022 }));
      expect(reason).toMatch(/^no answer after 1 attempt in 1 s: .*MaxStartups/);
      expect(reason).not.toMatch(/key/);
      await other;
    });
  });

  test("a host that opens no session says so", async () => {
    await sshd(1, 2023, "MaxSessions 0");
    const { tried, reason, remedy } = await failure(to(1, { port: 2023 }));
    expect(`${tried}: ${reason}`).toMatch(/^start a root shell: the host opened no session: .*open failed$/);
    expect(remedy).toContain("MaxSessions");
  });
});

/** Makes a key with ssh-keygen; gives its file. */
function keygen(name: string, ...options: string[]): string {
  const file = join(folder, name);
  execFileSync("ssh-keygen", ["-q", "-C", "", "-f", file, ...options]);
  return file;
}

const TYPES: readonly (readonly [string, readonly string[]])[] = [
  ["ssh-ed25519", ["-t", "ed25519"]],
  ["ecdsa-sha2-nistp256", ["-t", "ecdsa", "-b", "256"]],
  ["ecdsa-sha2-nistp384", ["-t", "ecdsa", "-b", "384"]],
  ["ecdsa-sha2-nistp521", ["-t", "ecdsa", "-b", "521"]],
  ["ssh-rsa", ["-t", "rsa", "-b", "2048"]],
];

describe("a client's key", () => {
  const authorize = (line: string) => lab.exec(1, `echo '${line}' >/run/authorized_keys`);
  beforeAll(() => sshd(1, 2030, "AuthorizedKeysFile /run/authorized_keys", "StrictModes no"));

  const FORMATS: readonly (readonly [string, readonly string[]])[] = [
    ["OpenSSH", []],
    ["PEM", ["-m", "PEM"]],
    ["PKCS8", ["-m", "PKCS8"]],
  ];
  const CASES = TYPES.flatMap(([type, options]) =>
    FORMATS.flatMap(([format, more]) =>
      // ssh-keygen writes Ed25519 in its own format only.
      type === "ssh-ed25519" && format !== "OpenSSH" ? [] : [[type, format, [...options, ...more]] as const],
    ),
  );

  test.each(CASES)("%s in %s, plain and encrypted", async (type, format, options) => {
    const file = keygen(`client-${type}-${format}`, "-N", "", ...options);
    await authorize(readFileSync(`${file}.pub`, "utf8").trim());
    const plain = await open(to(1, { port: 2030, privateKey: readFileSync(file, "utf8") }));
    expect(await ask(plain, "id -u")).toBe("0");

    execFileSync("ssh-keygen", ["-q", "-p", "-P", "", "-N", "open sesame", "-f", file, ...options.slice(-2)]);
    const privateKey = readFileSync(file, "utf8");
    const encrypted = await open(to(1, { port: 2030, privateKey, privateKeyPassword: "open sesame" }));
    expect(await ask(encrypted, "id -u")).toBe("0");
    for (const args of [{ privateKey }, { privateKey, privateKeyPassword: "open barley" }])
      expect((await failure(to(1, { port: 2030, ...args }))).reason).toMatch(
        /^the private key of the connection cannot be used: .*pass(phrase|word)/i,
      );
  });

  test("ed25519 in PKCS8, as other tools make it", async () => {
    const { privateKey } = generateKeyPairSync("ed25519", {
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
      publicKeyEncoding: { type: "spki", format: "pem" },
    });
    const read = readPrivateKey(privateKey);
    if (read instanceof Error) throw read;
    await authorize(`ssh-ed25519 ${read.getPublicSSH().toString("base64")}`);
    expect(await ask(await open(to(1, { port: 2030, privateKey })), "id -u")).toBe("0");
  });

  test("that is not accepted is named by its fingerprint, with what the host takes instead", async () => {
    const file = keygen("stranger", "-t", "ed25519", "-N", "");
    const [, print = ""] = execFileSync("ssh-keygen", ["-lf", file], { encoding: "utf8" }).split(" ");
    const { reason } = await failure(to(1, { privateKey: readFileSync(file, "utf8") }));
    expect(reason).toBe(
      `root was not let in: the host accepted none of the private key of the connection (ssh-ed25519 ${print}); it takes publickey`,
    );
  });
});

describe("a host's key", () => {
  /** File of a known_hosts with these lines, hashed or not. */
  const knownHosts = (lines: string, hashed = false): void => {
    const file = join(folder, "known_hosts");
    writeFileSync(file, `${lines}\n`);
    if (hashed) execFileSync("ssh-keygen", ["-q", "-H", "-f", file], { stdio: "ignore" });
    process.env.LBSHIELD_KNOWN_HOSTS = file;
  };

  interface Key {
    readonly line: string;
    readonly print: string;
  }
  const keys = new Map<string, Key>();
  const keyOf = (type: string): Key => keys.get(type)!;
  const PORT = new Map(TYPES.map(([type], i) => [type, 2041 + i]));
  /** With keys of all types. */
  const ALL = 2040;

  /** Only with these host keys. */
  const sshdWith = (port: number, files: readonly string[], ...options: string[]) =>
    sshd(1, port, "-f /etc/ssh/no_key", ...files.map((file) => `-h ${file}`), ...options);

  async function hostKey(type: string, options: readonly string[]): Promise<string> {
    const file = `/run/host-${type}`;
    await lab.exec(1, `ssh-keygen -q -N '' -C '' ${options.join(" ")} -f ${file}`);
    const line = (await lab.exec(1, `cat ${file}.pub`)).stdout.trim();
    const [, print = ""] = (await lab.exec(1, `ssh-keygen -lf ${file}`)).stdout.split(" ");
    keys.set(type, { line, print });
    return file;
  }

  beforeAll(async () => {
    const files: string[] = [];
    for (const [type, options] of TYPES) files.push(await hostKey(type, options));
    await sshdWith(ALL, files);
    for (const [i, [type]] of TYPES.entries()) await sshdWith(PORT.get(type)!, [files[i]!]);
  });

  const bare = (port: number, more: Args = {}) =>
    without(to(1, { port, ...more }), ...("hostKey" in more ? [] : ["hostKey" as const]));
  const good = async (args: ConnectionArgs) => {
    expect(await ask(await open(args), "id -u")).toBe("0");
  };

  describe.each(TYPES.map(([type]) => type))("of type %s", (type) => {
    test("is verified by a line, a fingerprint and known_hosts, whatever other keys the host has", async () => {
      const { line, print } = keyOf(type);
      for (const port of [PORT.get(type)!, ALL]) {
        await good(bare(port, { hostKey: line }));
        await good(bare(port, { hostKey: print }));
        knownHosts(`[${NET}.1.2]:${port} ${line}`);
        await good(bare(port));
        knownHosts(`[${NET}.1.2]:${port} ${line}`, true);
        await good(bare(port));
      }
    });

    test("is refused when it is another", async () => {
      const [other] = TYPES.map(([t]) => t).filter((t) => t !== type);
      const port = PORT.get(type)!;
      for (const hostKey of [keyOf(other!).line, keyOf(other!).print])
        expect((await failure(bare(port, { hostKey, dialErrorLimit: 10 }))).reason).toBe(
          `its host key is ${type} ${keyOf(type).print}, not the hostKey that was given`,
        );
      knownHosts(`[${NET}.1.2]:${port} ${keyOf(other!).line}`);
      expect((await failure(bare(port, { dialErrorLimit: 10 }))).reason).toBe(
        `its host key is ${type} ${keyOf(type).print}, but known_hosts has one of type ${other}`,
      );
    });
  });

  test.each<[string, (line: string) => string]>([
    ["by wildcards", (line) => `[${NET}.1.*]:${ALL} ${line}`],
    ["by a list of names", (line) => `lb1,[${NET}.1.2]:${ALL},192.0.2.7 ${line} a comment`],
    ["by its name at port 22, as ssh does", (line) => `${NET}.1.2 ${line}`],
    [
      "among other keys",
      (line) => `[${NET}.1.2]:${ALL} ${keyOf("ssh-rsa").line.replace("AAAAB3", "AAAAB4")}\n[${NET}.1.2]:${ALL} ${line}`,
    ],
    ["beside an authority", (line) => `@cert-authority * ${keyOf("ssh-rsa").line}\n[${NET}.1.2]:${ALL} ${line}`],
    [
      "beside a key of a type that no client has",
      (line) => `[${NET}.1.2]:${ALL} sk-ssh-ed25519@openssh.com AAAA\n[${NET}.1.2]:${ALL} ${line}`,
    ],
  ])("is known %s", async (_name, lines) => {
    knownHosts(lines(keyOf("ecdsa-sha2-nistp256").line));
    await good(bare(ALL));
  });

  test.each<[string, (line: string) => string, RegExp]>([
    [
      "that a pattern excludes",
      (line) => `[${NET}.1.*]:${ALL},![${NET}.1.2]:${ALL} ${line}`,
      /^its host key is not known: ssh-ed25519 /,
    ],
    [
      "that is revoked",
      (line) => `[${NET}.1.2]:${ALL} ${line}\n@revoked * ${line}`,
      /^its host key ssh-ed25519 .* is marked @revoked/,
    ],
    [
      "that only an authority knows",
      (line) => `@cert-authority * ${line}`,
      /^its host key is not known: .*certificates are not supported/,
    ],
    ["that is not known", () => "", /^its host key is not known: ssh-ed25519 /],
  ])("%s is refused", async (_name, lines, message) => {
    knownHosts(lines(keyOf("ssh-ed25519").line));
    expect((await failure(bare(ALL, { dialErrorLimit: 10 }))).reason).toMatch(message);
  });

  test("with a certificate is verified by the key itself", async () => {
    await lab.exec(
      1,
      "ssh-keygen -q -t ed25519 -N '' -f /run/ca && ssh-keygen -q -s /run/ca -h -I h1 /run/host-ssh-ed25519.pub",
    );
    await sshdWith(2050, ["/run/host-ssh-ed25519"], "HostCertificate /run/host-ssh-ed25519-cert.pub");
    const authority = (await lab.exec(1, "cat /run/ca.pub")).stdout.trim();
    knownHosts(`@cert-authority * ${authority}\n[${NET}.1.2]:2050 ${keyOf("ssh-ed25519").line}`);
    await good(bare(2050));
    knownHosts(`@cert-authority * ${authority}`);
    expect((await failure(bare(2050))).reason).toContain("certificates are not supported");
  });

  test("of a type that is not verified any more is told, and the host is not dialled again", async () => {
    await lab.exec(1, "ssh-keygen -q -t dsa -N '' -f /run/host-dsa");
    await sshdWith(2051, ["/run/host-dsa"], "HostKeyAlgorithms ssh-dss");
    const { reason } = await failure(bare(2051, { dialErrorLimit: 10 }));
    expect(reason).toBe(
      "the host and this client have no algorithm in common: Handshake failed: no matching host key format",
    );
  });

  test("cannot be looked up in a file that is not there", async () => {
    process.env.LBSHIELD_KNOWN_HOSTS = join(folder, "nowhere");
    expect((await failure(bare(ALL))).reason).toMatch(/^LBSHIELD_KNOWN_HOSTS cannot be read: .*ENOENT/);
  });
});

describe("an agent", () => {
  let socket: string;
  let agent: ReturnType<typeof spawn>;
  const add = (args: string[], env: NodeJS.ProcessEnv = {}) =>
    execFileSync("ssh-add", args, { env: { ...process.env, SSH_AUTH_SOCK: socket, ...env }, stdio: "ignore" });

  beforeEach(async () => {
    socket = join(mkdtempSync(join(folder, "agent-")), "socket");
    agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    await until("the agent listens", () => Promise.resolve(execFileSync("ls", [join(socket, "..")]).length > 0));
  });
  afterEach(() => {
    agent.kill();
  });

  const labKey = (): string => {
    const file = join(folder, "lab-key");
    writeFileSync(file, lab.host(1).privateKey, { mode: 0o600 });
    return file;
  };
  const byAgent = (change: Args = {}) => without(to(1, { agentSocketPath: socket, ...change }), "privateKey");

  test("opens, whether the program or the environment names it", async () => {
    add([labKey()]);
    expect(await ask(await open(byAgent()), "id -u")).toBe("0");
    expect(await ask(await open(without(to(1), "privateKey"), { SSH_AUTH_SOCK: socket }), "id -u")).toBe("0");
  });

  test("opens bastion and host alike, with an RSA key too", async () => {
    const file = keygen("agent-rsa", "-t", "rsa", "-b", "2048", "-N", "");
    await lab.exec(1, `echo '${readFileSync(`${file}.pub`, "utf8").trim()}' >/run/authorized_keys`);
    await sshd(1, 2060, "AuthorizedKeysFile /run/authorized_keys", "StrictModes no");
    add([file]);
    add([labKey()]);
    const shell = await open(without(to(3, { proxy: without(to(1, { port: 2060 }), "privateKey") }), "privateKey"), {
      SSH_AUTH_SOCK: socket,
    });
    expect(await ask(shell, "id -u")).toBe("0");
  });

  test("that has no keys, is locked, or is not there, says so", async () => {
    const said = async (change: Args = {}) => (await failure(byAgent(change))).reason;
    const NONE = "root was not let in: the host accepted none of the agent of the connection";
    expect(await said()).toContain(`${NONE} (it has no keys, or is locked)`);
    add([labKey()]);
    const askpass = join(folder, "askpass");
    writeFileSync(askpass, "#!/bin/sh\necho secret\n", { mode: 0o700 });
    add(["-x"], { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: "force" });
    expect(await said()).toContain(`${NONE} (it has no keys, or is locked)`);
    expect(await said({ agentSocketPath: "/run/no-agent" })).toContain(`${NONE} (no agent answers at /run/no-agent)`);
  });

  test("that waits for somebody is told, when the time is over", async () => {
    const asked: Socket[] = [];
    const silent = createServer((socket) => asked.push(socket)).listen(join(folder, "silent"));
    await once(silent, "listening");
    const { reason } = await failure(byAgent({ agentSocketPath: join(folder, "silent"), perDialTimeout: 2 }));
    silent.close();
    for (const one of asked) one.destroy();
    expect(reason).toMatch(/^no answer after 1 attempt in \d s: no answer of the agent of the connection within 2 s$/);
  });

  test("that is of no use leaves the password its turn", async () => {
    const { password } = lab;
    for (const agentSocketPath of [socket, "/run/no-agent"])
      expect(await ask(await open(byAgent({ agentSocketPath, user: "ops", password })), "id -u")).toBe("0");
    add([keygen("useless", "-t", "ed25519", "-N", "")]);
    expect(await ask(await open(byAgent({ user: "ops", password })), "id -u")).toBe("0");
  });

  test("with more keys than the host lets anybody try says so", async () => {
    for (const n of [1, 2, 3]) add([keygen(`many-${n}`, "-t", "ed25519", "-N", "")]);
    await sshd(1, 2061, "MaxAuthTries 2");
    const { reason, remedy } = await failure(byAgent({ port: 2061, dialErrorLimit: 10 }));
    expect(reason).toContain("Too many authentication failures");
    expect(reason).toContain("the agent of the connection (3 keys)");
    expect(remedy).toContain("MaxAuthTries");
  });
});

describe("a password", () => {
  const byPassword = (port: number, change: Args = {}) =>
    without(
      to(1, { port, user: "ops", password: lab.password, ...change }),
      ...("privateKey" in change ? [] : ["privateKey" as const]),
    );

  /** With passwords for everybody, as `sshd_config` of the lab has them for ops only. */
  beforeAll(() =>
    lab.exec(
      1,
      "grep -v -i -e '^match' -e PasswordAuthentication -e KbdInteractive -e UsePAM /etc/ssh/sshd_config >/etc/ssh/passwords",
    ),
  );

  test("is given where the host asks for it in a dialogue only", async () => {
    await sshd(1, 2070, "-f /etc/ssh/passwords", "UsePAM yes", "PasswordAuthentication no");
    expect(await ask(await open(byPassword(2070)), "id -u")).toBe("0");
    expect((await failure(byPassword(2070, { password: "wrong" }))).reason).toMatch(/^ops was not let in/);
  });

  test("and a key, where both are needed, in either order", async () => {
    const { privateKey } = lab.host(1);
    for (const [port, methods] of [
      [2071, "publickey,password"],
      [2072, "password,publickey"],
    ] as const) {
      await sshd(1, port, "-f /etc/ssh/passwords", `AuthenticationMethods ${methods}`);
      expect(await ask(await open(byPassword(port, { privateKey })), "id -u")).toBe("0");
    }
    expect((await failure(byPassword(2071))).reason).toMatch(/the password of the connection; it takes publickey$/);
  });
});

describe("sudo", () => {
  const asOps = (change: Args = {}) => to(2, { user: "ops", ...change });
  const sudoers = (text: string) => lab.exec(2, `printf '%s\\n' '${text}' >/etc/sudoers.d/ops`);
  afterAll(() => sudoers("ops ALL=(ALL:ALL) NOPASSWD: ALL"));

  test.each([
    ["for everything", "ops ALL=(ALL:ALL) NOPASSWD: ALL"],
    ["for the shell alone, as the documentation has it", "ops ALL=(root) NOPASSWD: /bin/sh"],
    ["with use_pty", "Defaults use_pty\\nops ALL=(root) NOPASSWD: /bin/sh"],
    [
      "with a lecture and a log of all input and output",
      "Defaults lecture=always,log_input,log_output\\nops ALL=(root) NOPASSWD: /bin/sh",
    ],
  ])("without a password, %s: what is sent and what comes back stays as it is", async (_name, text) => {
    await lab.exec(2, `printf '${text}\\n' >/etc/sudoers.d/ops`);
    const shell = await open(asOps());
    const bytes = Array.from({ length: 127 }, (_, n) => String.fromCharCode(n + 1))
      .filter((c) => c !== "'")
      .join("");
    const script = `id -u; printf %s '${bytes.repeat(400)}' | cksum; printf '\\001\\003\\004\\032\\033\\r\\n'; echo oops >&2`;
    const reply = await shell.run(script);
    const [local] = execFileSync("cksum", { input: bytes.repeat(400), encoding: "utf8" }).split("\n");
    expect(reply).toEqual({ code: 0, stdout: `0\n${local}\n\x01\x03\x04\x1a\x1b\r\n`, stderr: "oops\n" });
  });

  test.each<[string, string, RegExp, RegExp]>([
    ["a password is required", "ops ALL=(ALL:ALL) ALL", /sudo: a password is required/, /NOPASSWD/],
    [
      "a terminal is required",
      "Defaults requiretty\\nops ALL=(ALL:ALL) NOPASSWD: ALL",
      /must have a tty/,
      /requiretty/,
    ],
    ["the shell is not allowed", "ops ALL=(ALL:ALL) NOPASSWD: /bin/true", /sudo: .*/, /NOPASSWD|sudo/],
    ["the user is nobody", "", /sudo: a password is required/, /NOPASSWD/],
  ])("%s", async (_name, text, words, remedy) => {
    await lab.exec(2, `printf '${text}\\n' >/etc/sudoers.d/ops`);
    const problem = await failure(asOps());
    expect(problem).toMatchObject({ tried: "start a root shell", host: `${NET}.2.2` });
    expect(problem.reason).toMatch(words);
    expect(problem.remedy).toMatch(remedy);
  });

  test("is not there", async () => {
    await lab.exec(2, "mv /usr/bin/sudo /usr/bin/sudo.away");
    const { reason, remedy } = await failure(asOps());
    await lab.exec(2, "mv /usr/bin/sudo.away /usr/bin/sudo");
    expect(reason).toMatch(/sudo: (command )?not found/);
    expect(remedy).toContain("install sudo");
  });

  test("a user whose login is closed sees the host's own words", async () => {
    await lab.exec(2, "usermod --shell /usr/sbin/nologin guest");
    const { reason } = await failure(to(2, { user: "guest" }));
    await lab.exec(2, "usermod --shell /bin/bash guest");
    expect(reason).toContain("This account is currently not available");
  });

  test("a host that is starting says so, and is asked again", async () => {
    await sshd(2, 2080, "UsePAM yes");
    await lab.exec(2, "echo 'System is booting up.' >/run/nologin");
    const closed = await failure(asOps({ port: 2080, dialErrorLimit: 2 }));
    expect(closed.reason).toMatch(
      /^no answer after 2 attempts in \d s: the host closed .*, and said: System is booting up/,
    );
    await sudoers("ops ALL=(ALL:ALL) NOPASSWD: ALL");
    setTimeout(() => void lab.exec(2, "rm /run/nologin"), 1000);
    expect(await ask(await open(asOps({ port: 2080, dialErrorLimit: 10 })), "id -u")).toBe("0");
  });
});

describe("a host that does not answer", () => {
  test("because nothing listens there", async () => {
    const { reason, remedy } = await failure(to(1, { port: 9, dialErrorLimit: 3 }));
    expect(reason).toMatch(/^no answer after 3 attempts in [12] s: .*ECONNREFUSED/);
    expect(remedy).toContain("is the host up");
  });

  const CUT = (verdict: string) =>
    `nft 'table ip cut { chain input { type filter hook input priority -10; tcp dport { 9, 22 } ${verdict}; }; }'`;

  test("because a router says that it is not there", async () => {
    await lab.exec(1, CUT("reject with icmp type host-unreachable"));
    const { reason } = await failure(to(1, { port: 9 }));
    await lab.exec(1, "nft delete table ip cut");
    expect(reason).toMatch(/^no answer after 1 attempt in \d s: .*EHOSTUNREACH/);
  });

  test("because nobody is there: within the time of its dials", async () => {
    await lab.exec(1, CUT("drop"));
    const began = Date.now();
    const { reason } = await failure(to(1, { port: 9, perDialTimeout: 1, dialErrorLimit: 3 }));
    await lab.exec(1, "nft delete table ip cut");
    expect(reason).toMatch(/^no answer after 3 attempts in [45] s: .*no answer within 1 s/);
    expect(Date.now() - began).toBeLessThan(5500);
  });

  test("because what listens there does not speak: within the time of its dials", async () => {
    await lab.exec(
      1,
      "setsid python3 -c 'import socket,time; s=socket.create_server((\"\", 2090)); time.sleep(60)' >/dev/null 2>&1 &",
    );
    await sleep(500);
    const { reason } = await failure(to(1, { port: 2090, perDialTimeout: 1 }));
    expect(reason).toBe("no answer after 1 attempt in 2 s: no answer within 1 s");
  });

  test("yet: it is reached when its sshd starts five seconds later", async () => {
    setTimeout(() => void sshd(1, 2091), 5000);
    const began = Date.now();
    const shell = await open(to(1, { port: 2091, dialErrorLimit: 10 }));
    expect(await ask(shell, "id -u")).toBe("0");
    expect(Date.now() - began).toBeGreaterThan(5000);
    expect(Date.now() - began).toBeLessThan(12_000);
  });
});

describe("a connection", () => {
  test("that is silent for 25 seconds while a command runs lives on", async () => {
    const shell = await open(to(1, { proxy: to(2) }));
    expect(await ask(shell, "sleep 25; echo done")).toBe("done");
  });

  test.each([
    ["", () => to(1)],
    [" through a bastion", () => to(1, { proxy: to(2) })],
  ])("over which nothing comes any more%s is given up after 20 seconds", async (_name, way) => {
    const shell = await open(way());
    await lab.exec(
      1,
      "nft 'table ip cut { chain input { type filter hook input priority -10; tcp dport 22 drop; }; }'",
    );
    const began = Date.now();
    await expect(shell.run("true")).rejects.toThrow("the connection was lost: no sign of life for 20 s");
    expect(Date.now() - began).toBeLessThan(26_000);
    await lab.exec(1, "nft delete table ip cut");
  });

  describe.each([
    ["", () => to(2, { dialErrorLimit: 10 })],
    [" through a bastion", () => to(2, { dialErrorLimit: 10, proxy: to(1) })],
  ])("of a session that is kept%s", (_name, way) => {
    const hosts = new Hosts(undefined, {});
    const use = () => hosts.session({ ...way() }).read([]);
    afterAll(() => hosts.close());

    test("is opened again when its sshd ended it between two uses", async () => {
      await use();
      await lab.exec(2, "pkill -f '[s]shd: root@notty'");
      await sleep(200);
      await use();
    });

    test("is opened again when its host was switched off and on between two uses", async () => {
      await use();
      await lab.restart(2);
      // Half open until a keepalive, every five seconds, is refused.
      await sleep(6000);
      await use();
    });

    test("ends when its host is switched off and on in the middle of a use; the next one is good", async () => {
      const shell = await open(way());
      const lost = expect(shell.run("sleep 60")).rejects.toThrow("the connection was lost");
      await lab.restart(2);
      await lost;
      expect(await ask(await open(way()), "id -u")).toBe("0");
    });
  });

  test("to an IPv6 address, on another port too", async () => {
    execFileSync("ip", ["addr", "add", "fd00:87::1/64", "dev", "connm1", "nodad"]);
    await lab.exec(1, "ip addr add fd00:87::2/64 dev eth0 nodad");
    await sshd(1, 2092);
    const { hostKey = "" } = to(1) as { hostKey?: string };
    expect(await ask(await open(to(1, { host: "fd00:87::2" })), "echo ${SSH_CONNECTION%% *}")).toBe("fd00:87::1");
    const file = join(folder, "known_hosts6");
    writeFileSync(file, `[fd00:87::2]:2092 ${hostKey}\n`);
    process.env.LBSHIELD_KNOWN_HOSTS = file;
    const shell = await open(without(to(1, { host: "fd00:87::2", port: 2092 }), "hostKey"));
    expect(shell.host).toBe("[fd00:87::2]:2092");
    const behind = await open(to(1, { host: "fd00:87::2", proxy: to(1) }));
    expect(await ask(behind, "id -u")).toBe("0");
  });
});
