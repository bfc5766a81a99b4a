/** What the Pulumi engine puts between a program and a provider. */

/** A value that is not known during a preview. @pulumi/pulumi, runtime/rpc.ts: unknownValue. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Properties of a resource as they travel. */
export type Properties = Record<string, unknown>;

export const isObject = (value: unknown): value is Properties =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function containsUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  if (Array.isArray(value)) return value.some(containsUnknown);
  return isObject(value) && Object.values(value).some(containsUnknown);
}

/** Outputs must not hold undefined: the engine refuses them. */
export function withoutUndefined(value: Properties): Properties {
  const clean = (v: unknown): unknown => (isObject(v) ? withoutUndefined(v) : Array.isArray(v) ? v.map(clean) : v);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, v]) => v !== undefined)
      .map(([k, v]) => [k, clean(v)]),
  );
}
