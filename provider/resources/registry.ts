import { CONNTRACK_TUNING } from "./conntrack-tuning";
import { type ResourceType } from "./resource";
import { SYNPROXY_RULE } from "./synproxy-rule";

/** Every resource there is. A new one is a folder beside these and a line here. */
export const RESOURCES: readonly ResourceType[] = [SYNPROXY_RULE, CONNTRACK_TUNING];
