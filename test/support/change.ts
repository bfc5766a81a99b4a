import { type Change } from "../../provider/engine/plan";
import { type Outcome, changeHost } from "../../provider/engine/transaction";
import { type Shell } from "../../provider/host/shell";
import { LAYOUTS } from "../../provider/resources/layout";

/** One change as a transaction of its own. */
export async function changeOne(shell: Shell, change: Change): Promise<Outcome> {
  const [result] = await changeHost(shell, [change], LAYOUTS);
  if (result?.status !== "fulfilled") throw result?.reason;
  return result.value;
}
