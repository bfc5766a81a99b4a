import { setImmediate } from "node:timers/promises";

import { Bastion } from "../../../provider/host/bastion";
import { type Connection } from "../../../provider/host/dial";

/** A connection that notes what became of it. */
class Fake {
  alive = true;
  closed = 0;
  close(): void {
    this.alive = false;
    this.closed++;
  }
}

/** A bastion whose dials succeed at once, or fail as long as `fails` says so. */
function bastion(fails: () => boolean = () => false) {
  const dialled: Fake[] = [];
  let attempts = 0;
  const way = new Bastion(async () => {
    attempts++;
    await setImmediate();
    if (fails()) throw new Error("nobody there");
    const fake = new Fake();
    dialled.push(fake);
    return fake as unknown as Connection;
  });
  const lease = (count: number) => Promise.all(Array.from({ length: count }, () => way.lease()));
  return { dialled, lease, attempts: () => attempts };
}

test("eight share a connection, the ninth has another", async () => {
  const { dialled, lease } = bastion();
  const leases = await lease(9);
  expect(dialled).toHaveLength(2);
  expect(leases.map((l) => l.connection === (dialled[0] as unknown))).toEqual([...Array<boolean>(8).fill(true), false]);
});

test("a connection is closed with the last that uses it, once", async () => {
  const { dialled, lease } = bastion();
  const [a, b] = await lease(2);
  a?.release();
  a?.release();
  expect(dialled[0]?.closed).toBe(0);
  b?.release();
  expect(dialled[0]?.closed).toBe(1);
  await lease(1);
  expect(dialled).toHaveLength(2);
});

test("a place that was given back is used again", async () => {
  const { dialled, lease } = bastion();
  const [first] = await lease(8);
  first?.release();
  await lease(1);
  expect(dialled).toHaveLength(1);
});

test("one that died is dialled again", async () => {
  const { dialled, lease } = bastion();
  await lease(1);
  dialled[0]!.alive = false;
  const [next] = await lease(1);
  expect(next?.connection).toBe(dialled[1]);
});

test("all that wait have the error of one dial; who comes later dials again", async () => {
  let down = true;
  const { lease, attempts } = bastion(() => down);
  const results = await Promise.allSettled([lease(1), lease(1), lease(1)]);
  expect(results.map((r) => r.status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(attempts()).toBe(1);
  down = false;
  await lease(1);
  expect(attempts()).toBe(2);
});

test("a bastion that refuses the third channel has two on each connection from then on", async () => {
  const { dialled, lease } = bastion();
  const [a, b, c] = await lease(3);
  expect(c?.wasCrowded()).toBe(true);
  c?.release();
  await lease(3);
  expect(dialled).toHaveLength(3);
  for (const one of [a, b]) expect(one?.connection).toBe(dialled[0]);
});

test("one that refuses the only channel is not crowded: it does not forward", async () => {
  const { lease } = bastion();
  const [only] = await lease(1);
  expect(only?.wasCrowded()).toBe(false);
});
