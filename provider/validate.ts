/** Runs a zod model over what a program gave; all problems at once, each with path, value and reason. */
import { type z } from "zod";

import { type Properties, containsUnknown, isObject } from "./wire";

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

export function validate(model: z.ZodObject & z.ZodType, given: Properties, options: ValidateOptions): Validated {
  const result = model.safeParse(given);
  if (result.success) return { value: result.data, problems: [] };
  const issues = result.error.issues.filter((issue) => !containsUnknown(valueAt(given, issue.path)));
  return { value: canonicalParts(model, given), problems: issues.map((issue) => tell(issue, given, options)) };
}

/** During a preview some properties are unknown: the others take their canonical form one by one. */
function canonicalParts(model: z.ZodObject, given: Properties): Properties {
  const part = (key: string, value: unknown): unknown => {
    const schema = model.shape[key] as z.ZodType | undefined;
    const result = containsUnknown(value) ? undefined : schema?.safeParse(value);
    return result?.success ? result.data : value;
  };
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, part(key, value)]));
}

function tell(issue: z.core.$ZodIssue, given: Properties, { at, secret }: ValidateOptions): string {
  const path = printPath([...(at === undefined ? [] : [at]), ...issue.path]);
  const message =
    issue.code === "unrecognized_keys"
      ? `has no property ${issue.keys.map((k) => `"${k}"`).join(", ")}`
      : issue.message;
  const value = valueAt(given, issue.path);
  const shown = secret(issue.path) && value !== undefined ? redact(message, value) : message;
  return path === "" ? shown : `${path}: ${shown}`;
}

function redact(message: string, value: unknown): string {
  const parts: unknown[] = isObject(value) || Array.isArray(value) ? Object.values(value) : [value];
  return [value, ...parts]
    .map((part) => JSON.stringify(part))
    .filter((text) => text !== "")
    .reduce((text, part) => text.replaceAll(part, "[secret]"), message);
}

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
