import { type ResourceType } from "../resource";
import { compile, drain } from "./compile";
import { decompile } from "./decompile";
import { asks, taught } from "./learn";
import { type LoadBalancerArgs, type LoadBalancerModel, loadBalancer } from "./model";
import { PARTS } from "./parts";

export const LOAD_BALANCER: ResourceType<LoadBalancerModel, LoadBalancerArgs> = {
  type: "LoadBalancer",
  kind: "lb",
  lines: [...new Set(Object.values(PARTS).flatMap(({ type }) => type.lines))].toSorted(),
  model: loadBalancer,
  compile,
  decompile,
  drain,
  asks,
  taught,
};
