import { quote } from "../quote";
import { type Step } from "../step";

/** One value of the kernel: under /proc/sys, or a module's parameter under /sys/module. */
export interface Sysctl {
  readonly kind: "sysctl";
  /** The dotted name, e.g. `net.netfilter.nf_conntrack_tcp_loose`, or a path, e.g. `/sys/module/nf_conntrack/parameters/hashsize`. */
  readonly key: string;
  readonly value: string;
  /** Other values that serve as well: found in place, or wanted by somebody else, they are left. */
  readonly accepts?: readonly string[];
}

export const sysctl = (key: string, value: number, ...accepts: number[]): Sysctl => ({
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

/** When a value is refused, the kernel's word for it alone: the shell adds its own name before it. */
export const valueStep = ({ key, from, to }: { key: string; from: string; to: string }): Step => ({
  id: key,
  run: `{ printf "%s" ${quote(to)} >${quote(sysctlPath(key))}; } 2>"$LBS/refused" || { sed "s/^.*: //" "$LBS/refused" >&2; false; }`,
  // A value that was not written yet is left alone: the kernel may have refused it.
  back: `{ read -r was <${quote(sysctlPath(key))}; set -- $was; [ "$*" = ${quote(from)} ]; } || printf "%s" ${quote(from)} >${quote(sysctlPath(key))}`,
});
