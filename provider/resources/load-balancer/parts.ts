/** What a LoadBalancer is made of. */
import { isObject } from "../../wire";
import { CONNTRACK_TUNING } from "../conntrack-tuning";
import { partPrefix } from "../owner";
import { type ResourceType } from "../resource";
import { SYNPROXY_RULE } from "../synproxy-rule";

/** A host has one of these. */
const one = <Model extends object, Args extends object>(type: ResourceType<Model, Args>) =>
  ({ type, many: false }) as const;

/** A host has many of these, each with a name. */
const many = <Model extends object, Args extends object>(type: ResourceType<Model, Args>) =>
  ({ type, many: true }) as const;

/** Every resource that there is beside the LoadBalancer, by the property that holds it there. A new one is a line here. */
export const PARTS = {
  /** How the host tracks connections: the arguments of a ConntrackTuning. */
  conntrack: one(CONNTRACK_TUNING),
  /**
   * SYN proxies by name: for each the arguments of a SynproxyRule. A name has letters, digits, `_` and `-`, at most 32,
   * the first a letter or a digit.
   */
  synproxyRules: many(SYNPROXY_RULE),
};

export type Parts = typeof PARTS;
export type Property = keyof Parts;
export const PROPERTIES = Object.keys(PARTS) as Property[];

export interface PartOf {
  /** Where it stands in the arguments, e.g. `synproxyRules.web`. */
  readonly at: string;
  readonly property: Property;
  /** Undefined where there is one alone. */
  readonly name: string | undefined;
  readonly type: ResourceType;
  /** See owner.ts. */
  readonly prefix: string;
  readonly model: object;
}

/** The parts that some arguments have, in their canonical order. */
export const partsOf = (prefix: string, model: Partial<Record<Property, unknown>>): PartOf[] =>
  PROPERTIES.flatMap((property): PartOf[] => {
    const { type, many: named } = PARTS[property];
    const given = model[property];
    if (!isObject(given)) return [];
    const part = (name: string | undefined, args: object): PartOf => ({
      at: name === undefined ? property : `${property}.${name}`,
      property,
      name,
      type,
      prefix: partPrefix(prefix, type.kind, name),
      model: args,
    });
    return named ? Object.entries(given).map(([name, args]) => part(name, args as object)) : [part(undefined, given)];
  });
