import type * as pulumi from "@pulumi/pulumi";

import { type LoadBalancerArgs as Args } from "../../provider/resources/load-balancer/model";
import { type Inputs } from "./inputs";
import { type LearnedOptions, type LinesByObject, LbshieldResource, type OnHost } from "./resource";

/** Arguments of a LoadBalancer. */
export type LoadBalancerArgs = Inputs<Args> & OnHost;

/**
 * The whole configuration of a host as one resource: what the other resources declare, as parts with names. The fast
 * way for hosts with many rules, since Pulumi's own work grows with the square of the number of resources: a thousand
 * rules in one resource take the time of one.
 *
 * Its diff and its drift name part and property. A change of one part touches nothing of the others. Parts that cannot
 * both be, because they protect the same key or want different values, are an error at preview that names both.
 *
 * ```ts
 * new lbshield.LoadBalancer("lb1", {
 *   host: lb1,
 *   conntrack: { tcpLoose: false, timeouts: { tcpEstablished: "5d" } },
 *   synproxyRules: {
 *     web: { chain: "input", match: { destinations: ["203.0.113.10"], ports: [80, 443] } },
 *     dmz: { chain: "input", match: { destinations: ["203.0.113.11"], ports: ["8000-8080"] } },
 *   },
 * });
 * ```
 */
export class LoadBalancer extends LbshieldResource {
  /** The kernel modules that parts have loaded. */
  declare readonly modprobe: pulumi.Output<LinesByObject>;
  /** The nft objects on the host, and their content: a part's begin with its name, as in `synproxy.web.input`. */
  declare readonly nft: pulumi.Output<LinesByObject>;
  /** The values on the host, those that parts tune and those that they need. */
  declare readonly sysctl: pulumi.Output<LinesByObject>;
  /** Of parts with `options: "learn"`, by name: what the server itself announces, as in `learned.synproxyRules.web.mss`. */
  declare readonly learned: pulumi.Output<
    { readonly synproxyRules?: Readonly<Record<string, LearnedOptions>> } | undefined
  >;

  constructor(name: string, args: LoadBalancerArgs, opts?: pulumi.CustomResourceOptions) {
    super("LoadBalancer", name, args, opts);
  }
}
