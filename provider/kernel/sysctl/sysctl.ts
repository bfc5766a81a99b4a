/** One value under /proc/sys. */
export interface Sysctl {
  readonly kind: "sysctl";
  /** The dotted name, e.g. `net.netfilter.nf_conntrack_tcp_loose`. */
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

export const sysctlPath = (key: string): string => `/proc/sys/${key.replaceAll(".", "/")}`;

/** The kernel separates several numbers by tabs; people write spaces. */
export const canonicalValue = (text: string): string => text.trim().replace(/\s+/g, " ");
