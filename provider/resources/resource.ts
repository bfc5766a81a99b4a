import { type z } from "zod";

import { type Compiled, type LineTool } from "../engine/desired";
import { type Drain } from "../drain";
import { type Observed } from "../engine/snapshot";
import { type Question } from "../learn";

/** A resource: what a program may write, what it becomes on a host, and the way back. */
export interface ResourceType<Model extends object = object, Args extends object = object> {
  /** The name in programs, e.g. `SynproxyRule`. */
  readonly type: string;
  /** The first part of its names on a host, e.g. `synproxy`. */
  readonly kind: string;
  /** Which tools' lines it has. */
  readonly lines: readonly LineTool[];
  readonly model: z.ZodObject & z.ZodType<Model, Args>;
  /** `prefix` begins the names of its own chains; the rest of a name has no slash and no dot. See owner.ts. */
  compile(prefix: string, model: Model): Compiled;
  /**
   * How `was` goes when `next` comes in its place, or nothing: undefined where that is done at once. Of one that keeps
   * connections the host keeps, until they have ended, what they need.
   */
  drain?(prefix: string, was: Model, next: Model | undefined): Drain | undefined;
  /** What servers are asked when it is applied: to learn their options, or to compare declared ones. */
  asks?(model: Model): readonly Question[];
  /** The model with what was learned in the places that wait for it. `learned` is an output: by the questions' paths. */
  taught?(model: Model, learned: unknown): Model;
  /**
   * What the resource's own objects on the host amount to; what no arguments would produce is left out. `declared` is
   * what they are meant to be.
   */
  decompile(prefix: string, observed: Observed, declared: Model): Partial<Model>;
}

/** The declared arguments with what was found in their place; where no arguments would give it, the lines alone tell. */
export function asFound<Model extends object>(
  type: ResourceType<Model>,
  declared: Model,
  found: Partial<Model>,
): Model {
  const merged = { ...declared, ...found };
  return type.model.safeParse(merged).success ? merged : declared;
}
