/** Rules, routes and modules in a plan: the tools that know no transactions. */
import { type Declaration, desiredLines } from "../../../provider/engine/desired";
import { observedLines } from "../../../provider/engine/observed";
import { type Change, Conflict, NFT_STEP, differences, isEmpty } from "../../../provider/engine/plan";
import { covers, interestOf, snapshotScript, union } from "../../../provider/engine/snapshot";
import { kernelModule } from "../../../provider/kernel/module/module";
import { own, shared } from "../../../provider/kernel/object";
import { type IpRule, type Route } from "../../../provider/kernel/route/objects";
import { type ToolObject, toolId } from "../../../provider/kernel/tools";
import { FRESH, LAYOUT, after, draftOf, planFor, rule } from "./paper-host";

const MARK: IpRule = { kind: "ip-rule", family: 4, pref: 50, fwmark: 1, table: 100 };
const LOCAL: Route = { kind: "route", family: 4, table: 100, type: "local", destination: "default", dev: "lo" };
const NAT = kernelModule("nf_nat");

const [ruleId, routeId, moduleId] = [MARK, LOCAL, NAT].map(toolId) as [string, string, string];

/** A resource that marks packets and sends them another way. */
function marking(
  path: string,
  objects: readonly ToolObject[] = [MARK],
  others: readonly ToolObject[] = [LOCAL, NAT],
): Declaration {
  const { name, needs, wanted } = rule(path, ["192.0.2.1 . 80"]);
  const tools = [...objects.map(own), ...others.map(shared)];
  return { name, label: `Marking ${path}`, needs, wanted: [...wanted, ...tools] };
}

const put = (declaration: Declaration): Change => ({ put: declaration });
const remove = (declaration: Declaration): Change => ({ remove: declaration });
const withTools = (...objects: readonly ToolObject[]) => ({
  ...FRESH,
  objects: new Map(objects.map((o) => [toolId(o), o])),
});
const table = (pref: number): IpRule => ({ ...MARK, pref });

const one = marking("acme/prod/one");
/** Without rules of nft, so that two can stand beside each other. */
const bare = (path: string, ...tools: Parameters<typeof marking> extends [string, ...infer Rest] ? Rest : never) => {
  const { wanted, ...others } = marking(path, ...tools);
  return {
    ...others,
    needs: [],
    wanted: wanted.filter(({ object }) => "family" in object || object.kind === "module"),
  };
};
const other = bare("acme/prod/other", [table(51)]);

const ids = (changes: readonly Change[], host = FRESH) => planFor(changes, host).steps.map((step) => step.id);

describe("objects of other tools", () => {
  test("come after the rules that mark for them, and go before these do; a module stays", () => {
    expect(ids([put(one)])).toEqual(["conntrack", NFT_STEP, "conntrack", moduleId, routeId, ruleId]);
    expect(ids([remove(one)], after(FRESH, put(one)))).toEqual([ruleId, routeId, NFT_STEP]);
    expect(after(FRESH, put(one), remove(one))).toEqual(withTools(NAT));
  });

  test("are put right when somebody has taken them away or changed them", () => {
    const host = after(FRESH, put(one));
    expect(isEmpty(planFor([put(one)], host))).toBe(true);
    expect(ids([put(one)], { ...host, objects: new Map() })).toEqual([moduleId, routeId, ruleId]);
    const bent = { ...host, objects: new Map([...host.objects, [routeId, { ...LOCAL, dev: "eth0" }]]) };
    expect(ids([put(one)], bent)).toEqual([routeId]);
  });

  test("that several share go with the last of them", () => {
    const both = after(FRESH, put(one), put(other));
    expect(ids([put(other)], after(FRESH, put(one)))).toEqual([toolId(table(51))]);
    expect(ids([remove(other)], both)).toEqual([toolId(table(51))]);
    expect(ids([remove(one), remove(other)], both)).toEqual(
      expect.arrayContaining([ruleId, toolId(table(51)), routeId]),
    );
  });

  test("must be as planned in what the host shows", () => {
    const plan = planFor([put(one)], FRESH);
    expect(differences(plan, after(FRESH, put(one)))).toEqual([]);
    const shown = { ...after(FRESH, put(one)), objects: withTools(NAT, { ...LOCAL, dev: "eth0" }).objects };
    expect(differences(plan, shown)).toEqual([
      `${ruleId} is absent, not ""`,
      `${routeId} is "local dev eth0", not "local dev lo"`,
    ]);
  });

  test("have lines of their own, as declared and as found", () => {
    const host = after(FRESH, put(one));
    const there = expect.any(String) as string;
    expect(desiredLines(one)).toMatchObject({
      modprobe: { [moduleId]: there },
      ip: { [routeId]: "local dev lo", [ruleId]: there },
    });
    expect(observedLines(one, host, LAYOUT)).toEqual(desiredLines(one));
    const { ip } = observedLines(one, { ...host, objects: withTools(NAT, { ...LOCAL, dev: "eth0" }).objects }, LAYOUT);
    expect(ip).toEqual({ [routeId]: "local dev eth0" });
  });
});

describe("an object that is there already", () => {
  test.each<[string, Change, Parameters<typeof planFor>[1], string, string]>([
    [
      "and nobody of ours made",
      put(one),
      withTools(MARK),
      `${ruleId} is on the host already and is not ours`,
      "remove it by hand, or choose another one",
    ],
    [
      "and is another's",
      put(bare("acme/prod/x")),
      after(FRESH, put(one)),
      `${ruleId} already belongs to Marking acme/prod/one`,
      "declare it once",
    ],
    [
      "and is shared, otherwise",
      put(bare("acme/prod/x", [table(52)], [{ ...LOCAL, dev: "eth0" }])),
      after(FRESH, put(one)),
      `${routeId} is wanted differently by Marking acme/prod/one`,
      "let both agree",
    ],
  ])("%s is a conflict, and nothing is entered", (_name, change, host, reason, remedy) => {
    const draft = draftOf([], host);
    expect(() => {
      draft.enter(change);
    }).toThrow(expect.objectContaining({ name: Conflict.name, message: reason, remedy }) as Error);
    expect([draft.objects, draft.records]).toEqual([host.objects, host.records]);
  });
});

describe("a look at them", () => {
  const interest = interestOf(one.wanted);

  test("asks the tools that are concerned, and no others", () => {
    const asked = (script: string) => [...script.matchAll(/^echo @@tool-(.*)$/gm)].map((m) => m[1]);
    expect(asked(snapshotScript(interest))).toEqual(["modprobe", "ip"]);
    expect(asked(snapshotScript(interestOf(rule("acme/prod/web", ["192.0.2.1 . 80"]).wanted)))).toEqual([]);
  });

  test("covers those it was for", () => {
    expect(interest.objects.map(toolId)).toEqual([ruleId, routeId, moduleId]);
    expect(covers(interest, interestOf(other.wanted))).toBe(false);
    expect(covers(union(interest, interestOf(other.wanted)), interestOf(other.wanted))).toBe(true);
  });
});
