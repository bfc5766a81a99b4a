import { z } from "zod";

import { duration, flag, interfaceName, reason, show, size, wholeNumber } from "../../values";
import { LOG_INVALID, type LogInvalid, propertyOf } from "./keys";
import { sizesFor, sizesProblem, wholePages } from "./memory";

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
    /** SCTP, a path that answered a heartbeat; not in Linux 6.1 and later. Kernel default 210 s. */
    sctpHeartbeatAcked: timeout,
    /** DCCP after the request; DCCP is not in Linux 6.18. Kernel default 240 s. */
    dccpRequest: timeout,
    /** DCCP after the response. Kernel default 480 s. */
    dccpRespond: timeout,
    /** DCCP, open as one side sees it. Kernel default 480 s. */
    dccpPartopen: timeout,
    /** DCCP, open and idle. Kernel default 43200 s (12 hours). */
    dccpOpen: timeout,
    /** DCCP after a close request. Kernel default 64 s. */
    dccpClosereq: timeout,
    /** DCCP, closing. Kernel default 64 s. */
    dccpClosing: timeout,
    /** DCCP TIMEWAIT. Kernel default 240 s. */
    dccpTimewait: timeout,
    /** GRE, seen in one direction. Kernel default 30 s. */
    gre: timeout,
    /** GRE, seen in both directions. Kernel default 180 s. */
    greStream: timeout,
    /** A fragment of IPv6 that waits for the others. Kernel default 60 s. */
    frag6: timeout,
    /** TCP in an nftables flowtable, before it goes back to conntrack. Linux 5.14 or later; kernel default 30 s. */
    flowtableTcp: timeout,
    /** UDP in an nftables flowtable, before it goes back to conntrack. Linux 5.14 or later; kernel default 30 s. */
    flowtableUdp: timeout,
  },
  { error: reason('timeouts is an object such as { tcpEstablished: "5d" }') },
);

const switchable = (what: string) => flag(what).optional();

const ofInterface = z.strictObject(
  {
    /**
     * Source validation (`rp_filter`, RFC 3704): `"strict"` takes a packet only on the interface that leads back to its
     * source, `"loose"` when any does. The larger number of `all` and the interface counts (off 0, strict 1, loose 2).
     */
    rpFilter: z.enum(["off", "strict", "loose"], { error: reason("rpFilter is one of off, strict, loose") }).optional(),
    /**
     * Route 127.0.0.0/8 like other addresses (`route_localnet`), for redirects to a local service. One of `all` and the
     * interface is enough. Kernel default false.
     */
    routeLocalnet: switchable("routeLocalnet"),
    /** Forward what arrives here (`forwarding`). For all interfaces at once it is `ipForward`. */
    forwarding: switchable("forwarding"),
    /** Take packets whose source is an address of this host (`accept_local`). Kernel default false. */
    acceptLocal: switchable("acceptLocal"),
    /** Take ICMP redirects (`accept_redirects`). Where the interface forwards, `all` must agree. */
    acceptRedirects: switchable("acceptRedirects"),
    /** Take redirects only to gateways that are known (`secure_redirects`). Kernel default true. */
    secureRedirects: switchable("secureRedirects"),
    /** Send ICMP redirects, as a router does (`send_redirects`). One of `all` and the interface is enough. */
    sendRedirects: switchable("sendRedirects"),
    /** Take packets with a source route (`accept_source_route`). `all` must agree. */
    acceptSourceRoute: switchable("acceptSourceRoute"),
    /**
     * Use the packet's mark when its source is validated (`src_valid_mark`). With `rpFilter: "strict"` it breaks
     * transparent proxying. Kernel default false.
     */
    srcValidMark: switchable("srcValidMark"),
    /** Log packets with impossible addresses (`log_martians`). Kernel default false. */
    logMartians: switchable("logMartians"),
    /**
     * Which ARP requests are answered (`arp_ignore`), 0 to 8: 1 only for addresses of the interface itself, as a server
     * behind LVS with direct routing needs. Kernel default 0.
     */
    arpIgnore: wholeNumber(0, 8, "arpIgnore").optional(),
    /**
     * Which address the host's own ARP requests carry (`arp_announce`), 0 to 2: 2 the best one of the interface, as a
     * server behind LVS with direct routing needs. Kernel default 0.
     */
    arpAnnounce: wholeNumber(0, 2, "arpAnnounce").optional(),
    /** Answer ARP on an interface only when packets to the asker leave through it (`arp_filter`). Kernel default false. */
    arpFilter: switchable("arpFilter"),
  },
  { error: reason('an interface has values such as { rpFilter: "loose" }') },
);

const sorted = <V>(record: Record<string, V>): Record<string, V> =>
  Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** Of a key that a record may not have, the reason. */
const keyed =
  (why: string, key: string) =>
  (issue: { readonly code?: string; readonly input?: unknown }): string =>
    issue.code === "invalid_key" ? `${show(issue.input)}: ${key}` : reason(why)(issue);

const NUMBER_OR_TEXT = "a value is a whole number or a text in one line";

/** A number where it can be one; texts with single spaces, as the kernel's are compared. */
const numberOrText = z
  .union([z.int(), z.string().regex(/^[^\x00-\x08\x0a-\x1f\x7f]{1,4096}$/, { error: reason(NUMBER_OR_TEXT) })], {
    error: reason(NUMBER_OR_TEXT),
  })
  .transform((value): number | string => {
    const text = value.toString().trim().replace(/\s+/g, " ");
    return /^(0|-?[1-9][0-9]{0,14})$/.test(text) ? Number(text) : text;
  });

const EXTRA_KEY = /^net(\.[\w@+-]+(\/[\w@+-]+)*)+$/;

const extra = z
  .record(z.string().regex(EXTRA_KEY), numberOrText, {
    error: keyed(
      'extra has for each sysctl its value: { "net.ipv4.tcp_fin_timeout": 30 }',
      "a key is a sysctl below net, as sysctl -a shows it; a dot in an interface's name is a slash",
    ),
  })
  .superRefine((values, ctx) => {
    for (const key of Object.keys(values)) {
      const property = propertyOf(key);
      if (property !== undefined)
        ctx.addIssue({ code: "custom", path: [key], message: `has a property of its own: ${property}` });
    }
  })
  .transform(sorted);

const MODULE_NAME = /^[a-z0-9_]+$/;

/** `Y` and `N` are how the kernel writes a flag. */
const parameterValue = z
  .union([z.boolean(), numberOrText], { error: reason("a parameter is true, false, a whole number or a text") })
  .transform((value): ParameterValue => (value === "Y" ? true : value === "N" ? false : value));

const modules = z
  .record(
    z.string().regex(MODULE_NAME),
    z
      .record(z.string().regex(/^\w+$/), parameterValue, {
        error: keyed(
          "a module has for each parameter its value: { conn_reuse: true }",
          "a parameter is named as modinfo -p shows it",
        ),
      })
      .transform(sorted),
    {
      error: keyed(
        "modules has for each kernel module its parameters: { ip_vs: {} }",
        "a module is named in small letters, digits and underscores",
      ),
    },
  )
  .superRefine(({ nf_conntrack }, ctx) => {
    if (nf_conntrack?.hashsize !== undefined)
      ctx.addIssue({
        code: "custom",
        path: ["nf_conntrack", "hashsize"],
        message: "has a property of its own: buckets",
      });
  })
  .transform(sorted);

/** A parameter of a kernel module. */
export type ParameterValue = boolean | number | string;

/** The most that the kernel's counters hold. */
const INT_MAX = 2_147_483_647;

export const conntrackTuning = z
  .strictObject(
    {
      /**
       * The most connections that are tracked (`nf_conntrack_max`), 1 to 2147483647: a number, or a text such as
       * `"1Mi"`. Beyond it new ones are dropped. Kernel default: as many as `buckets`.
       */
      max: size(1, INT_MAX, "max").optional(),
      /**
       * Buckets of the hash table (`nf_conntrack_buckets`, the module's `hashsize`), 1 to 536870400: a number, or a text
       * such as `"256Ki"`. The kernel rounds up to whole pages: to a multiple of 512, of more where pages are larger. An
       * entry is in two of them, so with `max` as large a full table has chains of 2; more than 8 times as large is
       * refused. Kernel default: memory divided by 16384, 1024 to 262144.
       */
      buckets: size(1, 536_870_400, "buckets").transform(wholePages).optional(),
      /**
       * Memory that the table may take when it is full, in bytes or as a text such as `"512Mi"`; at least 1Mi. An entry
       * takes about 288 bytes, a bucket 8. Alone it gives `max` and `buckets`, as many of one as of the other: budget /
       * 296, rounded down to a multiple of 512. With one of them or both, it is a limit that is checked.
       */
      memoryBudget: size(2 ** 20, 2 ** 50, "memoryBudget").optional(),
      /**
       * The most connections that helpers may expect at a time (`nf_conntrack_expect_max`), 1 to 2147483647: a number,
       * or a text such as `"4Ki"`. Kernel default: `buckets` / 256 at start, at least 1, times 4.
       */
      expectMax: size(1, INT_MAX, "expectMax").optional(),
      /**
       * Take up connections whose start was not seen (`nf_conntrack_tcp_loose`). SYNPROXY needs `false`: with `true`
       * the client's last ACK of the handshake is taken for a connection of its own. Kernel default true.
       */
      tcpLoose: switchable("tcpLoose"),
      /** Only resets outside the window are invalid (`nf_conntrack_tcp_be_liberal`). Kernel default false. */
      tcpBeLiberal: switchable("tcpBeLiberal"),
      /**
       * Resets outside the window are not invalid (`nf_conntrack_tcp_ignore_invalid_rst`). Linux 5.14 or later; kernel
       * default false.
       */
      tcpIgnoreInvalidRst: switchable("tcpIgnoreInvalidRst"),
      /**
       * Packets sent again without an answer, 0 to 255, after which the timeout `tcpMaxRetrans` holds
       * (`nf_conntrack_tcp_max_retrans`). Kernel default 3.
       */
      tcpMaxRetrans: wholeNumber(0, 255, "tcpMaxRetrans").optional(),
      /**
       * Take up DCCP connections whose start was not seen (`nf_conntrack_dccp_loose`). Not in Linux 6.18; kernel
       * default true.
       */
      dccpLoose: switchable("dccpLoose"),
      /** Count packets and bytes of every connection (`nf_conntrack_acct`). Kernel default false. */
      accounting: switchable("accounting"),
      /** Keep when every connection began and ended (`nf_conntrack_timestamp`). Kernel default false. */
      flowTimestamps: switchable("flowTimestamps"),
      /**
       * Tell listeners (`conntrack -E`, conntrackd) of new and ended connections (`nf_conntrack_events`): always,
       * never, or `"auto"`, while somebody listens. Kernel default `"auto"`; true before Linux 5.19, which has no auto.
       */
      events: z
        .union([z.boolean(), z.literal("auto")], { error: reason('events is true, false or "auto"') })
        .optional(),
      /** Packets with a wrong checksum are invalid (`nf_conntrack_checksum`). Kernel default true. */
      checksum: switchable("checksum"),
      /**
       * Give helpers to connections by their ports alone (`nf_conntrack_helper`): unsafe, use rules instead. Gone since
       * Linux 6.0; kernel default false.
       */
      helper: switchable("helper"),
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
      /** Selective acknowledgement of the host's own connections (`tcp_sack`, RFC 2018). Kernel default true. */
      sack: switchable("sack"),
      /**
       * ECN of the host's own connections (`tcp_ecn`, RFC 3168): never, always asked for, or `"incoming"`, when the
       * other side asks. Kernel default `"incoming"`.
       */
      ecn: z
        .union([z.boolean(), z.literal("incoming")], { error: reason('ecn is true, false or "incoming"') })
        .optional(),
      /** Window scaling of the host's own connections (`tcp_window_scaling`, RFC 7323). Kernel default true. */
      windowScaling: switchable("windowScaling"),
      /**
       * Half-open connections that a listener of the host itself keeps (`tcp_max_syn_backlog`), 1 to 2147483647: a
       * number, or a text such as `"4Ki"`. Beyond it SYN cookies begin. Kernel default: by memory, 128 or more.
       */
      maxSynBacklog: size(1, INT_MAX, "maxSynBacklog").optional(),
      /**
       * The most connections that wait for a listener of the host to accept them (`net.core.somaxconn`), 1 to
       * 2147483647: a number, or a text such as `"64Ki"`. Kernel default 4096 (128 before Linux 5.4).
       */
      somaxconn: size(1, INT_MAX, "somaxconn").optional(),
      /**
       * How often a SYN-ACK of the host itself is sent again, 0 to 255 (`tcp_synack_retries`). Kernel default 5, which is
       * given up after 63 s.
       */
      synackRetries: wholeNumber(0, 255, "synackRetries").optional(),
      /**
       * Forward IPv4 packets (`ip_forward`). The kernel sets `forwarding` of every interface along with it, and
       * `accept_redirects` of `all` to its opposite. Kernel default false.
       */
      ipForward: switchable("ipForward"),
      /** Let programs bind addresses that the host does not have (`ip_nonlocal_bind`). Kernel default false. */
      ipNonlocalBind: switchable("ipNonlocalBind"),
      /**
       * IPv4 values by interface (`net.ipv4.conf.NAME`): `all` is for the host, `default` for interfaces that come
       * later and for those whose own value nobody has set.
       */
      interfaces: z
        .record(interfaceName, ofInterface, {
          error: keyed(
            'interfaces has for each name its values: { eth0: { rpFilter: "loose" } }',
            "an interface's name has at most 15 bytes and no space, slash, colon, quote or wildcard",
          ),
        })
        .superRefine(({ all }, ctx) => {
          if (all?.forwarding !== undefined)
            ctx.addIssue({
              code: "custom",
              path: ["all", "forwarding"],
              message: "has a property of its own: ipForward",
            });
        })
        .transform((interfaces) =>
          sorted(Object.fromEntries(Object.entries(interfaces).filter(([, values]) => isNamed(values)))),
        )
        .optional(),
      /**
       * How long conntrack remembers an idle connection: seconds (1 to 2147483), or texts such as `"90s"`, `"2h"`,
       * `"5d"`. A timeout that is not named is left as it is.
       */
      timeouts: timeouts.optional(),
      /**
       * Parameters of kernel modules that can be written while they are loaded (`/sys/module/NAME/parameters`), by
       * module. A module that is not there is loaded, and stays. The hash size of `nf_conntrack` is `buckets`.
       */
      modules: modules.optional(),
      /**
       * Other sysctls below `net`, by key: numbers or texts. One that the host does not have is an error, and one that
       * has a property here too. A dot in an interface's name is written as a slash.
       */
      extra: extra.optional(),
    },
    { error: reason("a ConntrackTuning is an object such as { tcpLoose: false }") },
  )
  .superRefine((args, ctx) => {
    if (!isTuned(args)) ctx.addIssue({ code: "custom", message: "nothing is tuned: give at least one value" });
    const { max, buckets, memoryBudget } = args;
    const budgetAlone = memoryBudget !== undefined && max === undefined && buckets === undefined;
    const sizes = budgetAlone ? sizesFor(memoryBudget) : { max, buckets };
    const problem = sizesProblem(sizes, memoryBudget);
    // What the arithmetic shows follows from the values: it is left out where these are secret.
    if (problem)
      ctx.addIssue({
        code: "custom",
        path: [problem.at],
        message: problem.why,
        params: { detail: problem.arithmetic },
      });
  });

/** Is a value named, or a module to be loaded? */
const isTuned = ({ modules: loaded = {}, ...values }: object & { modules?: object | undefined }): boolean =>
  Object.keys(loaded).length > 0 || Object.values(values).some(isNamed);

const isNamed = (value: unknown): boolean =>
  typeof value === "object" && value !== null ? Object.values(value).some(isNamed) : value !== undefined;

/** What a program writes. */
export type ConntrackTuningArgs = z.input<typeof conntrackTuning>;
/** The one canonical form of it. */
export type ConntrackTuningModel = z.output<typeof conntrackTuning>;
