/** Could a change cut the way by which we came in? Then it is confirmed over a connection that was opened after it. */
import { type NftObject, type NftObjects, nftEqual } from "../kernel/nftables/objects";
import { ownerOf } from "./desired";
import { keyMatches } from "./overlap";
import { type Plan } from "./plan";
import { type SessionFacts } from "./snapshot";

/** When to confirm over a new connection: whenever something changes, when it could matter, or never. */
export type Guard = "always" | "auto" | "never";

export function mustProve(guard: Guard, plan: Plan, before: NftObjects, { entry }: SessionFacts): boolean {
  if (guard !== "auto") return guard === "always";
  return couldCut(plan, before, entry);
}

/** A value that lets every packet pass, whatever it is. */
const HARMLESS = /^net\.netfilter\.nf_conntrack_(acct|timestamp|log_invalid|events|[a-z_]*timeout[a-z_]*)$/;

function couldCut(plan: Plan, before: NftObjects, entry: SessionFacts["entry"]): boolean {
  // Not over SSH (a host that is this machine): there is no way in to cut.
  if (entry === undefined) return false;
  if ([...plan.values.keys()].some((key) => !HARMLESS.test(key))) return true;
  if (plan.objects.size > 0) return true;
  const { target } = plan.nft;
  const touched = [...new Set([...before.keys(), ...target.keys()])].filter(
    (id) => !nftEqual(before.get(id), target.get(id)),
  );
  const owners = new Set<string>();
  for (const o of touched.flatMap((id) => [before.get(id) ?? [], target.get(id) ?? []].flat())) {
    const owner = ownerOf(o);
    // What all packets pass through; an element of a set only says whose packets go where.
    if (owner === undefined && o.kind !== "element") return true;
    if (owner !== undefined) owners.add(owner);
  }
  const leadsToUs = (o: NftObject): boolean =>
    o.kind === "element" && owners.has(ownerOf(o) ?? "") && keyMatches(o.key, entry.address, entry.port);
  return [...before.values(), ...target.values()].some(leadsToUs);
}
