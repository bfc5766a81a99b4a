import { PARTS } from "../../../provider/resources/load-balancer/parts";
import { RESOURCES } from "../../../provider/resources/registry";

test("every resource has a type and a kind of its own", () => {
  expect(new Set(RESOURCES.map((r) => r.type)).size).toBe(RESOURCES.length);
  expect(new Set(RESOURCES.map((r) => r.kind)).size).toBe(RESOURCES.length);
});

test("all but the LoadBalancer can be part of one", () => {
  const parts = Object.values(PARTS).map(({ type }) => type.type);
  expect([...parts, "LoadBalancer"].toSorted()).toEqual(RESOURCES.map((r) => r.type).toSorted());
});

test.each(RESOURCES.map((r) => r.kind))("the kind %s can begin a name on the host", (kind) => {
  expect(kind).toMatch(/^[a-z][a-z0-9-]*$/);
});
