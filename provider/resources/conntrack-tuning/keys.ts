/** The sysctl behind each property. Source: Documentation/networking/nf_conntrack-sysctl.rst and ip-sysctl.rst. */

export const TIMEOUTS = {
  generic: "generic_timeout",
  icmp: "icmp_timeout",
  icmpv6: "icmpv6_timeout",
  udp: "udp_timeout",
  udpStream: "udp_timeout_stream",
  tcpSynSent: "tcp_timeout_syn_sent",
  tcpSynRecv: "tcp_timeout_syn_recv",
  tcpEstablished: "tcp_timeout_established",
  tcpFinWait: "tcp_timeout_fin_wait",
  tcpCloseWait: "tcp_timeout_close_wait",
  tcpLastAck: "tcp_timeout_last_ack",
  tcpTimeWait: "tcp_timeout_time_wait",
  tcpClose: "tcp_timeout_close",
  tcpMaxRetrans: "tcp_timeout_max_retrans",
  tcpUnacknowledged: "tcp_timeout_unacknowledged",
  sctpClosed: "sctp_timeout_closed",
  sctpCookieWait: "sctp_timeout_cookie_wait",
  sctpCookieEchoed: "sctp_timeout_cookie_echoed",
  sctpEstablished: "sctp_timeout_established",
  sctpShutdownSent: "sctp_timeout_shutdown_sent",
  sctpShutdownRecd: "sctp_timeout_shutdown_recd",
  sctpShutdownAckSent: "sctp_timeout_shutdown_ack_sent",
  sctpHeartbeatSent: "sctp_timeout_heartbeat_sent",
  gre: "gre_timeout",
  greStream: "gre_timeout_stream",
} as const;

export type TimeoutName = keyof typeof TIMEOUTS;

export const timeoutKey = (name: TimeoutName): string => `net.netfilter.nf_conntrack_${TIMEOUTS[name]}`;

/** The kernel logs one protocol by its number, or all with 255. */
export const LOG_INVALID = { off: 0, all: 255, icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;
export type LogInvalid = keyof typeof LOG_INVALID;

/** Properties with one value each, and the sysctl's number for every value that a program can write. */
export const VALUES = {
  tcpLoose: {
    key: "net.netfilter.nf_conntrack_tcp_loose",
    numbers: new Map([
      [false, 0],
      [true, 1],
    ]),
  },
  tcpBeLiberal: {
    key: "net.netfilter.nf_conntrack_tcp_be_liberal",
    numbers: new Map([
      [false, 0],
      [true, 1],
    ]),
  },
  accounting: {
    key: "net.netfilter.nf_conntrack_acct",
    numbers: new Map([
      [false, 0],
      [true, 1],
    ]),
  },
  logInvalid: {
    key: "net.netfilter.nf_conntrack_log_invalid",
    numbers: new Map(Object.entries(LOG_INVALID) as [LogInvalid, number][]),
  },
  synCookies: {
    key: "net.ipv4.tcp_syncookies",
    numbers: new Map<boolean | "always", number>([
      [false, 0],
      [true, 1],
      ["always", 2],
    ]),
  },
  timestamps: {
    key: "net.ipv4.tcp_timestamps",
    numbers: new Map<boolean | "noOffset", number>([
      [false, 0],
      [true, 1],
      ["noOffset", 2],
    ]),
  },
} as const satisfies Record<string, { key: string; numbers: ReadonlyMap<boolean | string, number> }>;

export type ValueName = keyof typeof VALUES;
