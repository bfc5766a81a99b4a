import * as pulumi from "@pulumi/pulumi";

import { type ConnectionArgs as Args, SECRET_MEMBERS } from "../../provider/host/connection";
import { type Inputs } from "./inputs";

/**
 * How to reach a host over SSH; the connection arguments of `@pulumi/command`, so that one object serves both. The
 * host's key is always verified: by `hostKey`, or by known_hosts.
 */
export interface ConnectionArgs extends Inputs<Omit<Args, "proxy">> {
  /** A bastion to go through, which may have a `proxy` of its own. Three in a row are the most. */
  proxy?: pulumi.Input<ConnectionArgs> | undefined;
}

/** Keys and passwords become secrets one by one: a single secret member would make the whole object unreadable. */
export function protect(connection: pulumi.Input<ConnectionArgs>): pulumi.Input<ConnectionArgs> {
  if (pulumi.Output.isInstance(connection) || connection instanceof Promise)
    return pulumi.output(connection).apply((c) => protectMembers(c as ConnectionArgs) as pulumi.Unwrap<ConnectionArgs>);
  return protectMembers(connection);
}

function protectMembers(connection: ConnectionArgs): ConnectionArgs {
  const secret = SECRET_MEMBERS.flatMap((key) => {
    const value = connection[key];
    return value === undefined ? [] : [[key, pulumi.secret(value)] as const];
  });
  const { proxy } = connection;
  return {
    ...connection,
    ...Object.fromEntries(secret),
    ...(proxy === undefined ? {} : { proxy: protect(proxy) }),
  };
}
