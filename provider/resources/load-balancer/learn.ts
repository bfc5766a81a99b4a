import { type Question } from "../../learn";
import { isObject } from "../../wire";
import { type LoadBalancerModel } from "./model";
import { partsOf } from "./parts";

export const asks = (model: LoadBalancerModel): Question[] =>
  partsOf("", model).flatMap(({ type, property, name, model: part }) =>
    (type.asks?.(part) ?? []).map((question) => ({
      ...question,
      path: [property, ...(name === undefined ? [] : [name]), ...question.path],
    })),
  );

export function taught(model: LoadBalancerModel, learned: unknown): LoadBalancerModel {
  const at = (value: unknown, key: string) => (isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined);
  let all: Record<string, unknown> = model;
  for (const { type, property, name, model: part } of partsOf("", model)) {
    const known = name === undefined ? at(learned, property) : at(at(learned, property), name);
    const filled = type.taught && known !== undefined ? type.taught(part, known) : part;
    if (filled === part) continue;
    const named = name === undefined ? filled : { ...(all[property] as object), [name]: filled };
    all = { ...all, [property]: named };
  }
  return all;
}
