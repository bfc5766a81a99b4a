/** Words that know where they stand in a text, and the error that points at one. */
import { show } from "../../../values";

/** From a character of the text to the one behind the last. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A word as the shell hands it on: quotes gone, variables replaced. Each character knows where it came from. */
export interface Word extends Span {
  readonly text: string;
  readonly spans: readonly Span[];
}

/** A word of which each character came from the same place. */
export const wordAt = (text: string, { from, to }: Span): Word => ({
  text,
  from,
  to,
  spans: Array.from({ length: text.length }, () => ({ from, to })),
});

export function slice(word: Word, start: number, end: number = word.text.length): Word {
  const spans = word.spans.slice(start, end);
  const { from, to } = { from: spans[0]?.from ?? word.from, to: spans.at(-1)?.to ?? word.to };
  return { text: word.text.slice(start, end), spans, from, to };
}

/** The items of a list: `80,443` and `"80 443"`. */
export const items = (word: Word): Word[] =>
  [...word.text.matchAll(/[^\s,]+/g)].map(({ 0: item, index }) => slice(word, index, index + item.length));

/** What is wrong, and where; whoever has the text makes a RuleSyntaxError of it. */
export class Trouble extends Error {
  constructor(
    readonly at: Span,
    readonly reason: string,
  ) {
    super(reason);
  }
}

export function fail(word: Word, reason: string): never {
  throw new Trouble(word, `${show(word.text)}: ${reason}`);
}

export interface Position {
  /** Counted from 1. */
  readonly line: number;
  /** Counted from 1, in characters. */
  readonly column: number;
}

export function positionOf(text: string, { from }: Span): Position {
  const before = text.slice(0, from).split("\n");
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
}

/** The line, and carets under the word. Tabs stay, so that the carets stand right whatever a tab is wide. */
function pointAt(text: string, span: Span): string {
  const { line, column } = positionOf(text, span);
  const shown = (text.split("\n")[line - 1] ?? "").replace(/\r$/, "");
  const carets = Math.max(1, Math.min(span.to - span.from, shown.length - column + 1));
  return `  ${shown}\n  ${shown.slice(0, column - 1).replace(/[^\t]/g, " ")}${"^".repeat(carets)}`;
}

/** A line or statement that cannot be taken over: the message shows it, with carets under the word that is meant. */
export class RuleSyntaxError extends Error {
  override readonly name = "RuleSyntaxError";
  /** The line, counted from 1. */
  readonly line: number;
  /** The character in it where the word begins, counted from 1. */
  readonly column: number;
  /** What is wrong, and what to do instead. */
  readonly reason: string;

  constructor(text: string, at: Span, reason: string) {
    const { line, column } = positionOf(text, at);
    super(`line ${line.toString()}, column ${column.toString()}: ${reason}\n${pointAt(text, at)}`);
    this.line = line;
    this.column = column;
    this.reason = reason;
  }
}

/** The words of a statement, one after the other. */
export class Words {
  private next = 0;

  constructor(private readonly words: readonly Word[]) {}

  peek(): Word | undefined {
    return this.words[this.next];
  }

  take(): Word | undefined {
    return this.words[this.next++];
  }

  /** The next word if it is one of these, in capitals or not. */
  takeIf(...texts: readonly string[]): Word | undefined {
    const word = this.peek();
    return word !== undefined && texts.includes(word.text.toLowerCase()) ? this.take() : undefined;
  }

  /** What must follow a word. */
  takeAfter(word: Word, what: string): Word {
    return this.take() ?? fail(word, `is the last word; ${what} must follow`);
  }
}
