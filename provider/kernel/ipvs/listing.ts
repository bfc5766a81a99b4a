/** Reads what ipvsadm lists. `ipvsadm -Sn` is whole but for thresholds, timeouts and the daemons. */
import { isIPv4, isIPv6 } from "node:net";

import {
  type Forwarding,
  type IpvsDaemon,
  type IpvsObject,
  type IpvsServer,
  type IpvsService,
  SCHEDULER_FLAGS,
  type SchedulerFlag,
  type Virtual,
  ipvsId,
  serviceId,
} from "./objects";

/** The shell commands of a look. ipvsadm loads IPVS when it finds none, so without it nothing is asked. */
export const IPVS_LOOK = `
if [ -e /proc/net/ip_vs ]; then
  echo "= services"; ipvsadm -Sn || exit
  echo "= thresholds"; ipvsadm -Ln --thresholds || exit
  echo "= timeouts"; ipvsadm -L --timeout || exit
  echo "= daemons"; ipvsadm -L --daemon || exit
fi
`;

export function parseIpvs(listing: string): IpvsObject[] {
  const parts = new Map(
    listing.split(/^= /m).map((part): [string, string[]] => {
      const [heading = "", ...lines] = part.split("\n");
      return [heading, lines];
    }),
  );
  const thresholds = parseThresholds(parts.get("thresholds") ?? []);
  return [
    ...parseSave(parts.get("services") ?? []).map((o) => ({ ...o, ...thresholds.get(ipvsId(o)) })),
    ...(parts.get("timeouts") ?? []).flatMap(parseTimeouts),
    ...(parts.get("daemons") ?? []).flatMap(parseDaemon),
  ];
}

/** By the id of the server. */
function parseThresholds(lines: readonly string[]): Map<string, Pick<IpvsServer, "upper" | "lower">> {
  const found = new Map<string, Pick<IpvsServer, "upper" | "lower">>();
  let service = "";
  for (const line of lines) {
    const [, protocol, name = "", six] = /^(TCP|UDP|SCTP|FWM) +(\S+)( IPv6)? /.exec(line) ?? [];
    if (protocol === "FWM") service = serviceId({ fwmark: mark(name), family: six === undefined ? 4 : 6 });
    else if (protocol !== undefined) service = `service ${protocol.toLowerCase()} ${name}`;
    const [, server, upper, lower] = /^ +-> (\S+) +([0-9]+) +([0-9]+) /.exec(line) ?? [];
    if (server !== undefined)
      found.set(`${service.replace("service", "server")} ${server}`, { upper: Number(upper), lower: Number(lower) });
  }
  return found;
}

function parseTimeouts(line: string): IpvsObject[] {
  const [, tcp, tcpfin, udp] = /^Timeout \(tcp tcpfin udp\): ([0-9]+) ([0-9]+) ([0-9]+)$/.exec(line) ?? [];
  return tcp === undefined
    ? []
    : [{ kind: "ipvs-timeouts", tcp: Number(tcp), tcpfin: Number(tcpfin), udp: Number(udp) }];
}

/** `master sync daemon (mcast=eth0, syncid=0, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)`; older kernels tell the first two. */
function parseDaemon(line: string): IpvsDaemon[] {
  const [, state, list = ""] = /^(master|backup) sync daemon \((.*)\)$/.exec(line) ?? [];
  if (state !== "master" && state !== "backup") return [];
  const said = new Map(list.split(", ").map((pair) => pair.split("=") as [string, string]));
  const maxlen = said.get("maxlen");
  return [
    {
      kind: "ipvs-daemon",
      state,
      syncid: Number(said.get("syncid")),
      interface: said.get("mcast") ?? "",
      ...(maxlen === undefined ? {} : { maxlen: Number(maxlen) }),
      group: said.get("group") ?? "224.0.0.81",
      port: Number(said.get("port") ?? 8848),
      ttl: Number(said.get("ttl") ?? 1),
    },
  ];
}

/** The services and servers of lines as `ipvsadm -Sn` prints and `ipvsadm -R` takes them. What is not understood is an error. */
export function parseSave(lines: readonly string[]): (IpvsService | IpvsServer)[] {
  return lines
    .map((line) => line.trim().replace(/^ipvsadm +/, ""))
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [command = "", ...words] = line.split(/\s+/);
      try {
        if (command === "-A") return readService(readOptions(words, SERVICE));
        if (command === "-a") return readServer(readOptions(words, SERVER));
        throw new Error(`${command} adds neither a service (-A) nor a server (-a)`);
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.message : String(error)}: ${line}`, { cause: error });
      }
    });
}

/**
 * What stands behind an option: `=` a value, `?` a value unless that begins with a dash. ipvsadm prints a -b without one
 * for flag-3 of sh and mh.
 */
const options = (list: string): ReadonlyMap<string, string> =>
  new Map(list.split(" ").map((o) => [o.replace(/[=?]$/, ""), o.slice(-1)]));
const SERVICE = options("-t= -u= --sctp-service= -f= -6 -s= -b? -p? -M= --pe= -o");
const SERVER = options(
  "-t= -u= --sctp-service= -f= -6 -r= -g -i -m -w= -x= -y= --tun-type= --tun-port= --tun-nocsum --tun-csum --tun-remcsum",
);

type Options = ReadonlyMap<string, string>;

function readOptions(words: readonly string[], known: ReadonlyMap<string, string>): Options {
  const found = new Map<string, string>();
  for (let i = 0; i < words.length; i++) {
    const [option = "", next] = [words[i], words[i + 1]];
    const takes = known.get(option);
    if (takes === undefined) throw new Error(`unknown option ${option}`);
    if (found.has(option)) throw new Error(`${option} is there twice`);
    if (takes === "=" && next === undefined) throw new Error(`${option} has no value`);
    const taken = takes === "=" || (takes === "?" && next !== undefined && !next.startsWith("-"));
    found.set(option, taken ? (next ?? "") : "");
    if (taken) i++;
  }
  return found;
}

/** The one of several options that is there. */
function one(o: Options, among: readonly string[], otherwise?: string): string {
  const [found = otherwise, more] = among.filter((option) => o.has(option));
  if (found === undefined) throw new Error(`${among.join(" or ")} is missing`);
  if (more !== undefined) throw new Error(`${found} and ${more} exclude each other`);
  return found;
}

function number(o: Options, option: string, otherwise: number): number {
  const text = o.get(option) ?? "";
  if (text === "") return otherwise;
  if (!/^[0-9]+$/.test(text)) throw new Error(`${option} ${text} is not a number`);
  return Number(text);
}

/** ipvsadm 1.31 lists marks from 2^31 on as negative numbers, and does not take them back. */
const mark = (text: string): number => Number(text) >>> 0;

function endpoint(text: string, defaultPort: number): { address: string; port: number } {
  const [, six, four, port] = /^(?:\[(.*)\]|([^:]*))(?::([0-9]+))?$/.exec(text) ?? [];
  const address = six ?? four ?? "";
  if (six === undefined ? !isIPv4(address) : !isIPv6(address)) throw new Error(`${text} is not an address and a port`);
  return { address, port: port === undefined ? defaultPort : Number(port) };
}

const PROTOCOLS = { "-t": "tcp", "-u": "udp", "--sctp-service": "sctp" } as const;

function readVirtual(o: Options): Virtual {
  const by = one(o, ["-t", "-u", "--sctp-service", "-f"]) as keyof typeof PROTOCOLS | "-f";
  const name = o.get(by) ?? "";
  if (by !== "-f") return { protocol: PROTOCOLS[by], ...endpoint(name, 0) };
  if (!/^-?[0-9]+$/.test(name)) throw new Error(`-f ${name} is not a number`);
  return { fwmark: mark(name), family: o.has("-6") ? 6 : 4 };
}

function schedulerFlag(word: string): SchedulerFlag {
  const found = SCHEDULER_FLAGS.find((flag) => flag === word);
  if (found === undefined) throw new Error(`unknown scheduler flag ${word}`);
  return found;
}

function readService(o: Options): IpvsService {
  const [netmask, engine] = [o.get("-M"), o.get("--pe")];
  const flags = (o.get("-b") ?? "").split(",").filter((word) => word !== "");
  const persistence = { timeout: number(o, "-p", 360), ...(netmask === undefined ? {} : { netmask }) };
  return {
    kind: "ipvs-service",
    ...readVirtual(o),
    scheduler: o.get("-s") ?? "wlc",
    flags: flags.map(schedulerFlag),
    ...(o.has("-p") ? { persistence } : {}),
    ...(engine === undefined ? {} : { engine }),
    onePacket: o.has("-o"),
  };
}

function readServer(o: Options): IpvsServer {
  const virtual = readVirtual(o);
  const own = "fwmark" in virtual ? undefined : virtual.port;
  const forwarding = readForwarding(o);
  const { address, port } = endpoint(o.get(one(o, ["-r"])) ?? "", own ?? 0);
  return {
    kind: "ipvs-server",
    service: serviceId(virtual),
    address,
    port: forwarding.method === "masquerade" ? port : (own ?? port),
    forwarding,
    weight: number(o, "-w", 1),
    upper: number(o, "-x", 0),
    lower: number(o, "-y", 0),
  };
}

function readForwarding(o: Options): Forwarding {
  const how = one(o, ["-g", "-i", "-m"], "-g");
  if (how !== "-i") return { method: how === "-m" ? "masquerade" : "gateway" };
  const [type, sum] = [
    o.get("--tun-type") ?? "ipip",
    one(o, ["--tun-nocsum", "--tun-csum", "--tun-remcsum"], "--tun-nocsum"),
  ];
  const [checksum, port] = [sum.replace("--tun-", "") as "nocsum" | "csum" | "remcsum", number(o, "--tun-port", 0)];
  if (type === "gue" && port > 0) return { method: "tunnel", type, checksum, port };
  if (port === 0 && type === "gre" && checksum !== "remcsum") return { method: "tunnel", type, checksum };
  if (port === 0 && type === "ipip" && checksum === "nocsum") return { method: "tunnel", type };
  throw new Error(`no tunnel is of type ${type} with ${sum} and port ${port.toString()}`);
}
