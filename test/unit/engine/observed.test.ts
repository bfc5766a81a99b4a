import { desiredLines } from "../../../provider/engine/desired";
import { isGone, observedLines, restrictTo } from "../../../provider/engine/observed";
import { type Snapshot } from "../../../provider/engine/snapshot";
import { type NftObject, chain } from "../../../provider/kernel/nftables/objects";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { FRESH, LAYOUT, after, port, rule, tuning, withObjects, withValue } from "./paper-host";

const web = rule("acme/prod/web", ["192.0.2.1 . 80"], [sysctl("net.a", 11, 12)]);
const api = rule("acme/prod/api", ["192.0.2.1 . 443"]);
const host = after(FRESH, { put: web }, { put: api });

const lines = (seen: Snapshot, of = web) => observedLines(of, seen, LAYOUT);
const without = (seen: Snapshot, ...ids: string[]): Snapshot => ({
  ...seen,
  nft: new Map([...seen.nft].filter(([id]) => !ids.includes(id))),
});

test("when all is in place the observed lines are the desired ones", () => {
  for (const d of [web, api]) expect(lines(host, d)).toEqual(desiredLines(d));
});

test("what is missing has no line", () => {
  const { "element ports { 192.0.2.1 . 80 }": _gone, ...others } = desiredLines(web).nft ?? {};
  expect(lines(without(host, "element ports { 192.0.2.1 . 80 }")).nft).toEqual(others);
});

test("when everything is missing one word says so", () => {
  expect(lines({ ...host, nft: new Map(), sysctl: new Map() })).toEqual({
    nft: {
      "table inet lbshield": "layout demo; the table is missing",
    },
  });
});

describe("what differs is shown as the host has it", () => {
  const CHAIN = "chain demo/acme/prod/web/in";
  test.each<[string, NftObject, Record<string, string>]>([
    ["a rule", chain("demo/acme/prod/web/in", ["counter accept", "drop"]), { [CHAIN]: "counter accept; drop" }],
    [
      "a verdict",
      port("192.0.2.1 . 80", "demo/acme/prod/api"),
      { "element ports { 192.0.2.1 . 80 }": "goto demo/acme/prod/api/in" },
    ],
    [
      "a chain added under our name",
      chain("demo/acme/prod/web/more", ["accept"]),
      { "chain demo/acme/prod/web/more": "accept" },
    ],
    [
      "a key that leads to us",
      port("192.0.2.9 . 80", "demo/acme/prod/web"),
      { "element ports { 192.0.2.9 . 80 }": "goto demo/acme/prod/web/in" },
    ],
    ["a changed layout", chain("input", ["accept"]), { "table inet lbshield": "layout demo; chain input is: accept" }],
    [
      "a part of the layout that nobody needs",
      chain("other", ["accept"]),
      { "table inet lbshield": "layout demo; chain other is not ours" },
    ],
    ["a stranger", chain("x", ["accept"]), { "table inet lbshield": "layout demo; chain x is not ours" }],
    [
      "a stranger's element",
      { kind: "element", of: "hosts", key: "192.0.2.9" },
      { "table inet lbshield": "layout demo; element hosts { 192.0.2.9 } is not ours" },
    ],
  ])("%s", (_name, object, shown) => {
    expect(lines(withObjects(host, object)).nft).toEqual({ ...desiredLines(web).nft, ...shown });
  });

  test("a value", () => {
    expect(lines(withValue(host, "net.a", "13")).sysctl).toEqual({ "net.a": "13" });
  });

  test("but not a value that serves as well", () => {
    expect(lines(withValue(host, "net.a", "12")).sysctl).toEqual({ "net.a": "11" });
  });
});

test("what somebody's objects stand on whose record is lost is no stranger", () => {
  const lost = withObjects(host, chain("other", ["accept"]), chain("demo/acme/prod/lost/in", ["drop"]));
  expect(lines(lost)).toEqual(desiredLines(web));
});

test("what another resource has, or has lost, is no line of this one", () => {
  const others = withObjects(host, chain("demo/acme/prod/api/more", ["accept"]));
  expect(lines(others)).toEqual(desiredLines(web));
  expect(lines(without(host, "element ports { 192.0.2.1 . 443 }", "chain demo/acme/prod/api/in"))).toEqual(
    desiredLines(web),
  );
});

test("a layout that nobody of this stands on is not looked at", () => {
  expect(lines(host, tuning("acme/prod/t", sysctl("net.a", 11)))).toEqual({ sysctl: { "net.a": "11" } });
});

test("what belongs to a declaration is its own objects and the values it claims", () => {
  const { nft, sysctl: values } = restrictTo(web, host, LAYOUT);
  expect([...nft.keys()]).toEqual(["chain demo/acme/prod/web/in", "element ports { 192.0.2.1 . 80 }"]);
  expect(values).toEqual(new Map([["net.a", "11"]]));
});

describe("a resource is gone", () => {
  test.each<[string, Snapshot, boolean]>([
    ["when the host has neither record nor objects", FRESH, true],
    ["not while there is a record", { ...host, nft: new Map() }, false],
    ["not while there is an object of its name", { ...host, records: new Map() }, false],
    ["when all that is left is another's", after(FRESH, { put: api }), true],
    ["when all that is left is what it shared", without({ ...after(FRESH, { put: api }), records: new Map() }), true],
  ])("%s", (_name, seen, gone) => {
    expect(isGone(web.name, seen, LAYOUT)).toBe(gone);
  });
});
