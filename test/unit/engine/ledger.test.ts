import {
  LEDGER,
  type LedgerEdit,
  type RecordCache,
  goneLines,
  isNoEdit,
  ledgerHead,
  newLines,
  parseLedger,
  printRecord,
  sameDeclaration,
  toRecord,
} from "../../../provider/engine/ledger";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { rule, tuning } from "./paper-host";

const web = rule("acme/prod/web", ["192.0.2.1 . 80"], [sysctl("net.a", 11, 12)]);
const record = toRecord(web);
const line = (json: string, name = web.name) => `record\t${name}\t${json}`;

const NO_EDIT: LedgerEdit = {
  write: [],
  remove: [],
  keepOriginals: new Map(),
  dropOriginals: [],
  empty: false,
  boot: new Map(),
  writeBoot: new Map(),
  dropBoot: [],
};

describe("a ledger", () => {
  const others = toRecord(tuning("acme/prod/t", sysctl("net.b", 1)));
  const text = [
    ledgerHead("0123456789abcdef"),
    "original\tnet.a\t10",
    "original\tnet.ipv4.tcp_mem\t4096 131072 6291456",
    line(printRecord(record)),
    line(printRecord(others), others.name),
    "",
  ].join("\n");

  test("says which transaction wrote it, who wants what, and what was there before", () => {
    expect(parseLedger(text)).toEqual({
      transaction: "0123456789abcdef",
      records: new Map([
        [web.name, record],
        [others.name, others],
      ]),
      originals: new Map([
        ["net.a", "10"],
        ["net.ipv4.tcp_mem", "4096 131072 6291456"],
      ]),
      boot: new Map(),
    });
  });

  test("that is not there is empty", () => {
    expect(parseLedger("")).toEqual({
      transaction: undefined,
      records: new Map(),
      originals: new Map(),
      boot: new Map(),
    });
  });

  test("is not read again where it is the same line", () => {
    const cache: RecordCache = new Map();
    const [one, other] = [parseLedger(text, cache), parseLedger(text.replace("net.b", "net.c"), cache)];
    expect(other.records.get(web.name)).toBe(one.records.get(web.name));
    expect(other.records.get(others.name)).not.toEqual(one.records.get(others.name));
  });

  test.each([
    ["of a version to come", line(JSON.stringify({ ...record, version: 2 }))],
    ["without a version", line(JSON.stringify(web))],
    ["whose version is a text", line(JSON.stringify({ ...record, version: "1" }))],
    ["without a name", line(JSON.stringify({ ...record, name: undefined }))],
    ["in which nothing is wanted", line(JSON.stringify({ ...record, wanted: undefined }))],
    ["that is cut short", line(printRecord(record).slice(0, -1))],
    ["that is null", line("null")],
    ["of a kind to come", `claim\t${web.name}\t${printRecord(record)}`],
    ["that somebody has written", "# do not touch"],
  ])("with a line %s is refused: what cannot be read must not be overwritten", (_name, wrong) => {
    expect(() => parseLedger(`${text}${wrong}\n`)).toThrow(
      `the ledger ${LEDGER} has a line that is not ours: ${wrong.slice(0, 80)}`,
    );
  });
});

describe("a record", () => {
  test("is one line, whatever is in it", () => {
    expect(newLines({ ...NO_EDIT, write: [{ ...record, label: "two\nlines\tand a tab" }] })).toEqual([
      line(JSON.stringify({ ...record, label: "two\nlines\tand a tab" })),
    ]);
    expect(printRecord({ ...record, label: "two\nlines" })).not.toMatch(/[\n\t]/);
  });

  test("holds the declaration and nothing else of what it was made from", () => {
    expect(toRecord({ ...web, extra: 1, parts: [] } as typeof web)).toEqual({ version: 1, ...web });
    expect(toRecord({ ...web, via: "lb1" })).toEqual({ version: 1, ...web, via: "lb1" });
  });
});

describe("an edit", () => {
  const edit: LedgerEdit = {
    write: [record],
    remove: ["demo/acme/prod/old"],
    keepOriginals: new Map([["net.b", "20"]]),
    dropOriginals: ["net.ipv4.conf.eth0/100.rp_filter"],
    empty: false,
    boot: new Map([["set\tnet.b", "21"]]),
    writeBoot: new Map([["set\tnet.b", "21"]]),
    dropBoot: ["nft\tdemo/acme/prod/old"],
  };

  test("takes away what is removed, and what is written anew", () => {
    expect(goneLines(edit)).toEqual([
      "original\tnet.ipv4.conf.eth0/100.rp_filter",
      "record\tdemo/acme/prod/old",
      "record\tdemo/acme/prod/web",
      "nft\tdemo/acme/prod/old",
      "set\tnet.b",
    ]);
  });

  test("adds what is kept and written, as it is read again", () => {
    expect(parseLedger(newLines(edit).join("\n"))).toEqual({
      transaction: undefined,
      records: new Map([[web.name, record]]),
      originals: new Map([["net.b", "20"]]),
      boot: new Map([["set\tnet.b", "21"]]),
    });
  });

  test.each<[string, Partial<LedgerEdit>, boolean]>([
    ["of nothing", {}, true],
    ["of nothing in an empty ledger", { empty: true }, true],
    ["that writes", { write: [record] }, false],
    ["that removes", { remove: [web.name] }, false],
    ["that keeps a value", { keepOriginals: edit.keepOriginals }, false],
    ["that drops one", { dropOriginals: ["net.a"] }, false],
  ])("%s is none: %p", (_name, some, none) => {
    expect(isNoEdit({ ...NO_EDIT, ...some })).toBe(none);
  });
});

test.each([
  ["itself", web, true],
  ["one with another port", rule("acme/prod/web", ["192.0.2.1 . 81"], [sysctl("net.a", 11, 12)]), false],
  ["one that accepts other values", rule("acme/prod/web", ["192.0.2.1 . 80"], [sysctl("net.a", 11)]), false],
  ["one with another label", { ...web, label: "X" }, false],
  ["one that came another way", { ...web, via: "lb1" }, false],
])("a record is of the same declaration as %s: %s", (_name, other, same) => {
  const read = parseLedger(line(printRecord(record))).records.get(web.name);
  expect(sameDeclaration(read, other)).toBe(same);
});

test("no record is of no declaration", () => {
  expect(sameDeclaration(undefined, web)).toBe(false);
});
