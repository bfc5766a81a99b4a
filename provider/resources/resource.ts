import { type z } from "zod";

import { type Compiled } from "../engine/desired";
import { type Observed } from "../engine/snapshot";

/** A resource: what a program may write, what it becomes on a host, and the way back. */
export interface ResourceType<Model extends object = object> {
  /** The name in programs, e.g. `SynproxyRule`. */
  readonly type: string;
  /** The first part of its names on a host, e.g. `synproxy`. */
  readonly kind: string;
  /** Which tools' lines it has. */
  readonly lines: readonly ("nft" | "sysctl")[];
  readonly model: z.ZodObject & z.ZodType<Model>;
  compile(name: string, model: Model): Compiled;
  /** What the resource's own objects on the host amount to; what no arguments would produce is left out. */
  decompile(name: string, observed: Observed): Partial<Model>;
}
