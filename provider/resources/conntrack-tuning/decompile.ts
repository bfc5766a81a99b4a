import { type Observed } from "../../engine/snapshot";
import { kernelModule, moduleId } from "../../kernel/module/module";
import { type Sysctl, sysctl, sysctlServes } from "../../kernel/sysctl/sysctl";
import { parameter, withSizes } from "./compile";
import {
  INTERFACE_VALUES,
  type InterfaceValueName,
  TIMEOUTS,
  type TimeoutName,
  VALUES,
  type Value,
  type ValueName,
  interfaceKey,
  timeoutKey,
} from "./keys";
import { inLargerPages } from "./memory";
import { type ConntrackTuningModel, type ParameterValue } from "./model";

/** The arguments that the observed values amount to; a value that no argument would give is left out. */
export function decompile(
  _prefix: string,
  { sysctl: sysctls, objects }: Pick<Observed, "sysctl" | "objects">,
  declared: ConntrackTuningModel,
): Partial<ConntrackTuningModel> {
  const values = (Object.keys(VALUES) as ValueName[]).flatMap((name) => {
    const value = wordOf(VALUES[name], sysctls.get(VALUES[name].key));
    return value === undefined ? [] : [[name, value] as const];
  });
  const timeouts = (Object.keys(TIMEOUTS) as TimeoutName[]).flatMap((name) => {
    const value = wordOf({ key: "" }, sysctls.get(timeoutKey(name)));
    return value === undefined ? [] : [[name, value] as const];
  });
  const interfaces = mapValues(declared.interfaces, (settings, name) => {
    const found = (Object.keys(settings) as InterfaceValueName[]).flatMap((property) => {
      const value = wordOf(INTERFACE_VALUES[property], sysctls.get(interfaceKey(name, property)));
      return value === undefined ? [] : [[property, value] as const];
    });
    return found.length > 0 ? Object.fromEntries(found) : undefined;
  });
  const extra = mapValues(declared.extra, (value, key) => reading(sysctl(key, value), value, sysctls));
  const modules = mapValues(declared.modules, (some, module) =>
    objects.has(moduleId(kernelModule(module)))
      ? (mapValues(some, (value, name) => reading(parameter(module, name, value), value, sysctls)) ?? {})
      : undefined,
  );
  return {
    ...sizes(Object.fromEntries(values), declared),
    ...(timeouts.length > 0 ? { timeouts: Object.fromEntries(timeouts) } : {}),
    ...(interfaces === undefined ? {} : { interfaces }),
    ...(extra === undefined ? {} : { extra }),
    ...(modules === undefined ? {} : { modules }),
  };
}

/** The kernel may have rounded buckets; a budget is what it was, as long as the sizes are those that follow from it. */
function sizes(found: Partial<ConntrackTuningModel>, declared: ConntrackTuningModel): Partial<ConntrackTuningModel> {
  const wanted = withSizes(declared);
  const rounded = wanted.buckets !== undefined && inLargerPages(wanted.buckets).includes(found.buckets ?? 0);
  const buckets = rounded ? wanted.buckets : found.buckets;
  const { memoryBudget } = declared;
  if (wanted !== declared && found.max === wanted.max && buckets === wanted.buckets) {
    const { max: _max, buckets: _buckets, ...others } = found;
    return { ...others, memoryBudget };
  }
  return {
    ...found,
    ...(buckets === undefined ? {} : { buckets }),
    ...(memoryBudget === undefined ? {} : { memoryBudget }),
  };
}

/** What a program would have written for it. */
function wordOf({ words }: Value, found: string | undefined): boolean | number | string | undefined {
  if (found === undefined || !/^[0-9]+$/.test(found)) return undefined;
  return words ? [...words].find(([, number]) => number === Number(found))?.[0] : Number(found);
}

/** As it was declared where that is served, else as it was found. */
function reading<V extends ParameterValue>(
  wanted: Sysctl,
  declared: V,
  sysctls: ReadonlyMap<string, string>,
): V | number | string | undefined {
  const found = sysctls.get(wanted.key);
  if (found === undefined || sysctlServes(wanted, found)) return found === undefined ? undefined : declared;
  return /^(0|-?[1-9][0-9]*)$/.test(found) ? Number(found) : found;
}

/** What has no value any more is left out, and all of it when nothing is left. */
function mapValues<V, W>(
  record: Readonly<Record<string, V>> | undefined,
  to: (value: V, key: string) => W | undefined,
): Record<string, W> | undefined {
  if (record === undefined) return undefined;
  const made = Object.entries(record).flatMap(([key, value]) => {
    const one = to(value, key);
    return one === undefined ? [] : [[key, one] as const];
  });
  return made.length > 0 ? Object.fromEntries(made) : undefined;
}
