/** What somebody can do about an error of ip. */
export const routeRemedy = (said: string): string | undefined => REMEDIES.find(([error]) => error.test(said))?.[1];

const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /invalid gateway|Network is unreachable|No route to host/i,
    "the host reaches a gateway through a network of its interface: give the interface an address there first, or set onlink",
  ],
  [
    /File exists/,
    "somebody else's is in its place (`ip rule`, `ip route show table all`): remove that, or choose another pref, table or metric",
  ],
  [/Cannot find device|No such device/, "there is no such interface on this host: `ip link` shows which there are"],
  [/device.* is not up|Network is down/i, "the interface is down: bring it up first (ip link set NAME up)"],
  [/Invalid (?:prefsrc|source) address/i, "src must be an address that the host has"],
  [
    /IPv6 is disabled|not supported/i,
    "IPv6 is off here (kernel parameter ipv6.disable, net.ipv6.conf.*.disable_ipv6), or the kernel has no policy routing (CONFIG_IP_MULTIPLE_TABLES)",
  ],
  [
    /ip: not found/,
    "install iproute2 on the host (Debian, Ubuntu: apt-get install iproute2; RHEL: dnf install iproute)",
  ],
  [
    /invalid option|BusyBox|is unknown, try/,
    "the host's ip is too old, or not iproute2's: install iproute2 5.2 or newer",
  ],
];
