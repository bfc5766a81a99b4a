import type * as pulumi from "@pulumi/pulumi";

/** The same shape, where every value may be an output of another resource. Doc comments carry over. */
export type Inputs<T> = {
  [K in keyof T]: pulumi.Input<InputOf<Exclude<T[K], undefined>>> | Extract<T[K], undefined>;
};

type InputOf<T> = T extends readonly (infer Item)[] ? pulumi.Input<InputOf<Item>>[] : T extends object ? Inputs<T> : T;
