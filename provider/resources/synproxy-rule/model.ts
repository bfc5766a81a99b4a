import { z } from "zod";

import {
  address4,
  canonicalAddresses,
  canonicalNames,
  canonicalPorts,
  flag,
  interfaceName,
  portOrRange,
  reason,
  wholeNumber,
} from "../../values";

const NO_ECN =
  "SYNPROXY in nftables cannot offer ECN: nft has no word for it and the kernel refuses the flag (EOPNOTSUPP). " +
  "Clients that ask for ECN are served without it";

/** What Linux itself announces with its usual receive buffers, and FireHOL's default. */
const DEFAULT_WSCALE = 7;

const match = z.strictObject(
  {
    /**
     * Addresses of the balancer that clients connect to, IPv4. Protection covers every combination of these with
     * `ports`.
     */
    destinations: z
      .array(address4, { error: reason("destinations is a list of IPv4 addresses") })
      .min(1, { error: () => "[]: a rule needs at least one destination address" })
      .transform(canonicalAddresses),
    /**
     * TCP ports, 1 to 65535: numbers, or ranges such as `"8000-8080"`. A single port of one rule goes before a range
     * of another that contains it.
     */
    ports: z
      .array(portOrRange, { error: reason("ports is a list of ports and ranges") })
      .min(1, { error: () => "[]: a rule needs at least one port" })
      .transform(canonicalPorts),
    /**
     * Interfaces on which clients arrive, at most 15 characters each. Default: all. A rule with interfaces goes before
     * one without.
     */
    interfaces: z
      .array(interfaceName, { error: reason("interfaces is a list of interface names") })
      .min(1, { error: () => "[]: an empty list would match nothing; leave interfaces out to match all" })
      .transform(canonicalNames)
      .optional(),
  },
  { error: reason("match says which connections are protected: { destinations, ports, interfaces }") },
);

const options = z
  .strictObject(
    {
      /**
       * Maximum segment size that the proxy announces to clients, in bytes, 88 to 65495; default 1460. Should be what
       * the server itself would announce: SYN cookies keep only the classes 536, 1300, 1440 and 1460 of what the client
       * sent. RFC 9293, 3.7.1.
       */
      mss: wholeNumber(88, 65495, "mss").default(1460),
      /**
       * Window scale that the proxy announces, 0 to 14 (RFC 7323, 2.3); default 7 with `timestamp`, none without. Should
       * be the server's own (`ss -ti` on it shows `wscale`): a smaller one slows uploads down, a larger one overruns it.
       * Needs `timestamp`, where the cookie keeps it.
       */
      wscale: wholeNumber(0, 14, "wscale").optional(),
      /**
       * TCP timestamps (RFC 7323, 3); default false. They carry window scale and SACK through the handshake, at a
       * price: the backend drops the proxy's first ACK, so a server that speaks first (SSH, SMTP, FTP, MySQL) is heard
       * about a second late.
       */
      timestamp: flag("timestamp").default(false),
      /** Selective acknowledgement (RFC 2018); default false. Needs `timestamp`. */
      sackPerm: flag("sackPerm").default(false),
      /** Not available: refused, with the reason. */
      ecn: z.undefined({ error: () => NO_ECN }).optional(),
    },
    { error: reason("options is an object such as { mss: 1460, timestamp: true, wscale: 7 }") },
  )
  .superRefine((o, ctx) => {
    const needs = (name: string) => `${name} needs timestamp: true, because a SYN cookie keeps it in the timestamp`;
    if (o.timestamp) return;
    if (o.wscale !== undefined)
      ctx.addIssue({ code: "custom", path: ["wscale"], message: `${o.wscale.toString()}: ${needs("wscale")}` });
    if (o.sackPerm) ctx.addIssue({ code: "custom", path: ["sackPerm"], message: `true: ${needs("sackPerm")}` });
  })
  // nft cannot leave the scale out: without one it would announce 0, and uploads would crawl.
  .transform(({ mss, wscale = DEFAULT_WSCALE, timestamp, sackPerm }) =>
    timestamp ? { mss, wscale, timestamp, sackPerm } : { mss, timestamp, sackPerm },
  );

export const synproxyRule = z.strictObject(
  {
    /** The hook at which the proxy answers. `input`: the server is on the balancer itself (HAProxy, LVS). */
    chain: z.literal("input", { error: reason('chain is "input": protect a service of the balancer itself') }),
    /** Which connections are protected. */
    match,
    /** TCP options of the handshake. Default: mss 1460 and nothing else. */
    options: options.prefault({}),
  },
  { error: reason('a SynproxyRule is an object such as { chain: "input", match: { destinations, ports } }') },
);

/** What a program writes. */
export type SynproxyRuleArgs = z.input<typeof synproxyRule>;
/** The one canonical form of it, defaults filled in. */
export type SynproxyRuleModel = z.output<typeof synproxyRule>;
