import { type Compiled } from "../../engine/desired";
import { shared } from "../../kernel/object";
import { sysctl } from "../../kernel/sysctl/sysctl";
import { TIMEOUTS, type TimeoutName, VALUES, type ValueName, timeoutKey } from "./keys";
import { type ConntrackTuningModel } from "./model";

/** Every value is shared: a SynproxyRule may want the same one, and two that differ are a conflict. */
export function compile(_prefix: string, model: ConntrackTuningModel): Compiled {
  const values = (Object.keys(VALUES) as ValueName[]).flatMap((name) => {
    const numbers: ReadonlyMap<boolean | string, number> = VALUES[name].numbers;
    const value = model[name];
    const number = value === undefined ? undefined : numbers.get(value);
    return number === undefined ? [] : [sysctl(VALUES[name].key, number)];
  });
  const timeouts = (Object.keys(TIMEOUTS) as TimeoutName[]).flatMap((name) => {
    const seconds = model.timeouts?.[name];
    return seconds === undefined ? [] : [sysctl(timeoutKey(name), seconds)];
  });
  return { layouts: [], wanted: [...values, ...timeouts].map(shared) };
}
