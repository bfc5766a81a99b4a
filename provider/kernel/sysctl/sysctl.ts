import { quote } from "../quote";
import { type Step } from "../step";

/** One value of the kernel: under /proc/sys, or a module's parameter under /sys/module. */
export interface Sysctl {
  readonly kind: "sysctl";
  /** The dotted name, e.g. `net.netfilter.nf_conntrack_tcp_loose`, or a path, e.g. `/sys/module/ip_vs/parameters/conn_tab_bits`. */
  readonly key: string;
  readonly value: string;
  /** Other values that serve as well: found in place, read back, or wanted by somebody else, they are left. */
  readonly accepts?: readonly string[];
  /** What the kernel may take once the value is there. It is not written on a host that has not got it. */
  readonly memory?: Memory;
}

export interface Memory {
  readonly bytes: number;
  /** What takes it, e.g. `262144 buckets of 8 bytes`. */
  readonly of: string;
}

export const sysctl = (key: string, value: number | string, ...accepts: (number | string)[]): Sysctl => ({
  kind: "sysctl",
  key,
  value: value.toString(),
  ...(accepts.length > 0 ? { accepts: accepts.map(String) } : {}),
});

export const sysctlServes = (s: Sysctl, value: string | undefined): boolean =>
  value !== undefined && (s.value === value || (s.accepts ?? []).includes(value));

/** sysctl.d(5): the separators are exchanged, so that `net.ipv4.conf.eth0/100.rp_filter` names interface eth0.100. */
export const sysctlPath = (key: string): string =>
  key.startsWith("/") ? key : `/proc/sys/${key.replace(/[./]/g, (c) => (c === "." ? "/" : "."))}`;

/** The kernel separates several numbers by tabs; people write spaces. */
export const canonicalValue = (text: string): string => text.trim().replace(/\s+/g, " ");

export interface Write {
  readonly key: string;
  readonly from: string;
  readonly to: string;
  readonly memory?: Memory | undefined;
}

/**
 * When a value is refused, the kernel's word for it alone: the shell adds its own name before it. (dash's printf knows
 * "I/O error" only, so cat asks again.)
 */
export const valueStep = ({ key, from, to, memory }: Write): Step => {
  const path = quote(sysctlPath(key));
  return {
    id: key,
    run: `${memory ? `${fits(memory)} && ` : ""}{ { printf "%s" ${quote(to)} >${path}; } 2>/dev/null || { printf "%s" ${quote(to)} >"$LBS/value" && cat "$LBS/value" >${path}; }; } 2>"$LBS/refused" || { sed "s/^.*: //" "$LBS/refused" >&2; false; }`,
    // A value that was not written yet is left alone: the kernel may have refused it. (dash's read gets one digit.)
    back: `{ set -- $(cat ${path}); [ "$*" = ${quote(from)} ]; } || printf "%s" ${quote(from)} >${path}`,
  };
};

export const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20).toString()} MiB`;

/** The kernel would try: a hash table of 8 GB takes a small host down. A quarter is left to everything else. */
const fits = ({ bytes, of }: Memory): string =>
  `{ awk -v need=${bytes.toString()} -v of=${quote(`${of} take ${mebibytes(bytes)}`)} '/^MemTotal:/ && need > $2 * 768 {
    printf "%s, more than three quarters of the %d MiB of memory that the host has\\n", of, $2 / 1024
    exit 1
  }' /proc/meminfo >"$LBS/refused"; }`;

const CONF = /^(net\.ipv[46]\.conf\.)([^.]+)(\.\w+)$/;
const FORWARD = ["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"];

/**
 * Does the kernel change this value by itself when that one is written? `default` goes to every interface whose own
 * value nobody has set, and forwarding to all of them (net/ipv4/devinet.c, net/ipv6/addrconf.c).
 */
export function movesWith(key: string, written: string): boolean {
  const forwards = FORWARD.includes(written);
  if (key === written) return false;
  if (forwards && (FORWARD.includes(key) || key === "net.ipv4.conf.all.accept_redirects")) return true;
  const [one, other] = [CONF.exec(key), CONF.exec(forwards ? "net.ipv4.conf.all.forwarding" : written)];
  return (
    one !== null &&
    other !== null &&
    one[1] === other[1] &&
    one[3] === other[3] &&
    /^(all|default)$/.test(other[2] ?? "")
  );
}

/** What moves others goes first: `all`, then `default`, then the interfaces. */
export const widestFirst = (a: Write, b: Write): number => width(b.key) - width(a.key);

const width = (key: string): number =>
  FORWARD.includes(key) || key.includes(".conf.all.") ? 2 : key.includes(".conf.default.") ? 1 : 0;
