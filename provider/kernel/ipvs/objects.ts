/**
 * The objects of IPVS, as plain values in ipvsadm's words (ipvsadm(8)). `ipvsId` names one as the kernel tells them
 * apart, `ipvsText` is the rest. Addresses are spelled as the kernel lists them, so IPv6 ones are short and in lower
 * case.
 */

/** How a scheduler works: sh and mh have names for the first two, all others have numbers. */
export const SCHEDULER_FLAGS = [
  ...(["sh-fallback", "sh-port", "mh-fallback", "mh-port"] as const),
  ...(["flag-1", "flag-2", "flag-3"] as const),
] as const;
export type SchedulerFlag = (typeof SCHEDULER_FLAGS)[number];

/** Which packets a service takes: those to an address and port, or those with a mark. */
export type Virtual =
  | {
      readonly protocol: "tcp" | "udp" | "sctp";
      readonly address: string;
      /** 0 is every port; such a service must be persistent. */
      readonly port: number;
    }
  | {
      /** 1 to 4294967295. */
      readonly fwmark: number;
      readonly family: 4 | 6;
    };

export type IpvsService = Virtual & {
  readonly kind: "ipvs-service";
  readonly scheduler: string;
  readonly flags: readonly SchedulerFlag[];
  readonly persistence?: {
    /** Seconds, 1 to 2678400. */
    readonly timeout: number;
    /** Which clients are taken for one: a mask for IPv4 (255.255.255.0), a prefix length for IPv6 (64). */
    readonly netmask?: string;
  };
  /** The persistence engine; the kernel has `sip`. */
  readonly engine?: string;
  /** Schedules each packet alone; for udp and marks. */
  readonly onePacket: boolean;
};

export type Forwarding =
  | { readonly method: "masquerade" | "gateway" }
  | { readonly method: "tunnel"; readonly type: "ipip" }
  | { readonly method: "tunnel"; readonly type: "gre"; readonly checksum: "nocsum" | "csum" }
  | {
      readonly method: "tunnel";
      readonly type: "gue";
      readonly checksum: "nocsum" | "csum" | "remcsum";
      readonly port: number;
    };

export interface IpvsServer {
  readonly kind: "ipvs-server";
  /** The id of its service. */
  readonly service: string;
  readonly address: string;
  /** Only masquerading changes ports: else it is the service's own, which ipvsadm takes without a word. */
  readonly port: number;
  readonly forwarding: Forwarding;
  readonly weight: number;
  /** Connections from which on no new ones come, and below which they come again. 0 is no limit; lower <= upper. */
  readonly upper: number;
  readonly lower: number;
}

/** In seconds, 1 to 2678400. One that is wanted to be 0 is left as it is. */
export interface IpvsTimeouts {
  readonly kind: "ipvs-timeouts";
  readonly tcp: number;
  readonly tcpfin: number;
  readonly udp: number;
}

/** Sends (master) or takes (backup) the connections; one of each may run. None can while a tunnel changes family. */
export interface IpvsDaemon {
  readonly kind: "ipvs-daemon";
  readonly state: "master" | "backup";
  /** 0 to 255. */
  readonly syncid: number;
  readonly interface: string;
  /** Bytes of a message. Without it what the interface's MTU allows; the kernel may round what it is given. */
  readonly maxlen?: number;
  readonly group: string;
  readonly port: number;
  readonly ttl: number;
}

export type IpvsObject = IpvsService | IpvsServer | IpvsTimeouts | IpvsDaemon;

/** The objects of a host by their id. */
export type IpvsObjects = ReadonlyMap<string, IpvsObject>;

/** ip_vs_proto_tcp.c, ip_vs_proto_udp.c: those of a kernel where nobody set any. */
export const DEFAULT_TIMEOUTS: IpvsTimeouts = { kind: "ipvs-timeouts", tcp: 900, tcpfin: 120, udp: 300 };

const endpoint = (address: string, port: number): string =>
  `${address.includes(":") ? `[${address}]` : address}:${port.toString()}`;

export const serviceId = (v: Virtual): string =>
  "fwmark" in v
    ? `service fwmark ${v.fwmark.toString()}${v.family === 6 ? " ipv6" : ""}`
    : `service ${v.protocol} ${endpoint(v.address, v.port)}`;

export function ipvsId(o: IpvsObject): string {
  switch (o.kind) {
    case "ipvs-service":
      return serviceId(o);
    case "ipvs-server":
      return `${o.service.replace("service", "server")} ${endpoint(o.address, o.port)}`;
    case "ipvs-timeouts":
      return "ipvs timeouts";
    case "ipvs-daemon":
      return `ipvs ${o.state} daemon`;
    default:
      return o satisfies never;
  }
}

export const ipvsText = (o: IpvsObject): string => contentWords(o).join(" ");

const SERVICE_OPTIONS: Readonly<Record<string, string>> = {
  tcp: "-t",
  udp: "-u",
  sctp: "--sctp-service",
  fwmark: "-f",
};

/** How ipvsadm calls a service or server. What is about the service comes first: -6 and -M are read by its family. */
export function nameWords(o: IpvsService | IpvsServer): string[] {
  const [, by = "", name = "", six] = (o.kind === "ipvs-server" ? o.service : ipvsId(o)).split(" ");
  const service = [SERVICE_OPTIONS[by] ?? by, name, ...(six === undefined ? [] : ["-6"])];
  return o.kind === "ipvs-service" ? service : [...service, "-r", endpoint(o.address, o.port)];
}

export function contentWords(o: IpvsObject): string[] {
  switch (o.kind) {
    case "ipvs-service": {
      const [flags, mask] = [flagsOf(o), o.persistence?.netmask ?? ""];
      return [
        ...["-s", o.scheduler],
        ...(flags.length > 0 ? ["-b", flags.join(",")] : []),
        ...(o.persistence ? ["-p", o.persistence.timeout.toString()] : []),
        ...(["", "128", "255.255.255.255"].includes(mask) ? [] : ["-M", mask]),
        ...(o.engine === undefined ? [] : ["--pe", o.engine]),
        ...(o.onePacket ? ["-o"] : []),
      ];
    }
    case "ipvs-server":
      return [...forwardingWords(o.forwarding), ...numbers({ "-w": o.weight, "-x": o.upper, "-y": o.lower })];
    case "ipvs-timeouts":
      return ["--set", ...[o.tcp, o.tcpfin, o.udp].map(String)];
    case "ipvs-daemon":
      return [
        ...["--mcast-interface", o.interface, "--mcast-group", o.group],
        ...numbers({ "--mcast-port": o.port, "--mcast-ttl": o.ttl, "--syncid": o.syncid }),
        ...(o.maxlen === undefined ? [] : numbers({ "--sync-maxlen": o.maxlen })),
      ];
    default:
      return o satisfies never;
  }
}

const numbers = (options: Readonly<Record<string, number>>): string[] =>
  Object.entries(options).flatMap(([option, value]) => [option, value.toString()]);

function forwardingWords(f: Forwarding): string[] {
  if (f.method !== "tunnel") return [f.method === "masquerade" ? "-m" : "-g"];
  // An ipvsadm before 1.31 knows no other tunnel, and no word for this one.
  if (f.type === "ipip") return ["-i"];
  return [
    "-i",
    "--tun-type",
    f.type,
    ...(f.type === "gue" ? numbers({ "--tun-port": f.port }) : []),
    `--tun-${f.checksum}`,
  ];
}

/** As ipvsadm lists them: of sh and mh by name, without the third, which they have no use for. */
function flagsOf({ scheduler, flags }: IpvsService): string[] {
  if (scheduler !== "sh" && scheduler !== "mh") return flags.toSorted();
  const named = flags.map((f) =>
    f.replace(/^flag-1$/, `${scheduler}-fallback`).replace(/^flag-2$/, `${scheduler}-port`),
  );
  return [...new Set(named)].filter((f) => f !== "flag-3").sort();
}

/** What one of the two leaves open, the other may say. */
export const ipvsEqual = (a: IpvsObject | undefined, b: IpvsObject | undefined): boolean =>
  a === b ||
  (a !== undefined && b !== undefined && ipvsId(a) === ipvsId(b) && ipvsText(filled(a, b)) === ipvsText(filled(b, a)));

/** An object with what it leaves open as another has it. */
function filled(o: IpvsObject, by: IpvsObject): IpvsObject {
  if (o.kind === "ipvs-timeouts" && by.kind === "ipvs-timeouts")
    return { ...o, tcp: o.tcp || by.tcp, tcpfin: o.tcpfin || by.tcpfin, udp: o.udp || by.udp };
  if (o.kind === "ipvs-daemon" && by.kind === "ipvs-daemon" && by.maxlen !== undefined)
    return { maxlen: by.maxlen, ...o };
  return o;
}

export const byId = (objects: Iterable<IpvsObject>): Map<string, IpvsObject> =>
  new Map([...objects].map((o) => [ipvsId(o), o]));
