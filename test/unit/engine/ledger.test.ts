import { basename, dirname } from "node:path";

import fc from "fast-check";

import {
  ORIGINALS,
  RESOURCES,
  claimsBut,
  originalFile,
  originalKey,
  parseRecord,
  printRecord,
  recordFile,
  sameDeclaration,
  toRecord,
} from "../../../provider/engine/ledger";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { rule, tuning } from "./paper-host";

const web = rule("acme/prod/web", ["192.0.2.1 . 80"], [sysctl("net.a", 11, 12)]);

describe("the file of a record", () => {
  // Names are what hostName makes: no colons.
  const anything = fc.stringMatching(/^[A-Za-z0-9_./-]+$/);

  test("is one file in the ledger's folder, whatever the name, and says the name", () => {
    fc.assert(
      fc.property(anything, (rest) => {
        const name = `synproxy/${rest}`;
        expect(dirname(recordFile(name))).toBe(RESOURCES);
        expect(originalKey(basename(recordFile(name)))).toBe(name);
      }),
    );
  });

  test("of an original is beside the others and says its key", () => {
    const key = "net.netfilter.nf_conntrack_tcp_loose";
    expect(originalFile(key)).toBe(`${ORIGINALS}/${key}`);
    expect(originalKey(basename(originalFile("net.ipv4.conf.eth0/100.rp_filter")))).toBe(
      "net.ipv4.conf.eth0/100.rp_filter",
    );
  });
});

describe("a record", () => {
  test("is read as it was written, on one line", () => {
    expect(parseRecord(printRecord(toRecord(web)))).toEqual({ version: 1, ...web });
    expect(printRecord(toRecord({ ...web, label: "two\nlines" }))).not.toContain("\n");
  });

  test("holds the declaration and nothing else of what it was made from", () => {
    expect(toRecord({ ...web, extra: 1 } as typeof web)).toEqual({ version: 1, ...web });
  });

  test.each([
    ["a version to come", JSON.stringify({ ...toRecord(web), version: 2 })],
    ["no version", JSON.stringify(web)],
    ["a version as a text", JSON.stringify({ ...toRecord(web), version: "1" })],
    ["no name", JSON.stringify({ ...toRecord(web), name: undefined })],
    ["nothing wanted", JSON.stringify({ ...toRecord(web), wanted: undefined })],
  ])("with %s is refused: what cannot be read must not be overwritten", (_name, line) => {
    expect(() => parseRecord(line)).toThrow(
      `the ledger in ${RESOURCES} has a file that is not a record of ours: ${line.slice(0, 80)}`,
    );
  });

  test("that is cut short is refused", () => {
    expect(() => parseRecord(printRecord(toRecord(web)).slice(0, -1))).toThrow();
  });
});

test.each([
  ["itself", web, true],
  ["one with another port", rule("acme/prod/web", ["192.0.2.1 . 81"], [sysctl("net.a", 11, 12)]), false],
  ["one that accepts other values", rule("acme/prod/web", ["192.0.2.1 . 80"], [sysctl("net.a", 11)]), false],
  ["one with another label", { ...web, label: "X" }, false],
])("a record is of the same declaration as %s: %s", (_name, other, same) => {
  expect(sameDeclaration(parseRecord(printRecord(toRecord(web))), other)).toBe(same);
});

test("no record is of no declaration", () => {
  expect(sameDeclaration(undefined, web)).toBe(false);
});

test("claims are the shared objects of all but some, with who has them", () => {
  const records = [toRecord(web), toRecord(tuning("acme/prod/t", sysctl("net.b", 1)))];
  const claimed = (...except: string[]) =>
    claimsBut(records, except).map((c) => [c.label, c.wanted.object.kind === "sysctl" ? c.wanted.object.key : "nft"]);
  expect(claimed()).toEqual([
    ["Rule acme/prod/web", "nft"],
    ["Rule acme/prod/web", "net.a"],
    ["Tuning acme/prod/t", "net.b"],
  ]);
  expect(claimed("demo/acme/prod/web")).toEqual([["Tuning acme/prod/t", "net.b"]]);
  expect(claimed("demo/acme/prod/web", "values/acme/prod/t")).toEqual([]);
});
