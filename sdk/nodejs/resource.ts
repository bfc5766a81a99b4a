import * as pulumi from "@pulumi/pulumi";

import { type ConnectionArgs, protect } from "./connection";
import { Host } from "./host";

/** What every resource takes beside its own arguments. */
export interface OnHost {
  /** The host it is for: a Host, or how to reach one. Another host makes it another resource. */
  host: Host | pulumi.Input<ConnectionArgs>;
}

/** Host lines by kernel object, e.g. `chain synproxy/acme/prod/web/input`: `synproxy name "..."; drop`. */
export type LinesByObject = Readonly<Record<string, string>>;

/**
 * The provider, as the state keeps it: a constant, so that an upgrade of the package changes no resource and the state
 * stays small. Pulumi resolves the `require` from the user's project.
 */
const shim = (type: string): string => `exports.handler = () => require("pulumi-lbshield/provider").get("${type}");\n`;

/** A resource of the dynamic provider. */
export abstract class LbshieldResource extends pulumi.CustomResource {
  constructor(type: string, name: string, args: OnHost & object, opts: pulumi.CustomResourceOptions = {}) {
    const { host, ...own } = args;
    const connection = host instanceof Host ? host.connection : protect(host);
    const parent = host instanceof Host ? { parent: host } : {};
    // Lines are computed from the arguments: secret where one of these is secret, unknown where one is unknown.
    const all = pulumi.output(own as Record<string, unknown>);
    const lines = all.apply(() => null);
    const redact = pulumi.output(pulumi.isSecret(all)).apply((secret) => (secret ? true : undefined));
    const owner = `${pulumi.getProject()}/${pulumi.getStack()}/${name}`;
    super(
      `pulumi-nodejs:dynamic/lbshield:${type}`,
      name,
      { ...own, connection, owner, redact, nft: lines, sysctl: lines, __provider: shim(type) },
      { ...parent, ...opts },
    );
  }
}
