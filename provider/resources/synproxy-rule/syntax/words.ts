/** Text into statements and words, as bash reads them; commands, arithmetic and control flow are not run. */
import { type Span, Trouble, type Word } from "./text";

export interface Statement {
  readonly words: readonly [Word, ...Word[]];
  /** Why it cannot be read. It matters only where it is a statement that is wanted. */
  readonly problem: Trouble | undefined;
}

/** What a variable holds at this place of the text. */
export type Variable = (name: string) => string | undefined;

interface Character extends Span {
  readonly text: string;
  /** Of a variable without quotes: white space in it separates words. */
  readonly splits: boolean;
}

/** No-break spaces come along when a line is copied from a web page. */
const BLANK = /[ \t\r\f\v\u00a0\ufeff]/;
const ASSIGNS = /^[A-Za-z_]\w*\+?=/;

class Lexer {
  private at = 0;
  private problem: Trouble | undefined;

  constructor(
    private readonly text: string,
    private readonly variable: Variable,
  ) {}

  *statements(): Generator<Statement> {
    while (this.at < this.text.length) {
      const [first, ...words] = this.words();
      if (first) yield { words: [first, ...words], problem: this.problem };
      this.problem = undefined;
    }
  }

  /** Up to the end of the statement. */
  private words(): Word[] {
    const found: Word[] = [];
    while (this.at < this.text.length) {
      const c = this.here();
      if (c === "\n" || c === ";") {
        this.at++;
        return found;
      }
      if (BLANK.test(c)) this.at++;
      else if (this.continues()) this.at += this.continues();
      else if (c === "#") this.at = this.lineEnd();
      else if (/[|&<>()]/.test(c)) this.trouble(this.at, this.at++ + 1, "is for the shell; write plain statements");
      else found.push(...this.word());
    }
    return found;
  }

  private word(): Word[] {
    const from = this.at;
    const characters: Character[] = [];
    while (this.at < this.text.length && !/[\n;|&<>()]/.test(this.here()) && !BLANK.test(this.here())) {
      const c = this.here();
      if (this.continues()) this.at += this.continues();
      else if (c === "\\") characters.push(...this.escaped());
      else if (c === "'") characters.push(...this.singleQuoted());
      else if (c === '"') characters.push(...this.doubleQuoted());
      else if (c === "$" || c === "`") {
        // A value that is assigned stays one word, as in bash.
        const assigned = ASSIGNS.test(characters.map(({ text }) => text).join(""));
        characters.push(...this.expansion(!assigned));
      } else characters.push(this.literal());
    }
    const whole = { from, to: this.at };
    return characters.length === 0 && !/["']/.test(this.text.slice(from, this.at)) ? [] : split(characters, whole);
  }

  private here = (): string => this.text.charAt(this.at);

  private literal(): Character {
    const from = this.at++;
    return { text: this.text.charAt(from), from, to: this.at, splits: false };
  }

  /** The length of a backslash at the end of a line, 0 where there is none. */
  private continues(): number {
    return /^\\\r?\n/.exec(this.text.slice(this.at, this.at + 3))?.[0].length ?? 0;
  }

  private lineEnd(): number {
    const end = this.text.indexOf("\n", this.at);
    return end < 0 ? this.text.length : end;
  }

  private escaped(): Character[] {
    this.at++;
    return this.at < this.text.length ? [this.literal()] : [];
  }

  private singleQuoted(): Character[] {
    const open = this.at++;
    const close = this.text.indexOf("'", this.at);
    if (close < 0) throw new Trouble({ from: open, to: open + 1 }, "this quote has no end");
    const found: Character[] = [];
    while (this.at < close) found.push(this.literal());
    this.at++;
    return found;
  }

  private doubleQuoted(): Character[] {
    const open = this.at++;
    const found: Character[] = [];
    while (this.here() !== '"') {
      if (this.at >= this.text.length) throw new Trouble({ from: open, to: open + 1 }, "this quote has no end");
      if (this.continues()) this.at += this.continues();
      else if (this.here() === "\\" && /["\\$`]/.test(this.text.charAt(this.at + 1))) found.push(...this.escaped());
      else if (this.here() === "$" || this.here() === "`") found.push(...this.expansion(false));
      else found.push(this.literal());
    }
    this.at++;
    return found;
  }

  private expansion(splits: boolean): Character[] {
    const from = this.at;
    const [whole, bare, braced] = /^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})/.exec(this.text.slice(from)) ?? [];
    if (whole === undefined) return this.command();
    this.at += whole.length;
    const name = bare ?? braced ?? "";
    const value = this.variable(name);
    if (value === undefined)
      this.trouble(
        from,
        this.at,
        `the variable ${name} has no value here; set it in the text, or give it as variables: { ${name}: "..." }`,
      );
    return (value ?? "").split("").map((text) => ({ text, from, to: this.at, splits }));
  }

  /** `$(...)`, `${NAME:-...}`, backquotes: stepped over, so that the next statement is found. */
  private command(): Character[] {
    const from = this.at++;
    if (this.text.charAt(from) === "`") this.at = this.behind("`");
    else if (this.here() === "(" || this.here() === "{") this.at = this.behindBrackets();
    else return [{ text: "$", from, to: this.at, splits: false }];
    this.trouble(from, this.at, "commands and calculations are not run; write what they yield");
    return [];
  }

  private behind(c: string): number {
    const found = this.text.indexOf(c, this.at);
    return found < 0 ? this.text.length : found + 1;
  }

  private behindBrackets(): number {
    for (let at = this.at, depth = 0; at < this.text.length; at++) {
      if (/[({]/.test(this.text.charAt(at))) depth++;
      else if (/[)}]/.test(this.text.charAt(at)) && --depth === 0) return at + 1;
    }
    return this.text.length;
  }

  /** The first trouble of a statement is the one to tell. */
  private trouble(from: number, to: number, reason: string): void {
    this.problem ??= new Trouble({ from, to }, `${JSON.stringify(this.text.slice(from, to))}: ${reason}`);
  }
}

function split(characters: readonly Character[], whole: Span): Word[] {
  const groups: Character[][] = [[]];
  for (const c of characters)
    if (c.splits && /\s/.test(c.text)) groups.push([]);
    else groups.at(-1)?.push(c);
  const words = groups.length === 1 ? groups : groups.filter((group) => group.length > 0);
  return words.map((group) => ({
    text: group.map(({ text }) => text).join(""),
    spans: group.map(({ from, to }) => ({ from, to })),
    // Alone in its place, a word has its quotes.
    from: words.length === 1 ? whole.from : (group[0]?.from ?? whole.from),
    to: words.length === 1 ? whole.to : (group.at(-1)?.to ?? whole.to),
  }));
}

/** One after the other: what a statement assigns holds for those behind it. */
export const statements = (text: string, variable: Variable): Generator<Statement> =>
  new Lexer(text, variable).statements();
