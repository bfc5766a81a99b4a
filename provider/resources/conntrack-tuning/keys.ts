/** The sysctl behind each property. Source: Documentation/networking/nf_conntrack-sysctl.rst and ip-sysctl.rst. */

export const TIMEOUTS = {
  generic: "nf_conntrack_generic_timeout",
  icmp: "nf_conntrack_icmp_timeout",
  icmpv6: "nf_conntrack_icmpv6_timeout",
  udp: "nf_conntrack_udp_timeout",
  udpStream: "nf_conntrack_udp_timeout_stream",
  tcpSynSent: "nf_conntrack_tcp_timeout_syn_sent",
  tcpSynRecv: "nf_conntrack_tcp_timeout_syn_recv",
  tcpEstablished: "nf_conntrack_tcp_timeout_established",
  tcpFinWait: "nf_conntrack_tcp_timeout_fin_wait",
  tcpCloseWait: "nf_conntrack_tcp_timeout_close_wait",
  tcpLastAck: "nf_conntrack_tcp_timeout_last_ack",
  tcpTimeWait: "nf_conntrack_tcp_timeout_time_wait",
  tcpClose: "nf_conntrack_tcp_timeout_close",
  tcpMaxRetrans: "nf_conntrack_tcp_timeout_max_retrans",
  tcpUnacknowledged: "nf_conntrack_tcp_timeout_unacknowledged",
  sctpClosed: "nf_conntrack_sctp_timeout_closed",
  sctpCookieWait: "nf_conntrack_sctp_timeout_cookie_wait",
  sctpCookieEchoed: "nf_conntrack_sctp_timeout_cookie_echoed",
  sctpEstablished: "nf_conntrack_sctp_timeout_established",
  sctpShutdownSent: "nf_conntrack_sctp_timeout_shutdown_sent",
  sctpShutdownRecd: "nf_conntrack_sctp_timeout_shutdown_recd",
  sctpShutdownAckSent: "nf_conntrack_sctp_timeout_shutdown_ack_sent",
  sctpHeartbeatSent: "nf_conntrack_sctp_timeout_heartbeat_sent",
  sctpHeartbeatAcked: "nf_conntrack_sctp_timeout_heartbeat_acked",
  dccpRequest: "nf_conntrack_dccp_timeout_request",
  dccpRespond: "nf_conntrack_dccp_timeout_respond",
  dccpPartopen: "nf_conntrack_dccp_timeout_partopen",
  dccpOpen: "nf_conntrack_dccp_timeout_open",
  dccpClosereq: "nf_conntrack_dccp_timeout_closereq",
  dccpClosing: "nf_conntrack_dccp_timeout_closing",
  dccpTimewait: "nf_conntrack_dccp_timeout_timewait",
  gre: "nf_conntrack_gre_timeout",
  greStream: "nf_conntrack_gre_timeout_stream",
  frag6: "nf_conntrack_frag6_timeout",
  flowtableTcp: "nf_flowtable_tcp_timeout",
  flowtableUdp: "nf_flowtable_udp_timeout",
} as const;

export type TimeoutName = keyof typeof TIMEOUTS;

export const timeoutKey = (name: TimeoutName): string => `net.netfilter.${TIMEOUTS[name]}`;

/** The numbers of what a program writes as words; a property without words is the number itself. */
type Words = ReadonlyMap<boolean | string, number>;

export interface Value {
  readonly key: string;
  readonly words?: Words;
}

const FLAG = new Map<boolean | string, number>([
  [false, 0],
  [true, 1],
]);

/** The kernel logs one protocol by its number, or all with 255. */
export const LOG_INVALID = {
  off: 0,
  all: 255,
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
} as const;
export type LogInvalid = keyof typeof LOG_INVALID;

/** Properties with one value each. */
export const VALUES = {
  // The one in /sys/module is the same, but network namespaces can only read this one, and containers often have no /sys.
  buckets: { key: "net.netfilter.nf_conntrack_buckets" },
  max: { key: "net.netfilter.nf_conntrack_max" },
  expectMax: { key: "net.netfilter.nf_conntrack_expect_max" },
  tcpLoose: { key: "net.netfilter.nf_conntrack_tcp_loose", words: FLAG },
  tcpBeLiberal: { key: "net.netfilter.nf_conntrack_tcp_be_liberal", words: FLAG },
  tcpIgnoreInvalidRst: { key: "net.netfilter.nf_conntrack_tcp_ignore_invalid_rst", words: FLAG },
  tcpMaxRetrans: { key: "net.netfilter.nf_conntrack_tcp_max_retrans" },
  dccpLoose: { key: "net.netfilter.nf_conntrack_dccp_loose", words: FLAG },
  accounting: { key: "net.netfilter.nf_conntrack_acct", words: FLAG },
  flowTimestamps: { key: "net.netfilter.nf_conntrack_timestamp", words: FLAG },
  events: { key: "net.netfilter.nf_conntrack_events", words: new Map([...FLAG, ["auto", 2]]) },
  checksum: { key: "net.netfilter.nf_conntrack_checksum", words: FLAG },
  helper: { key: "net.netfilter.nf_conntrack_helper", words: FLAG },
  logInvalid: { key: "net.netfilter.nf_conntrack_log_invalid", words: new Map(Object.entries(LOG_INVALID)) },
  synCookies: { key: "net.ipv4.tcp_syncookies", words: new Map([...FLAG, ["always", 2]]) },
  timestamps: { key: "net.ipv4.tcp_timestamps", words: new Map([...FLAG, ["noOffset", 2]]) },
  sack: { key: "net.ipv4.tcp_sack", words: FLAG },
  ecn: { key: "net.ipv4.tcp_ecn", words: new Map([...FLAG, ["incoming", 2]]) },
  windowScaling: { key: "net.ipv4.tcp_window_scaling", words: FLAG },
  maxSynBacklog: { key: "net.ipv4.tcp_max_syn_backlog" },
  somaxconn: { key: "net.core.somaxconn" },
  synackRetries: { key: "net.ipv4.tcp_synack_retries" },
  ipForward: { key: "net.ipv4.ip_forward", words: FLAG },
  ipNonlocalBind: { key: "net.ipv4.ip_nonlocal_bind", words: FLAG },
} as const satisfies Record<string, Value>;

export type ValueName = keyof typeof VALUES;

/** Properties of an interface, of `all` or of `default`: the last part of `net.ipv4.conf.NAME.`. */
export const INTERFACE_VALUES = {
  rpFilter: {
    key: "rp_filter",
    words: new Map([
      ["off", 0],
      ["strict", 1],
      ["loose", 2],
    ]),
  },
  routeLocalnet: { key: "route_localnet", words: FLAG },
  forwarding: { key: "forwarding", words: FLAG },
  acceptLocal: { key: "accept_local", words: FLAG },
  acceptRedirects: { key: "accept_redirects", words: FLAG },
  secureRedirects: { key: "secure_redirects", words: FLAG },
  sendRedirects: { key: "send_redirects", words: FLAG },
  acceptSourceRoute: { key: "accept_source_route", words: FLAG },
  srcValidMark: { key: "src_valid_mark", words: FLAG },
  logMartians: { key: "log_martians", words: FLAG },
  arpIgnore: { key: "arp_ignore" },
  arpAnnounce: { key: "arp_announce" },
  arpFilter: { key: "arp_filter", words: FLAG },
} as const satisfies Record<string, Value>;

export type InterfaceValueName = keyof typeof INTERFACE_VALUES;

/** sysctl.d(5): a dot in the interface's name is written as a slash. */
export const interfaceKey = (name: string, value: InterfaceValueName): string =>
  `net.ipv4.conf.${name.replaceAll(".", "/")}.${INTERFACE_VALUES[value].key}`;

export const parameterKey = (module: string, parameter: string): string =>
  `/sys/module/${module}/parameters/${parameter}`;

/** Of a router the kernel does not want redirects: it sets this along with `ip_forward`. */
export const FOLLOWS_FORWARD = "net.ipv4.conf.all.accept_redirects";

/** The property that sets this key, however it is spelled. */
export function propertyOf(key: string): string | undefined {
  const known = NAMED.get(key);
  if (known !== undefined) return known;
  const [, name, last] = /^net\.ipv4\.conf\.([^.]+)\.(\w+)$/.exec(key) ?? [];
  const property = Object.entries(INTERFACE_VALUES).find(([, value]) => value.key === last)?.[0];
  return name === undefined || property === undefined
    ? undefined
    : `interfaces["${name.replaceAll("/", ".")}"].${property}`;
}

const NAMED: ReadonlyMap<string, string> = new Map([
  ...Object.entries(VALUES).map(([name, { key }]) => [key, name] as const),
  ...(Object.keys(TIMEOUTS) as TimeoutName[]).map((name) => [timeoutKey(name), `timeouts.${name}`] as const),
  ["net.nf_conntrack_max", "max"],
  ["net.ipv4.conf.all.forwarding", "ipForward"],
]);
