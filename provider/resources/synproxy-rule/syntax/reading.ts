/** A FireHOL statement while it is read. */
import { type Family } from "../../../addresses";
import { type SynproxyRuleArgs } from "../model";
import { type AddressList } from "./conditions";
import { type Draft } from "./draft";
import { type Word, type Words } from "./text";
import { type Variables } from "./variables";

export type ActionArgs = NonNullable<SynproxyRuleArgs["action"]>;
export type Actions = Readonly<Record<string, ActionArgs>>;

export type FamilyName = NonNullable<SynproxyRuleArgs["family"]>;

export interface Context {
  readonly variables: Variables;
  readonly actions: Actions;
}

/** `src` and `dst` wait for the whole statement: only then is its family known. */
export interface Addresses {
  readonly keyword: Word;
  readonly of: AddressList;
  readonly not: boolean;
  readonly words: readonly Word[];
  readonly family: Family | undefined;
}

export interface Reading {
  readonly draft: Draft;
  readonly words: Words;
  readonly context: Context;
  readonly seen: Set<string>;
  readonly addresses: Addresses[];
}

/** What a statement's action begins with. */
export const ACTIONS = ["accept", "drop", "deny", "reject", "dnat", "redirect", "action"];
