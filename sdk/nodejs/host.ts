import * as pulumi from "@pulumi/pulumi";

import { type ConnectionArgs, protect } from "./connection";

export interface HostArgs {
  /** How to reach it. */
  connection: pulumi.Input<ConnectionArgs>;
  /** Whether changes are confirmed over a new connection; see the resources' argument of that name. */
  guard?: pulumi.Input<"auto" | "always" | "never">;
  /** How long the host waits for the confirmation of a change before it undoes it; see the resources' argument. */
  confirmTimeout?: pulumi.Input<number | string>;
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
  /** How carefully its changes are made. */
  readonly care: Pick<HostArgs, "guard" | "confirmTimeout">;

  constructor(name: string, args: HostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("lbshield:index:Host", name, {}, opts);
    this.connection = protect(args.connection);
    const { guard, confirmTimeout } = args;
    this.care = {
      ...(guard === undefined ? {} : { guard }),
      ...(confirmTimeout === undefined ? {} : { confirmTimeout }),
    };
    this.registerOutputs({});
  }
}
