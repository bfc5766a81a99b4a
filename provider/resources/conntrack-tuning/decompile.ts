import { TIMEOUTS, type TimeoutName, VALUES, type ValueName, timeoutKey } from "./keys";
import { type ConntrackTuningModel } from "./model";

/** The arguments that the observed values amount to; a value that no argument would give is left out. */
export function decompile(_prefix: string, sysctls: ReadonlyMap<string, string>): Partial<ConntrackTuningModel> {
  const values = (Object.keys(VALUES) as ValueName[]).flatMap((name) => {
    const numbers: ReadonlyMap<boolean | string, number> = VALUES[name].numbers;
    const found = sysctls.get(VALUES[name].key);
    const value = [...numbers].find(([, number]) => number.toString() === found)?.[0];
    return value === undefined ? [] : [[name, value] as const];
  });
  const timeouts = (Object.keys(TIMEOUTS) as TimeoutName[]).flatMap((name) => {
    const found = sysctls.get(timeoutKey(name));
    return found === undefined || !/^[0-9]+$/.test(found) ? [] : [[name, Number(found)] as const];
  });
  return {
    ...Object.fromEntries(values),
    ...(timeouts.length > 0 ? { timeouts: Object.fromEntries(timeouts) } : {}),
  };
}
