import { type Plan } from "../../../provider/engine/plan";
import { cooledStep, warmStep } from "../../../provider/engine/warm";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { FRESH, after, planFor, rule, tuning } from "./paper-host";

const web = rule("acme/prod/web", ["192.0.2.1 . 80"]);
const api = rule("acme/prod/api", ["192.0.2.1 . 443"]);
const host = after(FRESH, { put: web });

const steps = ({ nft }: Plan) => [warmStep(nft.forward), cooledStep(nft.forward)].map((some) => some.length);

test.each<[string, Plan]>([
  ["the first rules of a host", planFor([{ put: web }], FRESH)],
  ["many at once", planFor([{ put: web }, { put: api }], FRESH)],
])("%s wake its conntrack, and let it go afterwards", (_name, plan) => {
  expect(steps(plan)).toEqual([1, 1]);
});

test.each<[string, Plan]>([
  ["more rules", planFor([{ put: api }], host)],
  ["the same again", planFor([{ put: web }], host)],
  ["one of several gone", planFor([{ remove: web }], after(host, { put: api }))],
  ["the last one gone", planFor([{ remove: web }], host)],
  ["a table that is made anew", planFor([{ put: web }], bent())],
  ["values alone", planFor([{ put: tuning("acme/prod/t", sysctl("net.a", 11)) }], FRESH)],
])("%s: nothing is woken, and there is nothing to take back", (_name, plan) => {
  expect(steps(plan)).toEqual([0, 0]);
});

/** A host on which somebody has changed a set's type: that cannot be put right in place. */
function bent() {
  const set = { kind: "set", name: "hosts", key: "type mark", flags: [] } as const;
  return { ...host, nft: new Map([...host.nft, ["set hosts", set]]) };
}
