import type * as pulumi from "@pulumi/pulumi";

import { type ConntrackTuningArgs as Args } from "../../provider/resources/conntrack-tuning/model";
import { type Inputs } from "./inputs";
import { type LinesByObject, LbshieldResource, type OnHost } from "./resource";

/** Arguments of a ConntrackTuning. */
export type ConntrackTuningArgs = Inputs<Args> & OnHost;

/**
 * How a host tracks connections. A value that is not named is left as it is; when the resource goes, what was there
 * before comes back.
 *
 * ```ts
 * new lbshield.ConntrackTuning("conntrack", {
 *   host: lb1, tcpLoose: false, timeouts: { tcpEstablished: "5d" },
 * });
 * ```
 */
export class ConntrackTuning extends LbshieldResource {
  /** The values on the host. */
  declare readonly sysctl: pulumi.Output<LinesByObject>;

  constructor(name: string, args: ConntrackTuningArgs, opts?: pulumi.CustomResourceOptions) {
    super("ConntrackTuning", name, args, opts);
  }
}
