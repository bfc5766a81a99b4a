import type * as pulumi from "@pulumi/pulumi";

import { type SynproxyRuleArgs as Args } from "../../provider/resources/synproxy-rule/model";
import { type Inputs } from "./inputs";
import { type LinesByObject, LbshieldResource, type OnHost } from "./resource";

/** Arguments of a SynproxyRule. */
export type SynproxyRuleArgs = Inputs<Args> & OnHost;

/**
 * A SYN proxy in front of a TCP service of the balancer: the kernel answers clients with SYN cookies, and a connection
 * exists only once a client has completed the handshake. Spoofed SYNs leave nothing behind.
 *
 * It needs `tcp_loose=0`, SYN cookies and TCP timestamps, and sees to them.
 *
 * ```ts
 * new lbshield.SynproxyRule("web", {
 *   host: lb1, chain: "input",
 *   match: { destinations: ["203.0.113.10"], ports: [80, 443], interfaces: ["eth0"] },
 *   options: { mss: 1460, wscale: 7, timestamp: true, sackPerm: true },
 * });
 * ```
 */
export class SynproxyRule extends LbshieldResource {
  /** The nft objects on the host, and their content. */
  declare readonly nft: pulumi.Output<LinesByObject>;
  /** The values that it needs. */
  declare readonly sysctl: pulumi.Output<LinesByObject>;

  constructor(name: string, args: SynproxyRuleArgs, opts?: pulumi.CustomResourceOptions) {
    super("SynproxyRule", name, args, opts);
  }
}
