import { type Change } from "../../provider/engine/plan";
import { Reader } from "../../provider/engine/snapshot";
import { type Link, type Outcome, type Request, Transactions } from "../../provider/engine/transaction";
import { type Shell } from "../../provider/host/shell";
import { LAYOUT } from "../../provider/resources/layout";

/** One change as a transaction of its own. */
export async function changeOne(shell: Shell, change: Change, how: Omit<Request, "change"> = {}): Promise<Outcome> {
  const link: Link = {
    shell: () => Promise.resolve(shell),
    another: () => Promise.reject(new Error("there is only this one")),
    adopt: () => undefined,
  };
  const [result] = await new Transactions(link, LAYOUT, new Reader()).run([{ change, ...how }], () => false);
  if (result?.status !== "fulfilled") throw result?.reason;
  return result.value;
}
