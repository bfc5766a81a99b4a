import fc from "fast-check";

import { type Declaration } from "../../../provider/engine/desired";
import {
  type Change,
  Conflict,
  agree,
  differences,
  isEmpty,
  overlappingOwner,
  planOf,
} from "../../../provider/engine/plan";
import { type Snapshot } from "../../../provider/engine/snapshot";
import { type NftObject, chain, nftId } from "../../../provider/kernel/nftables/objects";
import { shared } from "../../../provider/kernel/object";
import { sysctl, valueStep } from "../../../provider/kernel/sysctl/sysctl";
import {
  FRESH,
  SHARED,
  after,
  carryOut,
  draftOf,
  planFor,
  port,
  rule,
  tuning,
  withObjects,
  withValue,
} from "./paper-host";

const plan = (change: Change, host: Snapshot) => planFor([change], host);
const put = (declaration: Declaration): Change => ({ put: declaration });
const remove = (declaration: Declaration): Change => ({ remove: declaration });
const forward = (change: Change, host: Snapshot) => plan(change, host).nft.forward.map((line) => line.text);
const written = (key: string, from: string, to: string) => valueStep({ key, from, to });

const web = rule("acme/prod/web", ["192.0.2.1 . 80"]);
const api = rule("acme/prod/api", ["192.0.2.1 . 443", "192.0.2.2 . 443"]);

/** Why a change cannot be. */
function conflict(change: Change, host: Snapshot): Conflict {
  try {
    plan(change, host);
  } catch (error) {
    if (error instanceof Conflict) return error;
    throw error;
  }
  throw new Error("there was no conflict");
}

describe("a value is a claim", () => {
  const a11 = sysctl("net.a", 11);
  const first = tuning("acme/prod/first", a11);
  const second = tuning("acme/prod/second", a11);

  test("the first to claim it keeps what was there", () => {
    const p = plan(put(first), FRESH);
    expect(p.steps).toEqual([written("net.a", "10", "11")]);
    expect(p.ledger.keepOriginals).toEqual(new Map([["net.a", "10"]]));
  });

  test("the second writes nothing and keeps nothing: what it found was the first one's", () => {
    const p = plan(put(second), after(FRESH, put(first)));
    expect(p.steps).toEqual([]);
    expect(p.ledger.keepOriginals).toEqual(new Map());
  });

  test.each([
    ["in the order they came", [first, second]],
    ["in the other order", [second, first]],
  ])("the last to go puts it back, %s", (_name, [one = first, other = second]) => {
    const both = after(FRESH, put(first), put(second));
    const left = after(both, remove(one));
    expect(left.sysctl.get("net.a")).toBe("11");
    expect(left.originals).toEqual(new Map([["net.a", "10"]]));
    const p = plan(remove(other), left);
    expect(p.steps).toEqual([written("net.a", "11", "10")]);
    expect(p.ledger.dropOriginals).toEqual(["net.a"]);
    expect(after(left, remove(other))).toEqual(FRESH);
  });

  test("a resource that claims it no longer puts it back at once", () => {
    const p = plan(put(tuning("acme/prod/first", sysctl("net.b", 21))), after(FRESH, put(first)));
    expect(p.steps).toEqual([written("net.b", "20", "21"), written("net.a", "11", "10")]);
  });

  test("what is given back is the original, whatever somebody wrote in between", () => {
    const p = plan(remove(first), withValue(after(FRESH, put(first)), "net.a", "99"));
    expect(p.steps).toEqual([written("net.a", "99", "10")]);
  });

  test("what somebody wrote by hand is written over by the next put, and the original stays the first", () => {
    const p = plan(put(first), withValue(after(FRESH, put(first)), "net.a", "99"));
    expect(p.steps).toEqual([written("net.a", "99", "11")]);
    expect(p.ledger.keepOriginals).toEqual(new Map());
  });

  test("one that was right from the start is not written, and not given back otherwise", () => {
    const right = withValue(FRESH, "net.a", "11");
    expect(plan(put(first), right)).toMatchObject({
      steps: [],
      ledger: { keepOriginals: new Map([["net.a", "11"]]) },
    });
    expect(after(right, put(first), remove(first))).toEqual(right);
  });

  test("two that differ are a conflict that names the other", () => {
    const host = after(FRESH, put(first));
    const { message, remedy } = conflict(put(tuning("billing/test/x", sysctl("net.a", 12))), host);
    expect(message).toBe("net.a should be 12, but Tuning acme/prod/first wants it to be 11");
    expect(remedy).toBe("one host has one value: let both agree");
  });

  test("one resource may change its own", () => {
    const p = plan(put(tuning("acme/prod/first", sysctl("net.a", 12))), after(FRESH, put(first)));
    expect(p.steps).toEqual([written("net.a", "11", "12")]);
  });

  test("on what the host does not have is a conflict that says so", () => {
    const { message, remedy } = conflict(put(tuning("acme/prod/x", sysctl("net.c", 1))), FRESH);
    expect(message).toBe("net.c does not exist on this host");
    expect(remedy).toContain("nf_conntrack");
  });

  describe("that accepts other values", () => {
    const lenient = tuning("acme/prod/lenient", sysctl("net.a", 11, 12));
    const strict12 = tuning("acme/prod/strict", sysctl("net.a", 12));
    const strict13 = tuning("acme/prod/other", sysctl("net.a", 13));

    test("leaves one of them as it finds it", () => {
      expect(plan(put(lenient), withValue(FRESH, "net.a", "12")).steps).toEqual([]);
    });

    test("replaces what is none of them by the one it prefers", () => {
      expect(plan(put(lenient), FRESH).steps).toEqual([written("net.a", "10", "11")]);
    });

    test.each([
      ["after", [strict12, lenient]],
      ["before", [lenient, strict12]],
    ])("agrees with one who insists on one of them, put %s it", (_name, order) => {
      const host = after(FRESH, ...order.map(put));
      expect(host.sysctl.get("net.a")).toBe("12");
      expect(after(host, remove(lenient), remove(strict12))).toEqual(FRESH);
      expect(after(host, remove(strict12), remove(lenient))).toEqual(FRESH);
    });

    test("conflicts with one who insists on another", () => {
      expect(conflict(put(strict13), after(FRESH, put(lenient))).message).toBe(
        "net.a should be 13, but Tuning acme/prod/lenient wants it to be 11",
      );
      expect(conflict(put(lenient), after(FRESH, put(strict13))).message).toBe(
        "net.a should be 11, but Tuning acme/prod/other wants it to be 13",
      );
    });
  });

  test("is agreed on whoever asks first", () => {
    const claim = fc
      .tuple(fc.integer({ min: 1, max: 3 }), fc.subarray([1, 2, 3]))
      .map(([value, accepts]) => sysctl("net.a", value, ...accepts));
    const outcome = (...[one, other]: [typeof a11, typeof a11]) => {
      try {
        return agree(one, [{ label: "other", wanted: shared(other) }]).value;
      } catch {
        return "conflict";
      }
    };
    const serves = (c: typeof a11, value: string) => c.value === value || (c.accepts ?? []).includes(value);
    fc.assert(
      fc.property(claim, claim, (one, other) => {
        const agreed = outcome(one, other);
        expect(outcome(other, one) === "conflict").toBe(agreed === "conflict");
        if (agreed !== "conflict") expect([serves(one, agreed), serves(other, agreed)]).toEqual([true, true]);
      }),
    );
  });
});

describe("a table that somebody else uses as well", () => {
  test("has others' objects after a put as it had them before", () => {
    const host = after(FRESH, put(web));
    const { target, forward: lines } = plan(put(api), host).nft;
    for (const [id, o] of host.nft) expect(target.get(id)).toEqual(o);
    expect(lines.map((line) => line.text)).toEqual([
      "add chain inet lbshield demo/acme/prod/api/in",
      "add rule inet lbshield demo/acme/prod/api/in drop",
      "add element inet lbshield hosts { 192.0.2.2 }",
      "add element inet lbshield ports { 192.0.2.1 . 443 : goto demo/acme/prod/api/in }",
      "add element inet lbshield ports { 192.0.2.2 . 443 : goto demo/acme/prod/api/in }",
    ]);
  });

  test("has them after a removal too, with the address that both shared", () => {
    expect(after(FRESH, put(web), put(api), remove(api)).nft).toEqual(after(FRESH, put(web)).nft);
    expect(after(FRESH, put(web), put(api), remove(web)).nft).toEqual(after(FRESH, put(api)).nft);
  });

  test.each(["element ports { 192.0.2.1 . 80 }", "element hosts { 192.0.2.1 }"])(
    "leaves what another resource has lost to that resource's own next put: %s",
    (id) => {
      const host = after(FRESH, put(web));
      const lost = { ...host, nft: new Map([...host.nft].filter(([found]) => found !== id)) };
      expect(after(lost, put(rule("acme/prod/api", ["192.0.2.2 . 443"]))).nft.has(id)).toBe(false);
      expect(after(lost, put(web)).nft).toEqual(host.nft);
    },
  );

  test("has objects of other stacks that no record tells of", () => {
    const theirs = chain("demo/billing/test/web/in", ["drop"]);
    const host = withObjects(after(FRESH, put(web)), theirs, port("192.0.2.9 . 80", "demo/billing/test/web"));
    expect([...after(host, put(api)).nft.keys()]).toEqual(
      expect.arrayContaining([nftId(theirs), "element ports { 192.0.2.9 . 80 }"]),
    );
  });
});

describe("strangers in our table", () => {
  const strangers = [
    chain("stranger", ["accept"]),
    chain("a/b/c", ["accept"]),
    { kind: "set", name: "more", key: "type ipv4_addr", flags: [] },
    { kind: "element", of: "ports", key: "192.0.2.7 . 80", value: "accept" },
    { kind: "element", of: "hosts", key: "192.0.2.7" },
    { kind: "foreign", name: "counter hits", text: "packets 0 bytes 0" },
  ] as const;
  const host = after(FRESH, put(web));

  test.each(strangers)("go with the next put: %j", (stranger) => {
    expect(after(withObjects(host, stranger), put(web)).nft).toEqual(host.nft);
    expect(plan(put(web), withObjects(host, stranger)).nft.reverse.length).toBeGreaterThan(0);
  });

  test("go with the table when the last resource is removed", () => {
    expect(after(withObjects(host, ...strangers), remove(web)).nft).toEqual(new Map());
  });

  test("are left alone by a resource that has values alone", () => {
    const odd = withObjects(host, ...strangers);
    expect(forward(put(tuning("acme/prod/t", sysctl("net.a", 1))), odd)).toEqual([]);
  });

  test("are written over where they stand under the name of a layout's object", () => {
    const bent = withObjects(host, chain("input", ["accept"]));
    expect(after(bent, put(web)).nft).toEqual(host.nft);
  });
});

describe("a key that somebody has already", () => {
  const owner = rule("acme/prod/old", ["192.0.2.1 . 80"]);
  const host = after(FRESH, put(owner));
  const taker = (path: string) => rule(path, ["192.0.2.1 . 80"]);

  test.each<[string, Change]>([
    ["another stack, whatever it says", { put: taker("acme/test/new"), mayTake: () => true }],
    ["another project's stack of the same name", { put: taker("shop/prod/new"), mayTake: () => true }],
    [
      "the same stack, when the program still declares the owner's",
      { put: taker("acme/prod/new"), mayTake: () => false },
    ],
    ["the same stack, when nobody says that it may", { put: taker("acme/prod/new") }],
  ])("is not for %s", (_name, change) => {
    const { message, remedy } = conflict(change, host);
    expect(message).toBe("192.0.2.1 port 80 already belongs to demo/acme/prod/old on this host");
    expect(remedy).toBe("declare it once; to move it to another stack, remove it there first");
  });

  test("is taken over within one stack when the program does not declare the owner's any more", () => {
    const asked: string[][] = [];
    const change: Change = { put: taker("acme/prod/new"), mayTake: (...what) => asked.push(what) > 0 };
    expect(forward(change, host)).toEqual([
      "delete element inet lbshield ports { 192.0.2.1 . 80 }",
      "add chain inet lbshield demo/acme/prod/new/in",
      "add rule inet lbshield demo/acme/prod/new/in drop",
      "add element inet lbshield ports { 192.0.2.1 . 80 : goto demo/acme/prod/new/in }",
    ]);
    expect(asked).toEqual([["demo/acme/prod/old", "element ports { 192.0.2.1 . 80 }"]]);
  });

  test("stays with who took it when the old owner is removed", () => {
    const taken = after(host, { put: taker("acme/prod/new"), mayTake: () => true });
    expect(after(taken, remove(owner))).toEqual(after(FRESH, put(taker("acme/prod/new"))));
  });

  test("is no conflict for its owner", () => {
    expect(isEmpty(plan(put(owner), host))).toBe(true);
  });

  test("is named with its owner when the kernel finds an overlap", () => {
    const element = (key: string) =>
      ({ kind: "element", of: "ports", key, value: "goto demo/acme/prod/new/in" }) as const;
    expect(overlappingOwner(element("192.0.2.1 . 70-90"), host.nft)).toBe("demo/acme/prod/old");
    expect(overlappingOwner(element("192.0.2.1 . 81-90"), host.nft)).toBeUndefined();
    expect(overlappingOwner({ ...element("192.0.2.1 . 80"), of: "hosts" }, host.nft)).toBeUndefined();
    expect(
      overlappingOwner({ ...element("192.0.2.1 . 80"), value: "goto demo/acme/prod/old/in" }, host.nft),
    ).toBeUndefined();
  });
});

describe("a resource that is renamed", () => {
  const now = rule("acme/prod/site", ["192.0.2.1 . 80"]);
  const change: Change = { put: now, was: web.name };

  test("is the same on the host as one that always had the new name", () => {
    expect(after(FRESH, put(web), change)).toEqual(after(FRESH, put(now)));
    expect(plan(change, after(FRESH, put(web))).ledger).toMatchObject({
      write: [{ name: now.name }],
      remove: [web.name],
    });
  });

  test("keeps its claims: nothing is given back in between", () => {
    const values = [sysctl("net.a", 11)];
    const before = rule("acme/prod/web", ["192.0.2.1 . 80"], values);
    const p = plan(
      { put: rule("acme/prod/site", ["192.0.2.1 . 80"], values), was: before.name },
      after(FRESH, put(before)),
    );
    expect(p.values).toEqual(new Map());
    expect(p.ledger).toMatchObject({ keepOriginals: new Map(), dropOriginals: [] });
  });

  test("is put as new when the host does not know it by the old name", () => {
    expect(after(FRESH, change)).toEqual(after(FRESH, put(now)));
    expect(plan(change, FRESH).ledger.remove).toEqual([]);
  });
});

describe("what is nobody's any more goes", () => {
  test("the removal of the last drops the table", () => {
    const host = after(FRESH, put(web), put(api));
    expect(forward(remove(api), host)).not.toContain("delete table inet lbshield");
    expect(forward(remove(web), after(host, remove(api)))).toEqual(["delete table inet lbshield"]);
    expect(after(host, remove(api), remove(web))).toEqual(FRESH);
  });

  test("its record goes too, and a removal again does nothing", () => {
    expect(plan(remove(web), after(FRESH, put(web))).ledger).toMatchObject({ remove: [web.name] });
    expect(isEmpty(plan(remove(web), FRESH))).toBe(true);
  });

  test("objects that have lost their record are found by their name", () => {
    const host = { ...after(FRESH, put(web)), records: new Map() };
    expect(forward(remove(web), host)).toEqual(["delete table inet lbshield"]);
  });

  test("a layout that only the removed one stood on goes, the other stays", () => {
    const other: Declaration = {
      name: "misc/acme/prod/x",
      label: "X",
      needs: ["other"],
      wanted: [{ shared: false, object: chain("misc/acme/prod/x/in", ["drop"]) }],
    };
    const host = after(FRESH, put(web), put(other));
    expect([...after(host, remove(web)).nft.keys()]).toEqual(["chain other", "chain misc/acme/prod/x/in"]);
    expect(after(host, remove(other)).nft).toEqual(after(FRESH, put(web)).nft);
  });
});

/** Is it in conflict with something? */
function refuses(what: () => void): boolean {
  try {
    what();
    return false;
  } catch (error) {
    expect(error).toBeInstanceOf(Conflict);
    return true;
  }
}

describe("for any resources of one stack", () => {
  const keys = fc.uniqueArray(fc.constantFrom("192.0.2.1 . 80", "192.0.2.1 . 81", "192.0.2.2 . 80", "192.0.2.2 . 81"));
  const values = fc.subarray([sysctl("net.a", 11, 12), sysctl("net.a", 12), sysctl("net.b", 21)], { maxLength: 1 });
  const declaration = (name: string) => fc.tuple(keys, values).map(([k, v]) => rule(`acme/prod/${name}`, k, v));
  const declarations = fc.tuple(declaration("one"), declaration("two"), declaration("three"));

  /** Those of them that are not refused, put one after the other. */
  const putAll = (ds: readonly Declaration[]): { host: Snapshot; there: Declaration[] } => {
    let host = FRESH;
    const there = ds.filter(
      (d) =>
        !refuses(() => {
          host = after(host, put(d));
        }),
    );
    return { host, there };
  };

  test("a second put is an empty plan", () => {
    fc.assert(
      fc.property(declarations, (ds) => {
        const { host, there } = putAll(ds);
        for (const d of there) expect(isEmpty(plan(put(d), host))).toBe(true);
      }),
    );
  });

  test("all gone, in any order, the host is as it was", () => {
    fc.assert(
      fc.property(declarations, fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), (ds, order) => {
        const { host } = putAll(ds);
        expect(after(host, ...order.flatMap((i) => ds[i] ?? []).map(remove))).toEqual(FRESH);
      }),
    );
  });

  /** One change for each of some resources, in any order. */
  const changes = fc.shuffledSubarray(["one", "two", "three", "four"]).chain((names) =>
    fc.tuple(
      ...names.map((name) =>
        fc.oneof(
          fc.tuple(declaration(name), fc.boolean()).map(([d, may]): Change => ({ put: d, mayTake: () => may })),
          declaration(name).map(remove),
        ),
      ),
    ),
  );

  test("many changes at once, as one plan, lead where one after the other does, and meet the same conflicts", () => {
    fc.assert(
      fc.property(declarations, changes, (ds, some) => {
        const { host } = putAll(ds);
        const draft = draftOf([], host);
        const entered = some.filter(
          (change) =>
            !refuses(() => {
              draft.enter(change);
            }),
        );
        let last = host;
        const made = some.filter(
          (change) =>
            !refuses(() => {
              last = after(last, change);
            }),
        );
        expect(entered).toEqual(made);
        expect(carryOut(planOf(draft), host)).toEqual(last);
      }),
      { numRuns: 300 },
    );
  });

  test("what the host then shows is what the plan was for", () => {
    fc.assert(
      fc.property(declarations, ([one, two]) => {
        const host = after(FRESH, put(one));
        const p = plan(put({ ...two, name: one.name, label: one.label }), host);
        expect(differences(p, after(host, put({ ...two, name: one.name, label: one.label })))).toEqual([]);
      }),
    );
  });
});

test("what the host shows otherwise is told object by object, value by value", () => {
  const p = plan(put(rule("acme/prod/web", ["192.0.2.1 . 80"], [sysctl("net.a", 11)])), FRESH);
  const shown = withValue(
    {
      ...FRESH,
      nft: new Map([...p.nft.target, ["chain x", chain("x", ["drop"])]].filter(([id]) => id !== "set hosts") as never),
    },
    "net.a",
    "12",
  );
  expect(differences(p, shown)).toEqual([
    'set hosts is absent, not "type ipv4_addr"',
    'chain x is "drop", not absent',
    "net.a is 12, not 11",
  ]);
});

test("a put brings the layout it stands on, and writes its record once", () => {
  const [write, ...others] = plan(put(web), FRESH).ledger.write;
  expect(write).toEqual({ version: 1, ...web });
  expect(others).toEqual([]);
  expect(plan(put(web), after(FRESH, put(web))).ledger.write).toEqual([]);
  expect(SHARED.every((o) => after(FRESH, put(web)).nft.has(nftId(o)))).toBe(true);
});

test("what was put by another name of the same machine is not removed by the old name", () => {
  const host = after(FRESH, put({ ...web, via: "lb1.example.net" }));
  expect(after(host, { remove: { ...web, via: "192.0.2.9" } })).toEqual(host);
  expect(after(host, { remove: { ...web, via: "lb1.example.net" } })).toEqual(FRESH);
});

describe("of what a host has one,", () => {
  const marked = (path: string, mark: string): Declaration => ({
    ...rule(path, [`192.0.2.${path.length.toString()} . 80`]),
    needs: ["demo", `mark=${mark}`],
  });
  const host = after(FRESH, put(marked("acme/prod/web", "0x1")));

  test("another value is a conflict that names who wants which", () => {
    const { message, remedy } = conflict(put(marked("billing/test/x", "0x2")), host);
    expect(message).toBe("mark 0x2 is wanted, but Rule acme/prod/web wants 0x1");
    expect(remedy).toBe("one host has one: let both agree");
  });

  test("the same value is none, and one alone may change it", () => {
    expect(() => plan(put(marked("billing/test/x", "0x1")), host)).not.toThrow();
    expect(() => plan(put(marked("acme/prod/web", "0x2")), host)).not.toThrow();
  });

  test("so is one in the same transaction, and none with what goes in it", () => {
    const changes =
      (...some: Change[]) =>
      () =>
        planFor(some, host);
    expect(changes(put(marked("a/b/longer", "0x1")), put(marked("a/b/other", "0x2")))).toThrow(/wants 0x1/);
    expect(changes(remove(marked("acme/prod/web", "0x1")), put(marked("a/b/other", "0x2")))).not.toThrow();
  });
});

test("what was shared and is now somebody's own stays that one's, while the record of the first still stands", () => {
  // A rule that takes over another's key, and leads what all led alike to a chain of its own.
  const key = "192.0.2.1 . 81";
  const common: NftObject = { kind: "element", of: "ports", key, value: "accept" };
  const first = { ...web, wanted: [...web.wanted, shared(common)] };
  const second = rule("acme/prod/second", [key]);
  const taken = after(FRESH, put(first), put(second));
  expect(taken.nft.get(nftId(common))).toMatchObject({ value: "goto demo/acme/prod/second/in" });
  const others = after(taken, put(api));
  expect(others.nft.get(nftId(common))).toMatchObject({ value: "goto demo/acme/prod/second/in" });
  expect(after(others, remove(first)).nft.get(nftId(common))).toMatchObject({ value: "goto demo/acme/prod/second/in" });
  // When it goes first, what is shared is there again.
  expect(after(others, remove(second)).nft.get(nftId(common))).toEqual(common);
});
