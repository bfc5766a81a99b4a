export { ConntrackTuning, type ConntrackTuningArgs } from "./conntrack-tuning";
export { type ConnectionArgs } from "./connection";
export { Host, type HostArgs } from "./host";
export { type Inputs } from "./inputs";
export { LoadBalancer, type LoadBalancerArgs } from "./load-balancer";
export { type LinesByObject, type OnHost } from "./resource";
export { SynproxyRule, type SynproxyRuleArgs } from "./synproxy-rule";
