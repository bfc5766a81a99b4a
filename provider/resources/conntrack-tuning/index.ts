import { type ResourceType } from "../resource";
import { compile } from "./compile";
import { decompile } from "./decompile";
import { type ConntrackTuningModel, conntrackTuning } from "./model";

export const CONNTRACK_TUNING: ResourceType<ConntrackTuningModel> = {
  type: "ConntrackTuning",
  kind: "conntrack",
  lines: ["sysctl"],
  model: conntrackTuning,
  compile,
  decompile: (name, observed) => decompile(name, observed.sysctl),
};
