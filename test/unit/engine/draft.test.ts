/** Several changes, entered one upon the other, as one plan. */
import { type Declaration, TABLE_REF } from "../../../provider/engine/desired";
import { type Change, Conflict, NFT_STEP, type Plan, isEmpty, planOf } from "../../../provider/engine/plan";
import { chain } from "../../../provider/kernel/nftables/objects";
import { type Line } from "../../../provider/kernel/nftables/script";
import { sysctl, valueStep } from "../../../provider/kernel/sysctl/sysctl";
import { FakeTable } from "../kernel/nftables/fake-table";
import { FRESH, after, carryOut, draftOf, planFor, rule, tuning, withObjects } from "./paper-host";

const put = (declaration: Declaration): Change => ({ put: declaration });
const take = (declaration: Declaration): Change => ({ put: declaration, mayTake: () => true });
const remove = (declaration: Declaration): Change => ({ remove: declaration });
const together = (...changes: readonly Change[]) => carryOut(planFor(changes, FRESH), FRESH);
const stepsOf = ({ steps }: Plan) => steps.map((step) => step.id);
const forward = ({ nft }: Plan) => nft.forward.map((line) => line.text);

const web = rule("acme/prod/web", ["192.0.2.1 . 80"]);
const api = rule("acme/prod/api", ["192.0.2.2 . 443"]);
const a11 = sysctl("net.a", 11);
const first = tuning("acme/prod/first", a11);
const second = tuning("acme/prod/second", a11);
const host = after(FRESH, put(web), put(first));

describe("a change that cannot be leaves the draft as it was:", () => {
  test.each<[string, Change, string]>([
    [
      "a key that is taken, beside values and a key that are free",
      put(rule("acme/test/x", ["192.0.2.9 . 80", "192.0.2.1 . 80"], [sysctl("net.b", 21)])),
      "192.0.2.1 port 80 already belongs to demo/acme/prod/web on this host",
    ],
    [
      "a value that somebody wants otherwise, beside one that is free",
      put(tuning("acme/prod/x", sysctl("net.b", 21), sysctl("net.a", 12))),
      "net.a should be 12, but Tuning acme/prod/first wants it to be 11",
    ],
    [
      "a value that is not there, in place of what the resource had",
      put(tuning("acme/prod/first", sysctl("net.b", 21), sysctl("net.c", 1))),
      "net.c does not exist on this host",
    ],
    [
      "a new name for a resource, with a key that is taken",
      { put: rule("acme/prod/x", ["192.0.2.1 . 80"]), was: first.name },
      "192.0.2.1 port 80 already belongs to demo/acme/prod/web on this host",
    ],
  ])("%s", (_name, change, reason) => {
    const draft = draftOf([put(api)], host);
    const values = () => [new Map(draft.sysctl), new Map(draft.originals), new Map(draft.records), planOf(draft)];
    const before = values();
    expect(() => {
      draft.enter(change);
    }).toThrow(new Conflict(reason, ""));
    expect(values()).toEqual(before);
    draft.enter(remove(web));
    expect(planOf(draft)).toEqual(planFor([put(api), remove(web)], host));
  });
});

describe("in one batch", () => {
  test("what one puts, the next meets", () => {
    const draft = draftOf([put(web), put(first)], FRESH);
    const enter = (change: Change) => () => {
      draft.enter(change);
    };
    expect(enter(put(rule("acme/test/x", ["192.0.2.1 . 80"])))).toThrow("already belongs to demo/acme/prod/web");
    expect(enter(put(tuning("acme/test/t", sysctl("net.a", 12))))).toThrow("but Tuning acme/prod/first wants it");
  });

  test("what one gives up, another stack's may have", () => {
    const other = rule("acme/test/x", ["192.0.2.1 . 80"], [sysctl("net.a", 12)]);
    const changes = [remove(web), remove(first), put(other)];
    expect(carryOut(planFor(changes, host), host)).toEqual(after(FRESH, put(other)));
  });

  test("one takes over what another has, and the removal of that one leaves it there", () => {
    const taker = rule("acme/prod/new", ["192.0.2.1 . 80"]);
    for (const changes of [
      [take(taker), remove(web)],
      [remove(web), take(taker)],
    ]) {
      const plan = planFor([...changes, remove(first)], host);
      expect(forward(plan).filter((line) => line.includes("element"))).toEqual([
        "delete element inet lbshield ports { 192.0.2.1 . 80 }",
        "add element inet lbshield ports { 192.0.2.1 . 80 : goto demo/acme/prod/new/in }",
      ]);
      expect(carryOut(plan, host)).toEqual(after(FRESH, put(taker)));
    }
  });

  test("of one name put twice the later stands", () => {
    const later = rule("acme/prod/web", ["192.0.2.1 . 81"], [sysctl("net.b", 21)]);
    expect(together(put(rule("acme/prod/web", ["192.0.2.1 . 80"], [a11])), put(later))).toEqual(
      after(FRESH, put(later)),
    );
  });

  test.each<[string, Change[], Change[]]>([
    ["put and removed", [put(web), remove(web)], []],
    [
      "put elsewhere",
      [put(web), put(rule("acme/prod/web", ["192.0.2.9 . 80"]))],
      [put(rule("acme/prod/web", ["192.0.2.9 . 80"]))],
    ],
  ])("what one wanted to share before it was %s is not there", (_name, changes, same) => {
    expect(together(...changes)).toEqual(after(FRESH, ...same));
  });

  test("the original of a value that several want is kept once, and put back when the last of them goes", () => {
    const both = planFor([put(first), put(second)], FRESH);
    expect(both.steps).toEqual([valueStep({ key: "net.a", from: "10", to: "11" })]);
    expect(both.ledger.keepOriginals).toEqual(new Map([["net.a", "10"]]));

    const there = after(FRESH, put(first), put(second));
    expect(planFor([remove(first)], there).steps).toEqual([]);
    const gone = planFor([remove(first), remove(second)], there);
    expect(gone.steps).toEqual([valueStep({ key: "net.a", from: "11", to: "10" })]);
    expect(gone.ledger).toMatchObject({ dropOriginals: ["net.a"], empty: true });
  });

  test("a value that one gives up and another claims stays, with its original", () => {
    const plan = planFor([remove(first), put(second)], after(FRESH, put(first)));
    expect(plan.steps).toEqual([]);
    expect(plan.ledger).toMatchObject({
      write: [{ version: 1, ...second }],
      remove: [first.name],
      keepOriginals: new Map(),
      dropOriginals: [],
      empty: false,
    });
  });

  test("the last of several names that one resource had is the one that is left", () => {
    const [one, two] = [rule("acme/prod/b", ["192.0.2.1 . 80"]), rule("acme/prod/c", ["192.0.2.1 . 80"])];
    const renamed: Change[] = [
      { put: one, was: web.name },
      { put: two, was: one.name },
    ];
    expect(together(put(web), ...renamed)).toEqual(after(FRESH, put(two)));
  });

  test("a removal by another name of the same machine does nothing to what was just put", () => {
    const change: Change[] = [put({ ...web, via: "lb1.example.net" }), { remove: { ...web, via: "192.0.2.9" } }];
    expect(together(...change)).toEqual(after(FRESH, change[0]!));
  });
});

describe("the steps of a plan", () => {
  const both = rule("acme/prod/both", ["192.0.2.3 . 80"], [sysctl("net.b", 21)]);

  test.each<[string, Plan, string[]]>([
    ["are none when there is nothing to do", planFor([put(web)], host), []],
    [
      "of the first rules wake conntrack before and let it go after",
      planFor([put(web)], FRESH),
      ["conntrack", NFT_STEP, "conntrack"],
    ],
    ["write values before the rules that stand on them", planFor([put(both)], host), ["net.b", NFT_STEP]],
    ["give values back when the rules are gone", planFor([remove(both)], after(host, put(both))), [NFT_STEP, "net.b"]],
    ["do both around the rules", planFor([put(both), remove(first)], host), ["net.b", NFT_STEP, "net.a"]],
    [
      "are values alone where no rule changes",
      planFor([remove(first), put(tuning("acme/prod/t", sysctl("net.b", 21)))], host),
      ["net.b", "net.a"],
    ],
  ])("%s", (_name, plan, steps) => {
    expect(stepsOf(plan)).toEqual(steps);
  });

  test("lead back to where the host was", () => {
    const table = new FakeTable(TABLE_REF);
    const run = (lines: readonly Line[]) => {
      table.run(lines.map((line) => line.text));
      return table.objects();
    };
    const before = run(planFor([put(web)], FRESH).nft.forward);
    const { forward: there, reverse: back } = planFor([put(both), remove(web), put(api)], host).nft;
    expect(run(there)).not.toEqual(before);
    expect(run(back)).toEqual(before);
  });

  test("tell what must be read back, and nothing that was right already", () => {
    const { values, objects } = planFor([put(both), put(second), remove(web)], host);
    expect(values).toEqual(new Map([["net.b", sysctl("net.b", 21)]]));
    expect(objects).toEqual(new Map());
  });

  test("of a table that somebody has changed put it right, of one that nobody touches do not", () => {
    const bent = withObjects(host, chain("demo/acme/prod/web/in", ["accept"]));
    expect(forward(planFor([put(web)], bent))).toEqual([
      "flush chain inet lbshield demo/acme/prod/web/in",
      "add rule inet lbshield demo/acme/prod/web/in drop",
    ]);
    expect(isEmpty(planFor([put(first)], bent))).toBe(true);
  });
});
