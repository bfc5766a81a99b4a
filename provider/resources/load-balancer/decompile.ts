import { ownName } from "../../engine/desired";
import { type Observed } from "../../engine/snapshot";
import { type NftObject, nftId } from "../../kernel/nftables/objects";
import { type Wanted, sysctlsOf, toolsOf } from "../../kernel/object";
import { toolId } from "../../kernel/tools";
import { asFound } from "../resource";
import { type LoadBalancerModel } from "./model";
import { PARTS, PROPERTIES, type PartOf, partsOf } from "./parts";

/** Each declared part as it is on the host; one of which nothing is left there is left out. */
export function decompile(prefix: string, observed: Observed, declared: LoadBalancerModel): Partial<LoadBalancerModel> {
  const nft = objectsByPart(observed);
  const parts = partsOf(prefix, declared).map((part) => ({
    part,
    model: readPart(part, { ...observed, nft: nft.get(part.prefix) ?? new Map<string, NftObject>() }),
  }));
  const properties = PROPERTIES.filter((property) => declared[property] !== undefined).map((property) => {
    const here = parts.filter(({ part }) => part.property === property);
    const some = here.flatMap(({ part, model }) => (model === undefined ? [] : [[part.name, model] as const]));
    return [property, PARTS[property].many ? Object.fromEntries(some) : some[0]?.[1]] as const;
  });
  return Object.fromEntries(properties);
}

/** A part sees its own objects and the values that it claims itself: another may claim what it left as it was. */
function readPart({ type, prefix, model }: PartOf, observed: Observed): object | undefined {
  const { wanted } = type.compile(prefix, model);
  const sysctl = found(
    observed.sysctl,
    sysctlsOf(wanted).map((s) => s.key),
  );
  const objects = found(observed.objects, toolsOf(wanted).map(toolId));
  if (observed.nft.size + objects.size === 0 && wanted.some(isOwn)) return undefined;
  return asFound(type, model, type.decompile(prefix, { nft: observed.nft, sysctl, objects }, model));
}

const isOwn = ({ object, shared }: Wanted): boolean => !shared && object.kind !== "sysctl";

const found = <Item>(all: ReadonlyMap<string, Item>, keys: readonly string[]): ReadonlyMap<string, Item> =>
  new Map(
    keys.flatMap((key) => {
      const item = all.get(key);
      return item === undefined ? [] : [[key, item] as const];
    }),
  );

/** In one go, so that a thousand parts do not each look through all objects. */
function objectsByPart({ nft }: Observed): ReadonlyMap<string, Map<string, NftObject>> {
  const byPart = new Map<string, Map<string, NftObject>>();
  for (const o of nft.values()) {
    const name = ownName(o) ?? "";
    const prefix = name.slice(0, name.lastIndexOf(".") + 1);
    const objects = byPart.get(prefix) ?? new Map<string, NftObject>();
    byPart.set(prefix, objects.set(nftId(o), o));
  }
  return byPart;
}
