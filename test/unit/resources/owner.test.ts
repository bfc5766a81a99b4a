import fc from "fast-check";

import { ownerOf } from "../../../provider/engine/desired";
import { chain } from "../../../provider/kernel/nftables/objects";
import { RESOURCES } from "../../../provider/resources/registry";
import { hostName, ownPrefix, partPrefix, parseId, printId } from "../../../provider/resources/owner";

/** nft(8): identifiers. */
const IDENTIFIER = /^[A-Za-z_.][A-Za-z0-9_./-]*$/;

const kind = fc.constantFrom(...RESOURCES.map((r) => r.kind));
/** What Pulumi takes: a project and a stack have letters, digits, `-`, `_` and `.`; a name has anything. */
const word = fc.stringMatching(/^[A-Za-z0-9_.-]{1,20}$/);
const anyName = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }),
  fc.string({ unit: "binary", minLength: 1, maxLength: 300 }),
  fc.constantFrom(
    "web",
    "web/input",
    "a b",
    "a_b",
    "a'b",
    'a"b',
    "a;b",
    "a}b",
    "$(reboot)",
    "a\nb",
    "été",
    "網",
    "🚀",
    "-",
    "/",
  ),
);
const owner = fc.tuple(word, word, anyName).map((parts) => parts.join("/"));

describe("a resource's name on the host", () => {
  test("is readable where nft takes it as it is", () => {
    expect(hostName("synproxy", "acme/prod/web")).toBe("synproxy/acme/prod/web");
    expect(hostName("conntrack", "acme/prod/lb-1_a.b/c")).toBe("conntrack/acme/prod/lb-1_a.b/c");
  });

  test("says what it can of one that nft would not take, and has a digest of the rest", () => {
    expect(hostName("synproxy", "acme/prod/shop front")).toMatch(/^synproxy\/acme\/prod\/shop_front-[0-9a-f]{8}$/);
    expect(hostName("synproxy", `acme/prod/${"x".repeat(500)}`)).toMatch(/^synproxy\/acme\/prod\/x+-[0-9a-f]{8}$/);
  });

  test("is always an nft identifier, short enough for the chains that are named after it", () => {
    fc.assert(
      fc.property(kind, owner, (k, o) => {
        const name = hostName(k, o);
        expect(name).toMatch(IDENTIFIER);
        expect(name.length).toBeLessThanOrEqual(k.length + 1 + 200);
        expect(Buffer.byteLength(`${name}/prerouting`)).toBeLessThan(256);
      }),
      { numRuns: 500 },
    );
  });

  test("is found in the names of its chains, and of its parts' chains", () => {
    fc.assert(
      fc.property(kind, owner, (k, o) => {
        const name = hostName(k, o);
        expect(ownerOf(chain(`${ownPrefix(name)}input`, []))).toBe(name);
        expect(ownerOf(chain(`${partPrefix(ownPrefix(name), "synproxy", "web")}input`, []))).toBe(name);
        expect(ownerOf(chain(`${partPrefix(ownPrefix(name), "conntrack")}input`, []))).toBe(name);
      }),
    );
  });

  test("is another for another owner", () => {
    fc.assert(
      fc.property(kind, fc.uniqueArray(owner, { minLength: 2, maxLength: 20 }), (k, owners) => {
        expect(new Set(owners.map((o) => hostName(k, o))).size).toBe(owners.length);
      }),
    );
  });

  test.each([
    ["a b", "a_b"],
    ["a b", "a\tb"],
    ["été", "ete"],
    ["été", "e\u0301te\u0301"], // the same letters, composed otherwise
    ["網", "絡"],
    ["🚀", "🛰"],
    [`${"x".repeat(300)}1`, `${"x".repeat(300)}2`],
    ["x".repeat(300), "x".repeat(301)],
    ["web", "Web"],
    ["web/input", "web"],
  ])("%j and %j have different ones", (a, b) => {
    expect(hostName("synproxy", `acme/prod/${a}`)).not.toBe(hostName("synproxy", `acme/prod/${b}`));
  });

  test("is another for another kind", () => {
    const names = RESOURCES.map((r) => hostName(r.kind, "acme/prod/web"));
    expect(new Set(names).size).toBe(RESOURCES.length);
  });
});

test.each(["lb1.example.net", "[2001:db8::1]:2222", "10.0.0.1:22"])("an id is read as it was written: %s", (via) => {
  const id = { name: "synproxy/acme/prod/a/b.c-1", via, creation: "0a1b2c3d" };
  expect(parseId(printId(id))).toEqual(id);
  expect(parseId(`${id.name}@${via}`)).toEqual({ name: id.name, via });
  expect(parseId("web")).toBeUndefined();
});
