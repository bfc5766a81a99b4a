/** Arguments in the making, which know the words they came from; the model is the judge of them. */
import { type z } from "zod";

import { type SynproxyRuleArgs, synproxyRule } from "../model";
import { type Span, Trouble, type Word } from "./text";

type Options = Exclude<NonNullable<SynproxyRuleArgs["options"]>, "learn">;

/** The model refuses `ecn`, and says why. */
export type DraftOptions = { -readonly [K in keyof Omit<Options, "ecn">]: Options[K] } & { ecn?: true };

export type DraftArgs = Omit<SynproxyRuleArgs, "options"> & { options?: DraftOptions };

/** What is not an error, but should be known. */
export interface Note {
  readonly at: Span;
  readonly text: string;
}

export interface Draft {
  /** What the statement begins with. */
  readonly at: Span;
  readonly args: DraftArgs;
  /** By path, such as `match.ports.0`. */
  readonly origins: Map<string, Span>;
  readonly notes: Note[];
}

export const newDraft = (at: Span, chain: SynproxyRuleArgs["chain"]): Draft => ({
  at,
  args: { chain, match: {} },
  origins: new Map(),
  notes: [],
});

export function note(draft: Draft, { from, to }: Span, text: string): void {
  draft.notes.push({ at: { from, to }, text });
}

/** A word that may stand only once. */
export function once(seen: Set<string>, word: Word, what = word.text.toLowerCase()): void {
  if (seen.has(what))
    throw new Trouble(word, `${JSON.stringify(word.text)}: is given already; write a list, or two rules`);
  seen.add(what);
}

/** The arguments, if the model takes them; else its reason, at the word. */
export function judged(draft: Draft): SynproxyRuleArgs {
  const result = synproxyRule.safeParse(draft.args);
  if (!result.success) throw troubleOf(result.error, draft.origins, draft.at);
  // What the model took has no ecn.
  const { options: { ecn: _ecn, ...options } = {}, ...args } = draft.args;
  return Object.keys(options).length > 0 ? { ...args, options } : args;
}

/** The model's first reason, in the order of the text. */
export function troubleOf(error: z.ZodError, origins: ReadonlyMap<string, Span>, otherwise: Span): Trouble {
  const found = error.issues
    .map((issue) => within(issue))
    .map(({ path, message }) => {
      const at = originOf(path, origins) ?? originNamed(message, origins) ?? otherwise;
      return new Trouble(at, message);
    });
  return found.toSorted((a, b) => a.at.from - b.at.from)[0] ?? new Trouble(otherwise, error.message);
}

/** Of several shapes that a value may have, the one that it was meant to have is the one whose keys it has. */
function within(issue: z.core.$ZodIssue): { path: PropertyKey[]; message: string } {
  const meant =
    issue.code === "invalid_union"
      ? issue.errors.find((branch) => branch.every(({ path }) => path.length > 0))?.[0]
      : undefined;
  if (meant === undefined) return issue;
  const inner = within(meant);
  return { path: [...issue.path, ...inner.path], message: inner.message };
}

/** Of the list that a message about several of them names: `notPorts leaves none of them`. */
function originNamed(message: string, origins: ReadonlyMap<string, Span>): Span | undefined {
  const names = message.split(/\W+/);
  return [...origins].find(([path]) => names.some((name) => path === `match.${name}`))?.[1];
}

/** Of a path or of what it is within. */
function originOf(path: readonly PropertyKey[], origins: ReadonlyMap<string, Span>): Span | undefined {
  if (path.length === 0) return undefined;
  return origins.get(path.map(String).join(".")) ?? originOf(path.slice(0, -1), origins);
}
