export { ConntrackTuning, type ConntrackTuningArgs } from "./conntrack-tuning";
export { type ConnectionArgs } from "./connection";
export { Host, type HostArgs } from "./host";
export { type Inputs } from "./inputs";
export { LoadBalancer, type LoadBalancerArgs } from "./load-balancer";
export { type LearnedOptions, type LinesByObject, type OnHost } from "./resource";
export {
  type ParseOptions,
  type ParsedText,
  RuleSyntaxError,
  SynproxyRule,
  type SynproxyRuleArgs,
} from "./synproxy-rule";
