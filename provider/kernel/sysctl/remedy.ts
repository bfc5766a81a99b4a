/** What somebody can do about a value that is not there, or that the kernel does not take. */

const PARAMETER = /^\/sys\/module\/([^/]+)\/parameters\/([^/]+)$/;
const INTERFACE = /^net\.ipv[46]\.(?:conf|neigh)\.([^.]+)\./;

/** The steps of a transaction are named by their objects: which are values? */
export const isSysctlKey = (id: string): boolean => /^(\/sys\/|[a-z]+\.)\S+$/.test(id);

export function absentRemedy(key: string): string {
  const [, module, parameter] = PARAMETER.exec(key) ?? [];
  if (module !== undefined)
    return `does modprobe ${module} load that module, and does modinfo -p ${module} show a parameter ${parameter ?? ""}?`;
  const name = INTERFACE.exec(key)?.[1]?.replaceAll("/", ".");
  if (name !== undefined && name !== "all" && name !== "default")
    return `is there an interface ${name} on the host (ip link), and is this kernel recent enough for the value?`;
  if (key.startsWith("net.ipv4.vs."))
    return "is the kernel module that brings it loaded (ip_vs), and is this kernel recent enough for it?";
  if (key.startsWith("net.netfilter."))
    return "is the kernel module that brings it loaded (nf_conntrack), and has this kernel the protocol and the value? (Recent kernels have no DCCP.) Else leave it out here";
  return "is it spelled as sysctl -a shows it? In a container or network namespace the machine outside may have it; else this kernel is too old, or lacks a module (nf_conntrack, ip_vs)";
}

export function refusedRemedy(key: string, said: string): string | undefined {
  if (said.includes("of memory that the host has"))
    return "lower max, buckets or memoryBudget, or give the host more memory";
  if (said.includes("Cannot allocate memory")) return "the host has no memory left for it: lower the value";
  if (PARAMETER.test(key) && said.includes("Permission denied"))
    return "the module takes this parameter only while it is loaded: write it to a file in /etc/modprobe.d on the host, and load the module again or restart";
  if (/Read-only file system|Permission denied|Operation not permitted|Operation not supported/.test(said))
    return "the value is read-only here: in a container or network namespace it belongs to the machine outside. Set it there, and leave it out here";
  if (/Invalid argument|Numerical result out of range|Value too large/.test(said))
    return "the kernel does not take this value: is it in the range that the kernel's documentation gives?";
  return undefined;
}
