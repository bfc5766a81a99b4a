const LOST = "something else (keepalived, kube-proxy, ipvsadm by hand) changed IPVS in the meantime: run this again";

/** ipvsadm says little. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/ipvsadm: (?:command )?not found/, "install ipvsadm on the host: the package has the same name everywhere"],
  [
    /Can't initialize ipvs|Protocol not available/,
    "this kernel has no IPVS, or may not load it: does `modprobe ip_vs` work there? a container needs its host to load it",
  ],
  [
    /Scheduler or persistence engine not found|No such file or directory|Memory allocation problem/,
    "the kernel did not load the scheduler or persistence engine: does `modprobe ip_vs_NAME` (ip_vs_mh, ip_vs_pe_sip) work there?",
  ],
  [/unknown option/, "this ipvsadm is too old for it: gue and gre tunnels came with 1.31"],
  [/already exists|Daemon has already run/, LOST],
  [/No such (?:service|destination)|Service not defined|No daemon is running/, LOST],
  [/Numerical result out of range/, "the lower threshold may not be above the upper one"],
  [/No such device/, "there is no interface of that name for the sync daemon"],
  [
    /Invalid operation\.|Invalid argument/,
    "IPVS takes only unicast addresses, and no sync daemon together with a tunnel to a server of another address family",
  ],
  [/not supported with/, "this kernel has IPVS without IPv6"],
  [/Permission denied|Operation not permitted/, "changing IPVS needs root, and CAP_NET_ADMIN in a container"],
];

/** What somebody can do about what ipvsadm said, if that is known. */
export const ipvsRemedy = (said: string): string | undefined => REMEDIES.find(([pattern]) => pattern.test(said))?.[1];
