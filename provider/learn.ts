/**
 * What servers themselves announce when a connection opens: the balancer connects to each once, and a table of our own,
 * which is gone before the script ends, notes the options of the SYN-ACK. It stands where sockets do, behind everybody's
 * NAT and IPVS, and heeds the connections that root opens alone: what a server answers to a client's SYN depends on what
 * that offered.
 */
import { isIPv6 } from "node:net";

import { type HostSession } from "./engine/session";

export interface Server {
  readonly address: string;
  readonly port: number;
  /** By which its clients come, as far as it is known. */
  readonly interfaces: readonly string[];
}

/** The TCP options of a SYN-ACK. */
export interface Announced {
  readonly mss: number;
  /** Absent: it does not scale its window. */
  readonly wscale?: number;
  readonly timestamp: boolean;
  readonly sackPerm: boolean;
}

/** What some part of a resource has to ask. */
export interface Question {
  /** Where the part stands in the arguments, e.g. `["synproxyRules", "web"]`; empty: it is the resource itself. */
  readonly path: readonly string[];
  /** Whom: one for each family. */
  readonly servers: readonly Server[];
  /** Does it wait for the answer, or only compare it with what is declared? */
  readonly learns: boolean;
  /** What is compared: a question that differs in it is another. */
  readonly declared: unknown;
  /** Options that the host itself must offer, or no server answers with them. */
  readonly needs: readonly HostOption[];
  /** What the proxy would announce, in words. */
  means(announced: Announced): string;
  /** What is wrong with the declared options, in words. */
  differs(announced: readonly (readonly [Server, Announced])[]): readonly string[];
}

const HOST_OPTIONS = ["tcp_timestamps", "tcp_sack", "tcp_window_scaling"] as const;
export type HostOption = (typeof HOST_OPTIONS)[number];
export const ALL_OPTIONS: readonly HostOption[] = HOST_OPTIONS;

/**
 * How long servers may take, in seconds: each, and all together. Where an answer is needed, three SYNs are sent; a
 * comparison is not worth a wait.
 */
interface Patience {
  readonly each: number;
  readonly all: number;
}
const NEEDED: Patience = { each: 4, all: Infinity };
const COMPARED: Patience = { each: 0.5, all: 1 };

/** So many connections are opened at a time. */
const AT_ONCE = 64;

const SETS = [4, 6].map((f) => {
  const ip = f === 4 ? "ip" : "ip6";
  const key = `type inet_service . ipv${f.toString()}_addr . inet_service`;
  const reply = `tcp dport . ${ip} saddr . tcp sport`;
  const set = (name: string, of: string) => `set ${name}${f.toString()} { ${of}; size 65535; flags dynamic; }`;
  return {
    family: f,
    sets: [
      set("asked", key),
      set("answered", key),
      set("refused", key),
      set("timestamp", key),
      set("sack", key),
      set("mss", `typeof ${reply} . tcp option maxseg size`),
      set("scale", `typeof ${reply} . tcp option window count`),
    ],
    // The proxy's own SYN has no socket, and its SYN-ACK has window 0.
    output: (servers: readonly string[]) =>
      `meta skuid 0 tcp flags & (fin|syn|rst|ack) == syn ${ip} daddr . tcp dport { ${servers.join(", ")} } ` +
      `add @asked${f.toString()} { tcp sport . ${ip} daddr . tcp dport }`,
    input: [
      `tcp flags & (fin|syn|rst|ack) == (syn|ack) tcp window != 0 ${reply} @asked${f.toString()} jump heard${f.toString()}`,
      `tcp flags & (syn|rst) == rst ${reply} @asked${f.toString()} add @refused${f.toString()} { ${reply} }`,
    ],
    heard: [
      `add @answered${f.toString()} { ${reply} }`,
      `add @mss${f.toString()} { ${reply} . tcp option maxseg size }`,
      `add @scale${f.toString()} { ${reply} . tcp option window count }`,
      `tcp option timestamp exists add @timestamp${f.toString()} { ${reply} }`,
      `tcp option sack-permitted exists add @sack${f.toString()} { ${reply} }`,
    ],
  };
});

const keyOf = ({ address, port }: Server): string => `${address} . ${port.toString()}`;

const familyOf = ({ address }: Server): 4 | 6 => (isIPv6(address) ? 6 : 4);

/** Runs within the shell that the host has for us: `$$` is that one's number. */
export function probeScript(servers: readonly Server[], { each, all }: Patience = NEEDED): string {
  const of = (f: number) => servers.filter((s) => familyOf(s) === f).map(keyOf);
  const used = SETS.filter(({ family }) => of(family).length > 0);
  const within = Math.min(all, each * Math.ceil(servers.length / AT_ONCE)).toString();
  return `
table=lbshield-learn-$$
trap 'nft delete table inet "$table" 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM
for left in $(nft list tables inet | sed -n 's/^table inet lbshield-learn-\\([0-9]*\\)$/\\1/p'); do
  kill -0 "$left" 2>/dev/null || nft delete table inet "lbshield-learn-$left"
done
tool=
for one in bash nc python3 perl curl; do if command -v $one >/dev/null; then tool=$one; break; fi; done
[ -n "$tool" ] || { echo "none of bash, nc, python3, perl and curl is there to open a connection with" >&2; exit 1; }
nft -f - <<LBSHIELD_FILE || exit 1
add table inet $table
delete table inet $table
table inet $table {
${used.flatMap(({ sets }) => sets).join("\n")}
chain output { type filter hook output priority -310; policy accept;
${used.map(({ family, output }) => output(of(family))).join("\n")}
}
${used.map(({ family, heard }) => `chain heard${family.toString()} {\n${heard.join("\n")}\n}`).join("\n")}
chain input { type filter hook input priority 300; policy accept;
${used.flatMap(({ input }) => input).join("\n")}
}
}
LBSHIELD_FILE
connect() {
  case $tool in
    nc) timeout ${each.toString()} nc -z "$1" "$2" || timeout ${each.toString()} nc "$1" "$2" ;;
    python3) timeout ${each.toString()} python3 -c 'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])))' "$1" "$2" ;;
    perl) timeout ${each.toString()} perl -MIO::Socket::IP -e 'IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1])' "$1" "$2" ;;
    curl) case $1 in *:*) set -- "[$1]" "$2" ;; esac; timeout ${each.toString()} curl -s "telnet://$1:$2" ;;
  esac </dev/null >/dev/null 2>&1
}
set -- ${servers.map(({ address, port }) => `${address} ${port.toString()}`).join(" ")}
if [ "$tool" = bash ]; then
  # One process that begets the others: timeout ends them all.
  timeout ${within} bash -c 'while [ $# -gt 1 ]; do
    (exec 3<>"/dev/tcp/$1/$2") & shift 2
    [ $(($# / 2 % ${AT_ONCE.toString()})) -ne 0 ] || wait
  done; wait' bash "$@" >/dev/null 2>&1
else
  while [ $# -gt 1 ]; do
    connect "$1" "$2" & shift 2
    [ $(($# / 2 % ${AT_ONCE.toString()})) -ne 0 ] || wait
  done
  wait
fi
nft list table inet "$table" || exit 1
echo @@host
for name in ${HOST_OPTIONS.join(" ")}; do echo "$name $(cat "/proc/sys/net/ipv4/$name")"; done
ip -o -force -batch - 2>/dev/null <<"LBSHIELD_FILE" | grep '^local ' >"$LBS/local" && {
${[...new Set(servers.map(({ address }) => `route get ${address}`))].join("\n")}
LBSHIELD_FILE
  cat "$LBS/local"
  ip -o link show
  ip -4 -o route show default
  ip -6 -o route show default | sed 's/^default/default6/'
}
rm -f "$LBS/local"
:
`;
}

/** What the servers have answered. */
export class Heard {
  private readonly sets = new Map<string, Map<string, string>>();
  private readonly local = new Set<string>();
  private readonly links = new Map<string, number>();
  private readonly ways = new Map<4 | 6, { readonly dev: string; readonly advmss: number }>();
  /** What the host itself does not offer. */
  readonly off: readonly HostOption[];

  constructor(text: string) {
    const [table = "", host = ""] = text.split("@@host\n");
    for (const [, set = "", elements = ""] of table.matchAll(/set (\w+)\s*\{[^{}]*elements = \{([^{}]*)\}/g)) {
      const found = elements.split(",").map((element) => element.trim().split(" . "));
      this.sets.set(set, new Map(found.map(([, address, port, value = ""]) => [`${address} . ${port}`, value])));
    }
    const lines = host.split("\n");
    this.off = HOST_OPTIONS.filter((name) => lines.includes(`${name} 0`));
    for (const line of lines) {
      const local = /^local (\S+)/.exec(line)?.[1];
      if (local !== undefined) this.local.add(local);
      const [, link, mtu] = /^[0-9]+: ([^:@]+)[:@].* mtu ([0-9]+)/.exec(line) ?? [];
      if (link !== undefined) this.links.set(link, Number(mtu));
      const [, six, dev] = /^default(6?) .*\bdev (\S+)/.exec(line) ?? [];
      const family = six === "6" ? 6 : 4;
      if (dev !== undefined && !this.ways.has(family))
        this.ways.set(family, { dev, advmss: Number(/\badvmss ([0-9]+)/.exec(line)?.[1] ?? Infinity) });
    }
  }

  /** Or why there is no answer. */
  of(server: Server): Announced | string {
    const family = familyOf(server);
    const get = (set: string) => this.sets.get(`${set}${family.toString()}`)?.get(keyOf(server));
    if (get("answered") === undefined)
      return get("refused") === undefined ? "did not answer" : "refused the connection";
    const [mss, wscale] = [get("mss"), get("scale")];
    return {
      // RFC 9293, 3.7.1: without the option it is 536.
      mss: this.local.has(server.address) ? this.localMss(server) : Number(mss ?? 536),
      ...(wscale === undefined ? {} : { wscale: Math.min(14, Number(wscale)) }),
      timestamp: get("timestamp") !== undefined,
      sackPerm: get("sack") !== undefined,
    };
  }

  /** We reach a server of the balancer's own over lo, which has other segments than where its clients come from. */
  private localMss(server: Server): number {
    const { interfaces } = server;
    const family = familyOf(server);
    const headers = family === 4 ? 40 : 60;
    const way = interfaces.length > 0 ? undefined : this.ways.get(family);
    const mtus = (way ? [way.dev] : interfaces).flatMap((name) => this.links.get(name) ?? []);
    return Math.min(way?.advmss ?? Infinity, Math.min(...(mtus.length > 0 ? mtus : [1500])) - headers);
  }
}

interface Waiting {
  readonly servers: readonly Server[];
  readonly resolve: (heard: Heard) => void;
  readonly reject: (reason: unknown) => void;
}

/** Whoever waits for a host's answers at the same time is asked for with one script. */
export class Inquiry {
  private waiting: Waiting[] = [];
  private working: Promise<void> | undefined;
  /** Changes under way. */
  private busy = 0;
  private left: { readonly question: Question; readonly tell: (problem: string) => void }[] = [];

  constructor(private readonly session: HostSession) {}

  /** Rejects where the host cannot ask at all. */
  ask(servers: readonly Server[]): Promise<Heard> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ servers, resolve, reject });
      this.wake();
    });
  }

  /**
   * Compares what `change` names with what servers announce, when it is done. Of changes that are under way at the same
   * time, the last to end asks for all: it is one script, and nobody else waits for it.
   */
  async compared<T>(change: (compare: (question: Question, tell: (problem: string) => void) => void) => Promise<T>) {
    this.busy++;
    const mine: typeof this.left = [];
    try {
      const result = await change((question, tell) => mine.push({ question, tell }));
      this.left.push(...mine);
      return result;
    } finally {
      if (--this.busy === 0 && this.left.length > 0) {
        const { left } = this;
        this.left = [];
        // What cannot be compared is no reason to fail: the change stands.
        const servers = left.flatMap(({ question }) => question.servers);
        const heard = await this.probe(servers, COMPARED).catch(() => undefined);
        if (heard) for (const { question, tell } of left) compare(question, heard).forEach(tell);
      }
    }
  }

  private wake(): void {
    this.working ??= this.work().finally(() => {
      this.working = undefined;
      if (this.waiting.length > 0) this.wake();
    });
  }

  private async work(): Promise<void> {
    // All that is asked in the same moment is one script.
    await new Promise((resolve) => setImmediate(resolve));
    const { waiting } = this;
    this.waiting = [];
    const servers = waiting.flatMap((one) => one.servers);
    await this.probe(servers, NEEDED).then(
      (heard) => {
        for (const { resolve } of waiting) resolve(heard);
      },
      (error: unknown) => {
        for (const { reject } of waiting) reject(error);
      },
    );
  }

  private async probe(servers: readonly Server[], patience: Patience): Promise<Heard> {
    const each = [...new Map(servers.map((server) => [keyOf(server), server])).values()];
    const { code, stdout, stderr } = await this.session.ask(probeScript(each, patience), "learn");
    if (code !== 0) throw new Error(stderr.trim());
    return new Heard(stdout);
  }
}

/** What is wrong with the declared options, as far as servers have answered. */
export function compare(question: Question, heard: Heard): readonly string[] {
  const known = question.servers.flatMap((server) => {
    const announced = heard.of(server);
    return typeof announced === "string" ? [] : [[server, announced] as const];
  });
  return question.differs(known);
}

const inquiries = new WeakMap<HostSession, Inquiry>();

export function inquiryOf(session: HostSession): Inquiry {
  const inquiry = inquiries.get(session) ?? new Inquiry(session);
  inquiries.set(session, inquiry);
  return inquiry;
}

export const nameOf = ({ address, port }: Server): string =>
  `${address.includes(":") ? `[${address}]` : address}:${port.toString()}`;

/** What all of the servers of a question can keep; or who did not answer, and why. */
export function answer(question: Question, heard: Heard): Announced | string {
  const off = question.needs.filter((name) => heard.off.includes(name));
  if (off.length > 0)
    return `net.ipv4.${off.join(", net.ipv4.")} is 0 on the balancer, so that no server offers it to it`;
  const all: Announced[] = [];
  for (const server of question.servers) {
    const announced = heard.of(server);
    if (typeof announced === "string") return `${nameOf(server)} ${announced}`;
    all.push(announced);
  }
  const scales = all.flatMap(({ wscale }) => wscale ?? []);
  return {
    mss: Math.min(...all.map(({ mss }) => mss)),
    ...(scales.length === all.length ? { wscale: Math.min(...scales) } : {}),
    timestamp: all.every(({ timestamp }) => timestamp),
    sackPerm: all.every(({ sackPerm }) => sackPerm),
  };
}
