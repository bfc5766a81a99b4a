/** `pulumi-lbshield/provider`: what Pulumi's dynamic provider host requires. */
import type * as dynamic from "@pulumi/pulumi/dynamic";

import { dynamicProvider } from "./adapters/dynamic";
import { endWithEngine, tellOf } from "./adapters/engine";
import { type Properties } from "./wire";
import { openSsh } from "./host/ssh";
import { Hosts } from "./hosts";
import { Lifecycle } from "./lifecycle";
import { RESOURCES } from "./resources/registry";

const hosts = new Hosts(openSsh, process.env, tellOf);

/** The provider of one resource type, e.g. `SynproxyRule`. */
export function get(type: string): dynamic.ResourceProvider<Properties, Properties> {
  const resource = RESOURCES.find((r) => r.type === type);
  if (!resource)
    throw new Error(`pulumi-lbshield has no resource "${type}": is the installed version older than the stack?`);
  endWithEngine(hosts);
  return dynamicProvider(new Lifecycle(resource, hosts), hosts);
}
