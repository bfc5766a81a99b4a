import {
  type ParseOptions,
  RuleSyntaxError,
  parseAll,
  parseRule,
} from "../../../../../provider/resources/synproxy-rule/syntax";
import { type SynproxyRuleArgs, synproxyRule } from "../../../../../provider/resources/synproxy-rule/model";

/** The arguments, which the model takes. */
export function argsOf(text: string, options?: ParseOptions): SynproxyRuleArgs {
  const { args } = parseRule(text, options);
  synproxyRule.parse(args);
  return args;
}

export const notesOf = (text: string, options?: ParseOptions): readonly string[] => parseAll(text, options).notes;

/** A text in which «this» is the word that the error must point at. */
export function refusal(marked: string, options?: ParseOptions): { error: RuleSyntaxError; carets: string } {
  const text = marked.replace(/[«»]/g, "");
  try {
    parseRule(text, options);
  } catch (error) {
    if (!(error instanceof RuleSyntaxError)) throw error;
    return { error, carets: `${error.line.toString()}:${error.column.toString()}+${caretsIn(error.message)}` };
  }
  throw new Error(`was taken: ${text}`);
}

export function caretsOf(marked: string): string {
  const before = marked.slice(0, marked.indexOf("«")).split("\n");
  const word = marked.slice(marked.indexOf("«") + 1, marked.indexOf("»")).split("\n")[0] ?? "";
  return `${before.length.toString()}:${((before.at(-1) ?? "").length + 1).toString()}+${word.length.toString()}`;
}

const caretsIn = (message: string): string => (/\^+$/.exec(message)?.[0].length ?? 0).toString();
