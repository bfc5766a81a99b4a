import { type Drain } from "../../drain";
import { type Compiled } from "../../engine/desired";
import { type KernelObject, type Wanted, objectId } from "../../kernel/object";
import { type Sysctl, sysctlServes } from "../../kernel/sysctl/sysctl";
import { type LoadBalancerModel } from "./model";
import { partsOf } from "./parts";

/** The union of its parts: what several of them share is there once. Two that cannot both be are told at check. */
export function compile(prefix: string, model: LoadBalancerModel): Compiled {
  const parts = partsOf(prefix, model).map((part) => ({
    at: part.at,
    ...part.type.compile(part.prefix, part.model),
  }));
  return {
    needs: [...new Set(parts.flatMap((part) => part.needs))],
    places: parts.flatMap((part) => part.places ?? []),
    wanted: united(parts.flatMap((part) => part.wanted)),
    parts: parts.map(({ at, needs, wanted }) => ({ at, needs, wanted })),
  };
}

function united(wanted: readonly Wanted[]): Wanted[] {
  const byId = new Map<string, Wanted>();
  for (const one of wanted) {
    const id = objectId(one.object);
    const other = byId.get(id);
    byId.set(id, other === undefined ? one : { ...other, object: both(other.object, one.object) });
  }
  return [...byId.values()];
}

const both = (a: KernelObject, b: KernelObject): KernelObject =>
  a.kind === "sysctl" && b.kind === "sysctl" ? bothValues(a, b) : a;

/** The values that serve both; the first is the one that is written. */
function bothValues(a: Sysctl, b: Sysctl): Sysctl {
  const [value, ...accepts] = [a.value, b.value, ...(a.accepts ?? [])].filter(
    (v, i, all) => all.indexOf(v) === i && sysctlServes(a, v) && sysctlServes(b, v),
  );
  return value === undefined ? a : { kind: "sysctl", key: a.key, value, ...(accepts.length > 0 ? { accepts } : {}) };
}

/** Of parts that are no more, those that drain: beside the parts that come. */
export function drain(prefix: string, was: LoadBalancerModel, next: LoadBalancerModel | undefined): Drain | undefined {
  const stay = new Set(partsOf(prefix, next ?? {}).map((part) => part.prefix));
  const leaving = partsOf(prefix, was)
    .filter((part) => !stay.has(part.prefix))
    .flatMap((part) => {
      const how = part.type.drain?.(part.prefix, part.model, undefined);
      return how ? [{ at: part.at, how }] : [];
    });
  if (leaving.length === 0) return undefined;
  const to = next === undefined ? { needs: [], wanted: [], parts: [] } : compile(prefix, next);
  const all = [to, ...leaving.map(({ how }) => how.stays)];
  return {
    stays: {
      needs: [...new Set(all.flatMap(({ needs }) => needs))],
      wanted: united(all.flatMap(({ wanted }) => wanted)),
      parts: [...(to.parts ?? []), ...leaving.map(({ at, how }) => ({ at, wanted: how.stays.wanted }))],
    },
    connections: leaving.flatMap(({ how }) => how.connections),
    within: Math.max(...leaving.map(({ how }) => how.within)),
  };
}
