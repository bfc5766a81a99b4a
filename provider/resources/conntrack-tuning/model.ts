import { z } from "zod";

import { duration, flag, reason } from "../../values";
import { LOG_INVALID, type LogInvalid } from "./keys";

/**
 * The kernel keeps timeouts as jiffies in an int: at HZ=1000, the most there is, 2147483 s (24 days) fit. A larger
 * value is refused here, whatever the host's HZ.
 */
const timeout = duration(1, 2_147_483).optional();

const timeouts = z.strictObject(
  {
    /** A protocol without a tracker of its own. Kernel default 600 s. */
    generic: timeout,
    /** ICMP echo and the like. Kernel default 30 s. */
    icmp: timeout,
    /** ICMPv6. Kernel default 30 s. */
    icmpv6: timeout,
    /** UDP, seen in one direction. Kernel default 30 s. */
    udp: timeout,
    /** UDP, seen in both directions. Kernel default 120 s. */
    udpStream: timeout,
    /** TCP after the first SYN. Kernel default 120 s. */
    tcpSynSent: timeout,
    /** TCP after the SYN-ACK. Kernel default 60 s. */
    tcpSynRecv: timeout,
    /** TCP, established and idle. Kernel default 432000 s (5 days). */
    tcpEstablished: timeout,
    /** TCP after the first FIN. Kernel default 120 s. */
    tcpFinWait: timeout,
    /** TCP, closed by one side. Kernel default 60 s. */
    tcpCloseWait: timeout,
    /** TCP, waiting for the last ACK. Kernel default 30 s. */
    tcpLastAck: timeout,
    /** TCP TIME-WAIT. Kernel default 120 s. */
    tcpTimeWait: timeout,
    /** TCP after a reset. Kernel default 10 s. */
    tcpClose: timeout,
    /** TCP after `tcp_max_retrans` retransmissions without an answer. Kernel default 300 s. */
    tcpMaxRetrans: timeout,
    /** TCP with data that nobody acknowledged. Kernel default 300 s. */
    tcpUnacknowledged: timeout,
    /** SCTP, closed. Kernel default 10 s. */
    sctpClosed: timeout,
    /** SCTP after INIT. Kernel default 3 s. */
    sctpCookieWait: timeout,
    /** SCTP after COOKIE-ECHO. Kernel default 3 s. */
    sctpCookieEchoed: timeout,
    /** SCTP, established. Kernel default 210 s (432000 s before Linux 6.0). */
    sctpEstablished: timeout,
    /** SCTP after SHUTDOWN was sent. Kernel default 3 s. */
    sctpShutdownSent: timeout,
    /** SCTP after SHUTDOWN was received. Kernel default 3 s. */
    sctpShutdownRecd: timeout,
    /** SCTP after SHUTDOWN-ACK. Kernel default 3 s. */
    sctpShutdownAckSent: timeout,
    /** SCTP, a heartbeat on a path not seen before. Kernel default 30 s. */
    sctpHeartbeatSent: timeout,
    /** GRE, seen in one direction. Kernel default 30 s. */
    gre: timeout,
    /** GRE, seen in both directions. Kernel default 180 s. */
    greStream: timeout,
  },
  { error: reason('timeouts is an object such as { tcpEstablished: "5d" }') },
);

export const conntrackTuning = z
  .strictObject(
    {
      /**
       * Take up connections whose start was not seen (`nf_conntrack_tcp_loose`). SYNPROXY needs `false`: with `true`
       * the client's last ACK of the handshake is taken for a connection of its own. Kernel default true.
       */
      tcpLoose: flag("tcpLoose").optional(),
      /** Only resets outside the window are invalid (`nf_conntrack_tcp_be_liberal`). Kernel default false. */
      tcpBeLiberal: flag("tcpBeLiberal").optional(),
      /** Count packets and bytes of every connection (`nf_conntrack_acct`). Kernel default false. */
      accounting: flag("accounting").optional(),
      /** Log invalid packets of one protocol or of all (`nf_conntrack_log_invalid`). Kernel default off. */
      logInvalid: z
        .enum(Object.keys(LOG_INVALID) as [LogInvalid, ...LogInvalid[]], {
          error: reason(`logInvalid is one of ${Object.keys(LOG_INVALID).join(", ")}`),
        })
        .optional(),
      /**
       * SYN cookies (`tcp_syncookies`): never, when a listener's queue overflows, or `"always"`. SYNPROXY needs `true`.
       * Kernel default true.
       */
      synCookies: z
        .union([z.boolean(), z.literal("always")], { error: reason('synCookies is true, false or "always"') })
        .optional(),
      /**
       * TCP timestamps of the host's own connections (`tcp_timestamps`); `"noOffset"`: without the random offset for
       * each connection. SYNPROXY needs `true`. Kernel default true.
       */
      timestamps: z
        .union([z.boolean(), z.literal("noOffset")], { error: reason('timestamps is true, false or "noOffset"') })
        .optional(),
      /**
       * How long conntrack remembers an idle connection: seconds (1 to 2147483), or texts such as `"90s"`, `"2h"`,
       * `"5d"`. A timeout that is not named is left as it is.
       */
      timeouts: timeouts.optional(),
    },
    { error: reason("a ConntrackTuning is an object such as { tcpLoose: false }") },
  )
  .superRefine((args, ctx) => {
    const { timeouts: named, ...values } = args;
    const some = [...Object.values(values), ...Object.values(named ?? {})].some((v) => v !== undefined);
    if (!some) ctx.addIssue({ code: "custom", message: "nothing is tuned: give at least one value" });
  });

/** What a program writes. */
export type ConntrackTuningArgs = z.input<typeof conntrackTuning>;
/** The one canonical form of it. */
export type ConntrackTuningModel = z.output<typeof conntrackTuning>;
