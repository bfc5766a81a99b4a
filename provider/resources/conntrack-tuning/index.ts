import { type ResourceType } from "../resource";
import { compile } from "./compile";
import { decompile } from "./decompile";
import { type ConntrackTuningArgs, type ConntrackTuningModel, conntrackTuning } from "./model";

export const CONNTRACK_TUNING: ResourceType<ConntrackTuningModel, ConntrackTuningArgs> = {
  type: "ConntrackTuning",
  kind: "conntrack",
  lines: ["modprobe", "sysctl"],
  model: conntrackTuning,
  compile,
  decompile,
};
