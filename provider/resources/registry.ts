import { LOAD_BALANCER } from "./load-balancer";
import { PARTS } from "./load-balancer/parts";
import { type ResourceType } from "./resource";

/** Every resource there is. A new one is a folder beside these and a line in load-balancer/parts.ts. */
export const RESOURCES: readonly ResourceType[] = [...Object.values(PARTS).map(({ type }) => type), LOAD_BALANCER];
