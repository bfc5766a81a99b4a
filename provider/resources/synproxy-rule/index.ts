import { type ResourceType } from "../resource";
import { compile } from "./compile";
import { decompile } from "./decompile";
import { type SynproxyRuleModel, synproxyRule } from "./model";

export const SYNPROXY_RULE: ResourceType<SynproxyRuleModel> = {
  type: "SynproxyRule",
  kind: "synproxy",
  lines: ["nft", "sysctl"],
  model: synproxyRule,
  compile,
  decompile: (name, observed) => decompile(name, observed.nft),
};
