import { desiredLines, layoutText, ownerOf, stackOf } from "../../../provider/engine/desired";
import { type NftObject, chain } from "../../../provider/kernel/nftables/objects";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { port, rule, tuning } from "./paper-host";

describe("whose an object is, its name says", () => {
  const element = (value?: string): NftObject => ({
    kind: "element",
    of: "m",
    key: "k",
    ...(value === undefined ? {} : { value }),
  });
  test.each<[NftObject, string | undefined]>([
    [chain("synproxy/acme/prod/web/input", []), "synproxy/acme/prod/web"],
    [chain("synproxy/acme/prod/shop/web/input", []), "synproxy/acme/prod/shop/web"],
    [chain("input", []), undefined],
    [chain("a/b/c", []), undefined],
    [chain("a/b/c/d", []), undefined],
    [element("goto synproxy/acme/prod/web/input"), "synproxy/acme/prod/web"],
    [element("jump synproxy/acme/prod/web/input"), "synproxy/acme/prod/web"],
    [element("goto input-dispatch"), undefined],
    [element("drop"), undefined],
    [element(), undefined],
    [
      { kind: "map", name: "synproxy/acme/prod/web/input", key: "type mark : verdict", flags: [] },
      "synproxy/acme/prod/web",
    ],
    [{ kind: "set", name: "synproxy/acme/prod/web/seen4", key: "type mark", flags: [] }, "synproxy/acme/prod/web"],
    [{ kind: "set", name: "trap4-scanners", key: "type ipv4_addr", flags: [] }, undefined],
    [{ kind: "element", of: "synproxy/acme/prod/web/profiles4", key: "k", value: "drop" }, "synproxy/acme/prod/web"],
    [{ kind: "foreign", name: "counter synproxy/acme/prod/web/input", text: "" }, undefined],
  ])("%j: %p", (object, owner) => {
    expect(ownerOf(object)).toBe(owner);
  });
});

test.each([
  ["synproxy/acme/prod/web", "acme/prod"],
  ["synproxy/acme/prod/shop/web", "acme/prod"],
])("%s is of stack %s", (name, stack) => {
  expect(stackOf(name)).toBe(stack);
});

describe("the lines of a declaration", () => {
  test("are its objects by id, sorted, with the layout first", () => {
    const lines = desiredLines(rule("acme/prod/web", ["192.0.2.1 . 81", "192.0.2.1 . 80"], [sysctl("net.a", 1)]));
    expect(lines).toEqual({
      nft: {
        "table inet lbshield": "layout demo",
        "chain demo/acme/prod/web/in": "drop",
        "element hosts { 192.0.2.1 }": "in the set",
        "element ports { 192.0.2.1 . 80 }": "goto demo/acme/prod/web/in",
        "element ports { 192.0.2.1 . 81 }": "goto demo/acme/prod/web/in",
      },
      sysctl: { "net.a": "1" },
    });
    const [first, ...others] = Object.keys(lines.nft ?? {});
    expect(first).toBe("table inet lbshield");
    expect(others).toEqual(others.toSorted());
  });

  test("have no part for a tool that is not used", () => {
    expect(desiredLines(tuning("acme/prod/t", sysctl("net.b", 2), sysctl("net.a", 1)))).toEqual({
      sysctl: { "net.a": "1", "net.b": "2" },
    });
    expect(desiredLines({ needs: [], wanted: [{ shared: false, object: port("k", "a/b/c/d") }] })).toEqual({
      nft: { "element ports { k }": "goto a/b/c/d/in" },
    });
    expect(desiredLines({ needs: [], wanted: [] })).toEqual({});
  });

  test("name all that is needed, in one order", () => {
    expect(layoutText(["synproxy", "shield"])).toBe("layout shield, synproxy");
  });
});
