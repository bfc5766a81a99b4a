import * as pulumi from "@pulumi/pulumi";

import { LINE_TOOLS } from "../../provider/engine/desired";
import { type ConnectionArgs, protect } from "./connection";
import { Host } from "./host";

/** What every resource takes beside its own arguments. */
export interface OnHost {
  /** The host it is for: a Host, or how to reach one. Another host makes it another resource. */
  host: Host | pulumi.Input<ConnectionArgs>;
  /**
   * Whether a change is confirmed over a new connection, which proves that the host still lets us in: `"always"`;
   * `"auto"`: when the change could reach the management connection; `"never"`: over the open one. In each case the host
   * undoes by itself what is not confirmed in time. Default: the Host's, or `lbshield:guard`, or `"auto"`.
   */
  guard?: pulumi.Input<"auto" | "always" | "never">;
  /**
   * How long the host waits for the confirmation before it undoes a change, 5 s to 1 h: seconds, or a text such as
   * `"30s"`. Default: the Host's, or `lbshield:confirmTimeout`, or 30 s.
   */
  confirmTimeout?: pulumi.Input<number | string>;
}

/** Host lines by kernel object, e.g. `chain synproxy/acme/prod/web/input`: `synproxy name "..."; drop`. */
export type LinesByObject = Readonly<Record<string, string>>;

/** TCP options as a server announces them when a connection opens. */
export interface LearnedOptions {
  readonly mss: number;
  /** Absent where its window has no scale. */
  readonly wscale?: number;
  readonly timestamp: boolean;
  readonly sackPerm: boolean;
}

/**
 * The provider, as the state keeps it: a constant, so that an upgrade of the package changes no resource and the state
 * stays small. Pulumi resolves the `require` from the user's project.
 */
const shim = (type: string): string => `exports.handler = () => require("pulumi-lbshield/provider").get("${type}");\n`;

/** Without the dependency: what depends on a component waits for all that stands under it, itself included. */
const urnOf = (resource: pulumi.Resource): Promise<string> =>
  new Promise((resolve) => {
    resource.urn.apply(resolve);
  });

/** A resource of the dynamic provider. */
export abstract class LbshieldResource extends pulumi.CustomResource {
  constructor(type: string, name: string, args: OnHost & object, opts: pulumi.CustomResourceOptions = {}) {
    const { host, guard, confirmTimeout, ...own } = args;
    const care = host instanceof Host ? host.care : {};
    const connection = host instanceof Host ? host.connection : protect(host);
    const parent = host instanceof Host ? { parent: host } : {};
    // Lines are computed from the arguments: secret where one of these is secret, unknown where one is unknown.
    const all = pulumi.output(own as Record<string, unknown>);
    const lines = all.apply(() => null);
    const redact = pulumi.output(pulumi.isSecret(all)).apply((secret) => (secret ? true : undefined));
    const owner = `${pulumi.getProject()}/${pulumi.getStack()}/${name}`;
    const token = `pulumi-nodejs:dynamic/lbshield:${type}`;
    const options = { ...parent, ...opts };
    const meta = {
      connection,
      owner,
      // On whose line the provider shows what takes long. (The SDK drops an input that is called urn.)
      resourceUrn: pulumi.createUrn(name, token, options.parent && urnOf(options.parent)),
      redact,
      guard: guard ?? care.guard,
      confirmTimeout: confirmTimeout ?? care.confirmTimeout,
    };
    const linesByTool = Object.fromEntries(LINE_TOOLS.map((tool) => [tool, lines]));
    // An output that no argument has: undefined where nothing is learned.
    super(token, name, { ...own, ...meta, ...linesByTool, learned: undefined, __provider: shim(type) }, options);
  }
}
