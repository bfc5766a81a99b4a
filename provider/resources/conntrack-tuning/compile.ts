import { type Compiled } from "../../engine/desired";
import { kernelModule } from "../../kernel/module/module";
import { shared } from "../../kernel/object";
import { type Sysctl, sysctl } from "../../kernel/sysctl/sysctl";
import {
  FOLLOWS_FORWARD,
  INTERFACE_VALUES,
  type InterfaceValueName,
  TIMEOUTS,
  type TimeoutName,
  VALUES,
  type Value,
  type ValueName,
  interfaceKey,
  parameterKey,
  timeoutKey,
} from "./keys";
import { inLargerPages, memoryOf, sizesFor } from "./memory";
import { type ConntrackTuningModel, type ParameterValue } from "./model";

/** Every value is shared: a SynproxyRule may want the same one, and two that differ are a conflict. */
export function compile(_prefix: string, model: ConntrackTuningModel): Compiled {
  const modules = Object.keys(model.modules ?? {}).map(kernelModule);
  return { needs: [], wanted: [...modules, ...values(model)].map(shared) };
}

/** In the order in which they are written: the table gets its buckets before it gets its entries. */
function values(model: ConntrackTuningModel): Sysctl[] {
  const sized = withSizes(model);
  const own = (Object.keys(VALUES) as ValueName[]).flatMap((name) => ownValue(name, sized));
  const timeouts = (Object.keys(TIMEOUTS) as TimeoutName[]).flatMap((name) => {
    const seconds = model.timeouts?.[name];
    return seconds === undefined ? [] : [sysctl(timeoutKey(name), seconds)];
  });
  const interfaces = Object.entries(model.interfaces ?? {}).flatMap(([name, settings]) =>
    (Object.keys(INTERFACE_VALUES) as InterfaceValueName[]).flatMap((property) => {
      const number = numberOf(INTERFACE_VALUES[property], settings[property]);
      return number === undefined ? [] : [sysctl(interfaceKey(name, property), number)];
    }),
  );
  const extra = Object.entries(model.extra ?? {}).map(([key, value]) => sysctl(key, value));
  const parameters = Object.entries(model.modules ?? {}).flatMap(([module, some]) =>
    Object.entries(some).map(([name, value]) => parameter(module, name, value)),
  );
  return [...own, ...timeouts, ...interfaces, ...followers(model), ...extra, ...parameters];
}

/** A memory budget alone is both sizes. */
export const withSizes = (model: ConntrackTuningModel): ConntrackTuningModel =>
  model.memoryBudget !== undefined && model.max === undefined && model.buckets === undefined
    ? { ...model, ...sizesFor(model.memoryBudget) }
    : model;

function ownValue(name: ValueName, model: ConntrackTuningModel): Sysctl[] {
  const { key } = VALUES[name];
  const number = numberOf(VALUES[name], model[name]);
  if (number === undefined) return [];
  switch (name) {
    case "buckets":
      return [{ ...sysctl(key, number, ...inLargerPages(number)), memory: memoryOf({ buckets: number }) }];
    case "max":
      return [{ ...sysctl(key, number), memory: memoryOf(model) }];
    default:
      return [sysctl(key, number)];
  }
}

export function numberOf({ words }: Value, value: boolean | number | string | undefined): number | undefined {
  if (value === undefined) return undefined;
  return typeof value === "number" ? value : words?.get(value);
}

/** The kernel changes it along with ip_forward. Claimed, it is known, and comes back when ip_forward does. */
function followers({ ipForward, interfaces }: ConntrackTuningModel): Sysctl[] {
  if (ipForward === undefined || interfaces?.all?.acceptRedirects !== undefined) return [];
  return [ipForward ? sysctl(FOLLOWS_FORWARD, 0, 1) : sysctl(FOLLOWS_FORWARD, 1, 0)];
}

/** The kernel shows a flag as Y or N; where it keeps one as a number, as 1 or 0. */
export function parameter(module: string, name: string, value: ParameterValue): Sysctl {
  const key = parameterKey(module, name);
  return typeof value === "boolean" ? sysctl(key, value ? "Y" : "N", value ? 1 : 0) : sysctl(key, value);
}
