import * as pulumi from "@pulumi/pulumi";

import { type ConnectionArgs, protect } from "./connection";

export interface HostArgs {
  /** How to reach it. */
  connection: pulumi.Input<ConnectionArgs>;
}

/**
 * A load balancer: a Linux machine that resources are declared for. They stand under it in the resource tree.
 *
 * ```ts
 * const lb1 = new lbshield.Host("lb1", { connection: { host: "lb1.example.net", user: "root" } });
 * ```
 */
export class Host extends pulumi.ComponentResource {
  /** How to reach it; keys and passwords in it are secrets. */
  readonly connection: pulumi.Input<ConnectionArgs>;

  constructor(name: string, args: HostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("lbshield:index:Host", name, {}, opts);
    this.connection = protect(args.connection);
    this.registerOutputs({});
  }
}
