import { entriesOf, freedBy, resourceOf } from "../../../cli/entries";
import { match } from "../../../cli/match";
import { parseState } from "../../../cli/state";
import { deployment, host, inState, rule } from "./support";

const state = (resources: readonly unknown[], operations: readonly unknown[] = []) =>
  parseState(JSON.stringify(deployment([STACK, ...resources], operations)));

const STACK = { urn: "urn:pulumi:test::shop::pulumi:pulumi:Stack::shop-test", type: "pulumi:pulumi:Stack" };
const web = inState("SynproxyRule", "web");
const elsewhere = (name: string, at: string) => inState("SynproxyRule", name, { connection: { host: at } });

type Found = ReturnType<typeof match>;
const names = ({ orphans, pending, lost, known }: Found) => ({
  orphans: orphans.map((o) => o.name),
  pending: pending.map((o) => o.name),
  lost: lost.map((o) => o.name),
  known,
});
const found = (seen: ReturnType<typeof host>, known: ReturnType<typeof state>, here = "lb1") =>
  names(match(here, entriesOf(seen), known));

const NOTHING = { orphans: [], pending: [], lost: [], known: 0 };

test("what both know is no orphan", () => {
  expect(found(host([rule("shop/test/web")]), state([web]))).toEqual({ ...NOTHING, known: 1 });
});

test("what the state does not know is one; what is of another stack or project is none", () => {
  const seen = host([
    rule("shop/test/web"),
    rule("shop/test/old"),
    rule("shop/prod/web"),
    rule("billing/test/web"),
    rule("shop/testing/web"),
  ]);
  expect(found(seen, state([web]))).toEqual({ ...NOTHING, orphans: ["synproxy/shop/test/old"], known: 1 });
});

test("a state without resources knows nothing", () => {
  const seen = host([rule("shop/test/web"), rule("shop/prod/web")]);
  expect(found(seen, { stacks: ["shop/test"], resources: [] })).toEqual({
    ...NOTHING,
    orphans: ["synproxy/shop/test/web"],
  });
});

test("projects and stacks whose names on the host are cut alike are told apart", () => {
  const [a, b] = [`${"s".repeat(60)}-a`, `${"s".repeat(60)}-b`];
  const cut = (stack: string, digest: string) =>
    rule(`shop/${"s".repeat(60)}/web-${digest}`, "lb1", `SynproxyRule web (shop/${stack})`);
  const seen = host([cut(a, "11111111"), cut(b, "22222222")]);
  expect(found(seen, { stacks: [`shop/${b}`], resources: [] }).orphans).toEqual([
    `synproxy/shop/${"s".repeat(60)}/web-22222222`,
  ]);
});

test("what was begun is neither known nor an orphan", () => {
  const begun = [{ type: "creating", resource: inState("SynproxyRule", "api") }];
  expect(found(host([rule("shop/test/web"), rule("shop/test/api")]), state([web], begun))).toEqual({
    ...NOTHING,
    pending: ["synproxy/shop/test/api"],
    known: 1,
  });
  // Begun and not on the host: that is how it may end.
  expect(found(host([]), state([], begun))).toEqual(NOTHING);
});

test("what is to be deleted where it is, is known, and not lost when it is gone", () => {
  const leaving = { ...web, delete: true };
  expect(found(host([rule("shop/test/web")]), state([leaving]))).toEqual({ ...NOTHING, known: 1 });
  expect(found(host([]), state([leaving]))).toEqual(NOTHING);
});

test("what the state has here and the host has not, is lost; of other hosts nothing is said", () => {
  expect(found(host([]), state([web, elsewhere("api", "lb2")]))).toEqual({
    ...NOTHING,
    lost: ["synproxy/shop/test/web"],
  });
});

test("the table alone: lost for the ledger, and an orphan when the state does not know it", () => {
  const seen = host([], ["synproxy/shop/test/web", "synproxy/shop/test/old", "synproxy/shop/prod/web"]);
  expect(found(seen, state([web]))).toEqual({
    orphans: ["synproxy/shop/test/old"],
    pending: [],
    lost: ["synproxy/shop/test/web"],
    known: 1,
  });
});

describe("by which name a host is reached", () => {
  test("the state has it on another host: an orphan here, and it says where", () => {
    const { orphans } = match("lb1", entriesOf(host([rule("shop/test/web")])), state([elsewhere("web", "lb2")]));
    expect(orphans).toMatchObject([{ name: "synproxy/shop/test/web", elsewhere: ["lb2"] }]);
  });

  test("the ledger names the host as the state does, and we were given another name for it", () => {
    const known = state([web, inState("SynproxyRule", "api")]);
    expect(found(host([rule("shop/test/web")]), known, "192.0.2.1")).toEqual({
      ...NOTHING,
      // By the entry that is known we learn that this is the state's lb1.
      lost: ["synproxy/shop/test/api"],
      known: 1,
    });
  });

  test("the ledger has an older name, and the state has ours", () => {
    expect(found(host([rule("shop/test/web", "192.0.2.1")]), state([web]))).toEqual({ ...NOTHING, known: 1 });
  });

  test("in doubt it is known: no name in the ledger, or none in the state", () => {
    expect(found(host([rule("shop/test/web", "")]), state([elsewhere("web", "lb2")]))).toEqual({
      ...NOTHING,
      known: 1,
    });
    const secret = { ...web, id: undefined, inputs: { owner: "shop/test/web" } };
    expect(found(host([rule("shop/test/web", "lb9")]), state([secret]))).toEqual({ ...NOTHING, known: 1 });
  });
});

describe("entries", () => {
  test("counts of objects, keys of values, never their content", () => {
    const [entry] = entriesOf(host([rule("shop/test/web")]));
    expect(entry).toEqual({
      name: "synproxy/shop/test/web",
      label: "SynproxyRule web (shop/test)",
      stack: "shop/test",
      via: "lb1",
      objects: { chain: 1 },
      values: ["net.a"],
      recorded: true,
    });
    expect(entry && resourceOf(entry)).toBe("SynproxyRule web");
  });

  test("numbers in names are counted, not spelt", () => {
    const all = entriesOf(host(["web-10", "web-9", "web-1"].map((name) => rule(`shop/test/${name}`))));
    expect(all.map(resourceOf)).toEqual(["SynproxyRule web-1", "SynproxyRule web-9", "SynproxyRule web-10"]);
  });

  test("values go back when the last who claims them goes", () => {
    const seen = host([rule("shop/test/web"), rule("shop/prod/web")]);
    const [prod, test] = entriesOf(seen);
    expect(freedBy([test!], seen)).toEqual(new Map());
    expect(freedBy([prod!, test!], seen)).toEqual(new Map([["net.a", "0"]]));
  });
});
