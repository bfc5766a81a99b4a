import { Declarations } from "../../../provider/engine/declarations";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { rule, tuning } from "./paper-host";

const web = rule("acme/prod/web", ["192.0.2.1 . 80"]);

/** What the last of some declarations for one host is in conflict with. */
function conflicts(...declarations: Parameters<Declarations["enter"]>[1][]): string[] {
  const all = new Declarations();
  return declarations.map((d) => all.enter("lb1", d)).at(-1) ?? [];
}

describe("two resources of one program", () => {
  test.each([
    ["the same port", "192.0.2.1 . 80", ["192.0.2.1 port 80 is declared by Rule acme/prod/web as well"]],
    ["a range around it", "192.0.2.1 . 79-81", ["192.0.2.1 port 79-81 is declared by Rule acme/prod/web as well"]],
    ["the next port", "192.0.2.1 . 81", []],
    ["another address", "192.0.2.2 . 80", []],
  ])("with %s", (_name, key, expected) => {
    expect(conflicts(web, rule("acme/prod/api", [key]))).toEqual(expected);
  });

  test("may share what is shared", () => {
    expect(conflicts(tuning("a/b/one", sysctl("net.a", 1)), tuning("a/b/two", sysctl("net.a", 1)))).toEqual([]);
    expect(conflicts(tuning("a/b/one", sysctl("net.a", 1, 2)), tuning("a/b/two", sysctl("net.a", 2)))).toEqual([]);
  });

  test("may not want two values at once, each named with who wants it", () => {
    const one = tuning("a/b/one", sysctl("net.a", 1), sysctl("net.b", 1));
    const two = tuning("a/b/two", sysctl("net.a", 2), sysctl("net.b", 3));
    expect(conflicts(one, two)).toEqual([
      "net.a should be 2, but Tuning a/b/one wants it to be 1",
      "net.b should be 3, but Tuning a/b/one wants it to be 1",
    ]);
  });

  test("are told of every other they collide with", () => {
    const values = [sysctl("net.a", 1)];
    expect(
      conflicts(
        web,
        rule("acme/prod/api", ["192.0.2.2 . 80"], values),
        rule("acme/prod/all", ["192.0.2.1 . 1-99", "192.0.2.2 . 80"], [sysctl("net.a", 2)]),
      ),
    ).toEqual([
      "192.0.2.1 port 1-99 is declared by Rule acme/prod/web as well",
      "192.0.2.2 port 80 is declared by Rule acme/prod/api as well",
      "net.a should be 2, but Rule acme/prod/api wants it to be 1",
    ]);
  });

  test("on two hosts have nothing to do with each other", () => {
    const all = new Declarations();
    expect(all.enter("lb1", web)).toEqual([]);
    expect(all.enter("lb2", rule("acme/prod/api", ["192.0.2.1 . 80"]))).toEqual([]);
  });
});

describe("of what a host has one,", () => {
  const marked = (path: string, ...needs: string[]) => ({ ...tuning(path), needs });
  const parts = {
    ...tuning("a/b/lb"),
    parts: [
      { at: "rules.one", needs: ["mark=0x1"], wanted: [] },
      { at: "rules.two", needs: ["mark=0x2"], wanted: [] },
      { at: "rules.three", needs: ["mark=0x2"], wanted: [] },
    ],
  };

  test.each<[string, Parameters<typeof conflicts>, string[]]>([
    ["two want the same", [marked("a/b/one", "mark=0x1"), marked("a/b/two", "mark=0x1")], []],
    [
      "two want another",
      [marked("a/b/one", "mark=0x1"), marked("a/b/two", "mark=0x2")],
      ["mark 0x2 is wanted, but Tuning a/b/one wants 0x1"],
    ],
    ["what is needed besides is nobody's", [marked("a/b/one", "input4"), marked("a/b/two", "input6")], []],
    ["one wants another than before", [marked("a/b/one", "mark=0x1"), marked("a/b/one", "mark=0x2")], []],
    ["two parts of one want another", [parts], ["rules.two: mark 0x2 is wanted, but rules.one wants 0x1"]],
    [
      "a part wants another",
      [marked("a/b/one", "mark=0x2"), { ...parts, parts: parts.parts.slice(0, 1) }],
      ["rules.one: mark 0x1 is wanted, but Tuning a/b/one wants 0x2"],
    ],
  ])("%s", (_name, declarations, expected) => {
    expect(conflicts(...declarations)).toEqual(expected);
  });
});

test("one resource entered again takes the place of what it was", () => {
  expect(conflicts(web, web)).toEqual([]);
  expect(conflicts(web, rule("acme/prod/web", ["192.0.2.1 . 81"]), rule("acme/prod/api", ["192.0.2.1 . 80"]))).toEqual(
    [],
  );
});

test("who declares an object is known by host, owner and id", () => {
  const all = new Declarations();
  all.enter("lb1", web);
  const id = "element ports { 192.0.2.1 . 80 }";
  expect(all.declares("lb1", "demo/acme/prod/web", id)).toBe(true);
  expect(all.declares("lb1", "demo/acme/prod/web", "element ports { 192.0.2.1 . 81 }")).toBe(false);
  expect(all.declares("lb1", "demo/acme/prod/api", id)).toBe(false);
  expect(all.declares("lb2", "demo/acme/prod/web", id)).toBe(false);
});
