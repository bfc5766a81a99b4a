import { type ResourceType } from "../resource";
import { compile } from "./compile";
import { decompile } from "./decompile";
import { type SynproxyRuleArgs, type SynproxyRuleModel, synproxyRule } from "./model";

export const SYNPROXY_RULE: ResourceType<SynproxyRuleModel, SynproxyRuleArgs> = {
  type: "SynproxyRule",
  kind: "synproxy",
  lines: ["nft", "sysctl"],
  model: synproxyRule,
  compile,
  decompile: (prefix, observed) => decompile(prefix, observed.nft),
};
