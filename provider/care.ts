/** How carefully changes of a host are made: an argument of a Host or of a resource, or configuration. */
import { z } from "zod";

import { type Care, DEFAULT_CARE } from "./engine/transaction";
import { type Settings } from "./host/connection";
import { duration, reason } from "./values";
import { type Properties } from "./wire";

const GUARD = 'guard is "auto", "always" or "never"';

export const care = z.strictObject({
  /**
   * Whether a change is confirmed over a new connection, which proves that the host still lets us in: `"always"`;
   * `"auto"` (default): when the change could reach the management connection; `"never"`: over the open one. In each
   * case the host undoes by itself what is not confirmed in time.
   */
  guard: z.enum(["auto", "always", "never"], { error: reason(GUARD) }).optional(),
  /** How long the host waits for the confirmation before it undoes a change, 5 s to 1 h; default 30 s. */
  confirmTimeout: duration(5, 3600, "possible are").optional(),
});

export type CareArgs = z.input<typeof care>;

export const CARE_MEMBERS = ["guard", "confirmTimeout"] as const;

/** What the configuration says, to be checked as if each resource had said it. */
export const configuredCare = (settings: Settings): Properties =>
  Object.fromEntries(CARE_MEMBERS.flatMap((key) => (settings(key) === undefined ? [] : [[key, settings(key)]])));

/** A resource's own words come before the configuration's (`lbshield:guard`, `lbshield:confirmTimeout`). */
export function careOf(inputs: Properties, settings: Settings): Care {
  const given = (key: (typeof CARE_MEMBERS)[number]) => inputs[key] ?? settings(key);
  const { guard, confirmTimeout } = care.parse({ guard: given("guard"), confirmTimeout: given("confirmTimeout") });
  return { guard: guard ?? DEFAULT_CARE.guard, confirmWithin: confirmTimeout ?? DEFAULT_CARE.confirmWithin };
}
