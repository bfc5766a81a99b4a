import { cooledScript, unwarmScript, warmScript } from "../../../provider/engine/warm";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { FRESH, LAYOUTS, after, planOf, rule, tuning } from "./paper-host";

const web = rule("acme/prod/web", ["192.0.2.1 . 80"]);
const api = rule("acme/prod/api", ["192.0.2.1 . 443"]);
const host = after(FRESH, { put: web });
const scripts = [warmScript, cooledScript, unwarmScript] as const;

test("the first rules of a host wake its conntrack, with a way to the end and a way back", () => {
  for (const script of scripts) expect(script(planOf({ put: web }, FRESH, LAYOUTS))).not.toBe("");
});

test.each([
  ["more rules", planOf({ put: api }, host, LAYOUTS)],
  ["the same again", planOf({ put: web }, host, LAYOUTS)],
  ["one of several gone", planOf({ remove: web }, after(host, { put: api }), LAYOUTS)],
  ["the last one gone", planOf({ remove: web }, host, LAYOUTS)],
  ["values alone", planOf({ put: tuning("acme/prod/t", sysctl("net.a", 11)) }, FRESH, LAYOUTS)],
])("%s: nothing is woken, and there is nothing to take back", (_name, plan) => {
  expect(scripts.map((script) => script(plan))).toEqual(["", "", ""]);
});
