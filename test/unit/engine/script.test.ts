import fc from "fast-check";

import { quote } from "../../../provider/engine/script";
import { openLocal } from "../../../provider/host/local";
import { type Shell } from "../../../provider/host/shell";

let shell: Shell;
beforeAll(async () => {
  shell = await openLocal("lb1");
});
afterAll(() => {
  shell.close();
});

test("a quoted text reaches a command as it is, whatever is in it", async () => {
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
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 50 }), async (texts) => {
      const script = texts.map((t) => `printf "%s\\0" ${quote(t)}`).join("\n");
      expect((await shell.run(script)).stdout).toBe(texts.map((t) => `${t}\0`).join(""));
    }),
    { numRuns: 50 },
  );
});
