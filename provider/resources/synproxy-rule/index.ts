import { type ResourceType } from "../resource";
import { compile, drain } from "./compile";
import { decompile } from "./decompile";
import { asks, taught } from "./learn";
import { type SynproxyRuleArgs, type SynproxyRuleModel, synproxyRule } from "./model";

export const SYNPROXY_RULE: ResourceType<SynproxyRuleModel, SynproxyRuleArgs> = {
  type: "SynproxyRule",
  kind: "synproxy",
  lines: ["nft", "sysctl"],
  model: synproxyRule,
  compile,
  drain: (prefix, was, next) => (next === undefined ? drain(prefix, was) : undefined),
  asks,
  taught,
  decompile: (prefix, observed, declared) => decompile(prefix, observed.nft, declared),
};
