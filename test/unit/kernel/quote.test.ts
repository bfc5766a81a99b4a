import { execFileSync } from "node:child_process";

import fc from "fast-check";

import { quote } from "../../../provider/kernel/quote";

test.each([
  ["net.ipv4.conf.eth0/100.rp_filter", "net.ipv4.conf.eth0/100.rp_filter"],
  ["4096 131072 6291456", "'4096 131072 6291456'"],
  ["it's", `'it'\\''s'`],
  ["", "''"],
])("%j is written as %s", (text, word) => {
  expect(quote(text)).toBe(word);
});

test("a quoted text reaches a command as it is, whatever is in it", () => {
  const awkward = fc.constantFrom(
    "'",
    '"',
    "$HOME",
    "`id`",
    "\\",
    "\n",
    "$(id)",
    "!",
    "é",
    "*",
    "~",
    " ",
    "LBSHIELD_FILE",
  );
  const text = fc
    .array(
      fc.oneof(
        awkward,
        fc.string({ unit: "grapheme" }).map((s) => s.replaceAll("\0", "")),
      ),
    )
    .map((p) => p.join(""));
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 50 }), (texts) => {
      const script = texts.map((t) => `printf "%s\\0" ${quote(t)}`).join("\n");
      expect(execFileSync("sh", { input: script, encoding: "utf8" })).toBe(texts.map((t) => `${t}\0`).join(""));
    }),
    { numRuns: 50 },
  );
});
