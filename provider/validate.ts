/** Runs a zod model over what a program gave; all problems at once, each with path, value and reason. */
import { z } from "zod";

import { show } from "./values";
import { type Properties, UNKNOWN, containsUnknown, isObject } from "./wire";

export interface Validated {
  /** The canonical form; properties with an unknown part stay as they were given. */
  readonly value: Properties;
  /** One line for each problem. */
  readonly problems: readonly string[];
}

export interface ValidateOptions {
  /** What stands before each path, e.g. `connection`. */
  readonly at?: string;
  /** Is what stands at this path a secret? Then the value is not shown. */
  readonly secret: (path: readonly PropertyKey[]) => boolean;
}

/** `given` is what a program gave: anything at all. */
export function validate(model: z.ZodObject & z.ZodType, given: unknown, options: ValidateOptions): Validated {
  if (given === UNKNOWN) return { value: {}, problems: [] };
  const result = model.safeParse(given);
  if (result.success) return { value: result.data, problems: [] };
  // What is unknown cannot be judged yet; a property that does not exist is wrong whatever its neighbours will be.
  const judged = (issue: z.core.$ZodIssue) =>
    issue.code === "unrecognized_keys" || !containsUnknown(valueAt(given, issue.path));
  return {
    value: isObject(given) ? (canonical(model, given) as Properties) : {},
    problems: result.error.issues
      .flatMap(meant)
      .filter(judged)
      .map((issue) => tell(issue, given, options)),
  };
}

/**
 * Of alternatives none of which was met, the one that was meant, where that is plain: what is wrong within it says more
 * than a list of them all.
 */
function meant(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  const near = issue.errors.filter((problems) =>
    problems.every(({ code, path }) => path.length > 0 || code === "unrecognized_keys"),
  );
  const fewest = Math.min(...near.map((problems) => problems.length));
  const [nearest, ...others] = near.filter((problems) => problems.length === fewest);
  if (nearest === undefined || others.length > 0) return [issue];
  return nearest.flatMap((problem) => meant({ ...problem, path: [...issue.path, ...problem.path] }));
}

/**
 * During a preview some values are unknown: what has none in it takes its canonical form, beside it and within it, so
 * that one of a thousand rules does not make all others differ.
 */
function canonical(schema: z.core.$ZodType | undefined, given: unknown): unknown {
  if (schema === undefined) return given;
  if (!containsUnknown(given)) {
    const result = z.safeParse(schema, given);
    if (result.success) return result.data;
  }
  if (!isObject(given)) return given;
  const inner = withinOf(schema);
  const members: Readonly<Record<string, z.core.$ZodType>> = inner instanceof z.ZodObject ? inner.shape : {};
  const others = inner instanceof z.ZodRecord ? inner.valueType : undefined;
  const memberOf = (key: string) => (Object.hasOwn(members, key) ? members[key] : others);
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, canonical(memberOf(key), value)]));
}

/** What a schema looks at, behind optionality, defaults and what is made of it. */
function withinOf(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return withinOf(schema.unwrap());
  return schema instanceof z.ZodPipe ? withinOf(schema.in) : schema;
}

function tell(issue: z.core.$ZodIssue, given: unknown, { at, secret }: ValidateOptions): string {
  const path = printPath([...(at === undefined ? [] : [at]), ...issue.path]);
  const message =
    issue.code === "unrecognized_keys"
      ? `has no property ${issue.keys.map((k) => `"${k}"`).join(", ")}`
      : issue.message;
  const value = `${shownIn(issue) ?? show(valueAt(given, issue.path))}: `;
  // Messages begin with the value, and nowhere else do they show it or what follows from it.
  const shown = secret(issue.path) && message.startsWith(value) ? `[secret]: ${message.slice(value.length)}` : message;
  const told = `${shown}${secret(issue.path) ? "" : detailOf(issue)}`;
  return path === "" ? told : `${path}: ${told}`;
}

/** The value as the message shows it, where that is not the one that was given but its canonical form or a part of it. */
const shownIn = (issue: z.core.$ZodIssue): string | undefined =>
  issue.code === "custom" && typeof issue.params?.shown === "string" ? issue.params.shown : undefined;

/** What a problem says of other values, which a secret must not show. */
const detailOf = (issue: z.core.$ZodIssue): string =>
  issue.code === "custom" && typeof issue.params?.detail === "string" ? ` (${issue.params.detail})` : "";

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (v, key) => (Array.isArray(v) ? v[Number(key)] : isObject(v) ? v[String(key)] : undefined),
    value,
  );
}

const printPath = (path: readonly PropertyKey[]): string =>
  path
    .map((key, i) => (typeof key === "number" ? `[${key.toString()}]` : `${i > 0 ? "." : ""}${String(key)}`))
    .join("");
