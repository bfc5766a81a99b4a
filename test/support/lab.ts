import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What a command in the lab did. A status other than 0 is an answer here, not an error. */
export interface Result {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** How to reach one host of the lab. */
export interface LabHost {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** The client's private key in OpenSSH's format, accepted for root, ops (with sudo) and guest (without). */
  readonly privateKey: string;
  /** The host's public key: `ssh-ed25519 AAAA...`, without a comment. */
  readonly hostKey: string;
  /** The address N.n, routed to the host from the clients' side: 100 to 126, of which 100, 101 and 102 are on its lo. */
  vip(n?: number): string;
  /** Its IPv6 twin. */
  vip6(n?: number): string;
}

/** The lab failed, or a command in it did not end in time. */
export class LabError extends Error {
  override readonly name = "LabError";

  constructor(
    readonly command: string,
    readonly code: number | string,
    readonly stderr: string,
    cause?: unknown,
  ) {
    super(`${command}: ${code}${stderr === "" ? "" : `\n${stderr.trimEnd()}`}`, { cause });
  }
}

/** What execFile rejects with: a number is the command's status, a text the reason why there is none. */
interface Failure extends Error {
  readonly code?: number | string | null;
  readonly killed?: boolean;
  readonly stdout?: string;
  readonly stderr?: string;
}

/** The scripts' status for their own failures. */
const labFailed = 125;

/** A script of tools/lab, for one lab of that name and network. */
export class LabScript {
  readonly state: string;

  constructor(
    private readonly file: string,
    readonly name: string,
    readonly net: string,
  ) {
    this.state = `/run/lbshield-lab/${name}`;
  }

  async call(args: readonly string[], seconds: number): Promise<Result> {
    try {
      const { stdout, stderr } = await run(resolve(__dirname, "../../tools/lab", this.file), args, {
        // All three, whatever the caller's environment says: what they decide belongs to one lab alone.
        env: { ...process.env, LAB: this.name, LAB_NET: this.net, LAB_STATE: this.state },
        timeout: seconds * 1000,
        killSignal: "SIGKILL",
        maxBuffer: 64 * 1024 * 1024,
      });
      return { stdout, stderr, code: 0 };
    } catch (error) {
      const { code, killed, stdout = "", stderr = "" } = error as Failure;
      if (typeof code === "number" && code !== labFailed) return { stdout, stderr, code };
      const reason = code ?? (killed === true ? `not done after ${seconds} s` : "killed");
      throw new LabError(`${this.file} ${args.join(" ")}`, reason, stderr, error);
    }
  }

  async succeed(args: readonly string[], seconds: number): Promise<string> {
    const { stdout, stderr, code } = await this.call(args, seconds);
    if (code !== 0) throw new LabError(`${this.file} ${args.join(" ")}`, code, stderr);
    return stdout;
  }
}

/** Hosts, clients and a web server, for tests. What the hosts are made of is the script's business. */
export abstract class AnyLab {
  protected constructor(
    protected readonly script: LabScript,
    private readonly hosts: readonly LabHost[],
    /** ops may log in with it. */
    readonly password: string,
  ) {}

  /** What the constructor takes, of a new lab; one of that name that an earlier run left is removed. */
  protected static async start(
    script: LabScript,
    hosts: number,
    seconds: number,
  ): Promise<[LabScript, LabHost[], string]> {
    await script.succeed(["down"], 60);
    await script.succeed(["up", `${hosts}`, "--quiet"], seconds);
    const { state, net } = script;
    const privateKey = await readFile(`${state}/id_ed25519`, "utf8");
    const password = (await readFile(`${state}/password`, "utf8")).trim();
    const numbers = Array.from({ length: hosts }, (_, index) => index + 1);
    const found = await Promise.all(
      numbers.map(async (i): Promise<LabHost> => {
        const [type = "", key = ""] = (await readFile(`${state}/h${i}/ssh_host_ed25519_key.pub`, "utf8")).split(" ");
        return {
          name: `h${i}`,
          address: `${net}.${i}.2`,
          port: 22,
          user: "root",
          privateKey,
          hostKey: `${type} ${key}`,
          vip: (n = 100) => `${net}.${i}.${n}`,
          vip6: (n = 100) => `fd00:${net.replace(".", ":")}:${i}::${n}`,
        };
      }),
    );
    return [script, found, password];
  }

  /** Host 1, 2, ... */
  host(i: number): LabHost {
    const host = this.hosts[i - 1];
    if (host === undefined)
      throw new RangeError(`The lab ${this.script.name} has ${this.hosts.length} hosts, not ${i}`);
    return host;
  }

  /** Runs a shell command as root on host i, past the network and whatever a firewall there forbids. */
  exec(i: number, command: string, seconds = 30): Promise<Result> {
    return this.shell(["exec", `${i}`], command, seconds);
  }

  /** The same over SSH. */
  ssh(i: number, command: string, user = "root", seconds = 30): Promise<Result> {
    return this.script.call(["ssh", `${user}@${i}`, command], seconds);
  }

  /** Runs a shell command where the clients are. */
  client(command: string, seconds = 30): Promise<Result> {
    return this.shell(["client"], command, seconds);
  }

  /** Runs a shell command where the web server is. */
  backend(command: string, seconds = 30): Promise<Result> {
    return this.shell(["backend"], command, seconds);
  }

  /**
   * Sends SYNs with random source addresses, about 6,000 a second, at most 200,000. Linux drops a few per cent as martians.
   * How: a device of the clients', and "unchecked" (tools/lab/syns.py).
   */
  async syns(destination: string, port: number, count: number, ...how: string[]): Promise<void> {
    await this.script.succeed(["syns", destination, `${port}`, `${count}`, ...how], 30 + count / 1000);
  }

  /** All that the provider may touch on host i, as text that two calls give alike when nothing has changed. */
  fingerprint(i: number): Promise<string> {
    return this.script.succeed(["fingerprint", `${i}`], 30);
  }

  /** Connections that host i tracks: all, or those that match options of `conntrack -L`, as in "-p tcp --dport 80". */
  async conntrackCount(i: number, filter?: string): Promise<number> {
    const command = filter === undefined ? "conntrack -C" : `conntrack -L ${filter} | wc -l`;
    return Number(await this.script.succeed(["exec", `${i}`, "bash", "-o", "pipefail", "-c", command], 30));
  }

  async down(): Promise<void> {
    await this.script.succeed(["down"], 60);
  }

  /** `timeout` ends the command with all its children, wherever it runs; killing the script would end the script. */
  private async shell(where: readonly string[], command: string, seconds: number): Promise<Result> {
    const result = await this.script.call(
      [...where, "timeout", "-k", "2", `${seconds}`, "sh", "-c", command],
      seconds + 5,
    );
    if (result.code !== 124) return result;
    throw new LabError(`${where.join(" ")}: ${command}`, `not done after ${seconds} s`, result.stderr);
  }
}

/** Hosts in namespaces: tools/lab/lab.sh. */
export class Lab extends AnyLab {
  /**
   * A new lab. Name (at most 5 letters and digits) and net (two numbers, as in "10.97") are the test file's own, since Jest
   * runs files at the same time.
   */
  static async up(name: string, net: string, hosts: number): Promise<Lab> {
    return new Lab(...(await AnyLab.start(new LabScript("lab.sh", name, net), hosts, 60)));
  }

  /** Host i gets another way in for clients, another backend, and clients from whole networks: tools/lab/network.sh. */
  async widen(i: number): Promise<void> {
    await this.script.succeed(["widen", `${i}`], 30);
  }

  /** Power off and on: nftables, sysctls, rules and routes are as at first, files stay. */
  async restart(i: number): Promise<void> {
    await this.script.succeed(["restart", `${i}`], 60);
  }
}
