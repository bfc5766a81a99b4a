import { type Statement, statements } from "../../../../../provider/resources/synproxy-rule/syntax/words";

const read = (text: string, variables: Readonly<Record<string, string>> = {}): Statement[] => [
  ...statements(text, (name) => variables[name]),
];
const texts = (text: string, variables?: Readonly<Record<string, string>>): string[][] =>
  read(text, variables).map(({ words }) => words.map((word) => word.text));

test.each<[string, string, string[][]]>([
  ["words stand between blanks", " a\t b  c ", [["a", "b", "c"]]],
  ["a line is a statement", "a b\n\nc\r\nd", [["a", "b"], ["c"], ["d"]]],
  ["so is what a semicolon ends", "a; b;c", [["a"], ["b"], ["c"]]],
  ["a backslash joins lines", "a \\\n  b\\\nc \\\r\n d", [["a", "bc", "d"]]],
  ["a comment goes to the end of the line", "# all\na # b c\nd#e", [["a"], ["d#e"]]],
  ["double quotes keep blanks", 'a "b c" d', [["a", "b c", "d"]]],
  ["single quotes keep everything", "a 'b \"$c\\ ' d", [["a", 'b "$c\\ ', "d"]]],
  ["quotes within a word are part of it", "a=\"b c\"'d e'f", [["a=b cd ef"]]],
  ["a quoted text may have several lines", '"a\nb" c', [["a\nb", "c"]]],
  ["an empty text is a word", '"" a', [["", "a"]]],
  ["a backslash takes the next character as it is", 'a\\ b \\"c "d\\"e\\f"', [["a b", '"c', 'd"e\\f']]],
  ["a no-break space is a blank", "a\u00a0b", [["a", "b"]]],
  ["a dollar alone is a dollar", "a$ $5", [["a$", "$5"]]],
])("%s", (_name, text, expected) => {
  expect(texts(text)).toEqual(expected);
});

test("a variable is replaced, and splits without quotes", () => {
  const lists = { L: "1 2", E: "" };
  expect(texts('a $L "$L" ${L}3 x$L', lists)).toEqual([["a", "1", "2", "1 2", "1", "23", "x1", "2"]]);
  expect(texts('$E a "$E"', lists)).toEqual([["a", ""]]);
  expect(texts("X=$L", lists)).toEqual([["X=1 2"]]); // as in bash, an assignment stays one word
});

test("every word knows where it stands, also what came from a variable", () => {
  const text = 'in "a b" $L';
  const [statement] = read(text, { L: "1 2" });
  expect(statement?.words.map(({ from, to }) => text.slice(from, to))).toEqual(["in", '"a b"', "$L", "$L"]);
});

test.each([
  ["a variable without a value", "dst $WAN", "$WAN"],
  ["a command", "dst $(ip addr | head)", "$(ip addr | head)"],
  ["backquotes", "dst `hostname` x", "`hostname`"],
  ["a default", "dst ${A:-b}", "${A:-b}"],
  ["a pipe", "a | b", "|"],
  ["a redirection", "a > b", ">"],
])("%s is a problem of its statement alone", (_name, text, word) => {
  const [bad, good] = read(`${text}\ngood`);
  expect(text.slice(bad?.problem?.at.from, bad?.problem?.at.to)).toBe(word);
  expect(good?.problem).toBeUndefined();
  expect(good?.words[0].text).toBe("good");
});

test.each(['a "b', "a 'b\nc"])("a quote without an end: %j", (text) => {
  expect(() => read(text)).toThrow("this quote has no end");
});
