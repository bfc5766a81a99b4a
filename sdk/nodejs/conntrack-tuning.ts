import type * as pulumi from "@pulumi/pulumi";

import { type ConntrackTuningArgs as Args } from "../../provider/resources/conntrack-tuning/model";
import { type Inputs } from "./inputs";
import { type LinesByObject, LbshieldResource, type OnHost } from "./resource";

/** Arguments of a ConntrackTuning. */
export type ConntrackTuningArgs = Inputs<Args> & OnHost;

/**
 * How a host tracks connections, and the values of its kernel that load balancing and shielding depend on. A value that
 * is not named is left as it is; when the resource goes, what was there before comes back.
 *
 * ```ts
 * new lbshield.ConntrackTuning("conntrack", {
 *   host: lb1,
 *   max: "1Mi",
 *   buckets: "512Ki",
 *   tcpLoose: false,
 *   interfaces: { eth0: { rpFilter: "loose" } },
 *   timeouts: { tcpEstablished: "5d" },
 * });
 * ```
 */
export class ConntrackTuning extends LbshieldResource {
  /** The kernel modules that are loaded for it. */
  declare readonly modprobe: pulumi.Output<LinesByObject>;
  /** The values on the host. */
  declare readonly sysctl: pulumi.Output<LinesByObject>;

  constructor(name: string, args: ConntrackTuningArgs, opts?: pulumi.CustomResourceOptions) {
    super("ConntrackTuning", name, args, opts);
  }
}
