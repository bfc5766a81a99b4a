import { z } from "zod";

import { reason, show } from "../../values";
import { type ResourceType } from "../resource";
import { PARTS, PROPERTIES, type Parts } from "./parts";

/** `Args` of each part, as the property that holds it takes them; doc comments carry over from PARTS. */
type Holding<Of extends "args" | "model"> = {
  [P in keyof Parts]?: Holds<Parts[P], Of> | undefined;
};
type Holds<P, Of> = P extends { type: ResourceType<infer Model, infer Args>; many: infer Many }
  ? Many extends true
    ? Readonly<Record<string, Of extends "args" ? Args : Model>>
    : Of extends "args"
      ? Args
      : Model
  : never;

/** What a program writes. */
export type LoadBalancerArgs = Holding<"args">;
/** The one canonical form of it, parts in the order of their names. */
export type LoadBalancerModel = Holding<"model">;

/** It is part of chains' names (dots divide these), and Pulumi shows no property that begins with two underscores. */
const PART_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/;
const NAME_RULE = "a name here has letters, digits, _ and -, at most 32, the first a letter or a digit";

const byName = (property: string, { type, model }: ResourceType) =>
  z
    .record(z.string().regex(PART_NAME), partModel(type, model), {
      error: (issue) =>
        issue.code === "invalid_key"
          ? `${show(issue.input)}: ${NAME_RULE}`
          : reason(`${property} has for each name the arguments of a ${type}: { web: { ... } }`)(issue),
    })
    .transform((parts) => Object.fromEntries(Object.entries(parts).toSorted(([a], [b]) => (a < b ? -1 : 1))));

/** For schema.json, where the resource has the plain name, and the types within are the resource's. */
const partModel = (type: string, model: z.ZodType) =>
  model.meta({ title: `${type}Part`, description: `A ${type}, as part of a LoadBalancer.`, typesOf: type });

const shape: Record<string, z.ZodType> = Object.fromEntries(
  PROPERTIES.map((property) => {
    const { type, many } = PARTS[property];
    return [property, (many ? byName(property, type) : partModel(type.type, type.model)).optional()];
  }),
);

/**
 * None of a sort is fine: `synproxyRules: {}` is what a program arrives at that computes them. Nothing named at all is
 * more likely a misunderstanding than a wish.
 */
export const loadBalancer = z.strictObject(shape).superRefine((args, ctx) => {
  if (Object.values(args).every((value) => value === undefined))
    ctx.addIssue({ code: "custom", message: `nothing is declared: give at least one of ${PROPERTIES.join(", ")}` });
}) as z.ZodObject & z.ZodType<LoadBalancerModel, LoadBalancerArgs>;
