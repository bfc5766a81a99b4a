/** Which servers a rule leads to. */
import { type Family, isSingle, parseAddresses, printAddress } from "../../addresses";
import { parseTarget } from "../../kernel/nftables/nat";
import { type Server } from "../../learn";
import { type SynproxyRuleModel } from "./model";

type Rule = Pick<SynproxyRuleModel, "match" | "action">;

/** Where the proxy's own SYN goes, of each family that it is known of. */
export function serversOf({ match: m, action }: Rule, fams: readonly Family[]): Server[] {
  const target = typeof action === "object" && "dnat" in action ? parseTarget(action.dnat.to) : undefined;
  const to = typeof target === "object" ? target : undefined;
  const redirect = typeof action === "object" && "redirect" in action ? action.redirect : undefined;
  const port = redirect ?? firstOf(to?.ports) ?? firstOf(m.ports?.[0]);
  if (port === undefined) return [];
  return fams.flatMap((family) => {
    const addresses = to?.addresses ? [to.addresses] : singles(m.destinations, family);
    const first = addresses[0];
    return first === undefined
      ? []
      : [{ address: printAddress(family, first.from), port, interfaces: m.interfaces ?? [] }];
  });
}

const firstOf = (ports: number | string | undefined): number | undefined =>
  ports === undefined ? undefined : parseInt(ports.toString());

const singles = (texts: readonly string[] | undefined, family: Family) =>
  (texts ?? [])
    .map(parseAddresses)
    .filter((r) => typeof r !== "string")
    .filter((r) => r.family === family && isSingle(r));

export const asksNobody = ({ action }: Rule): boolean =>
  action === "drop" || action === "reject" || (typeof action === "object" && "trap" in action);

/** Why there is nobody to learn from; undefined where there is. */
export function notLearned(rule: Rule, fams: readonly Family[]): string | undefined {
  if (asksNobody(rule)) return "this rule's action lets nobody through to a server: leave options out";
  if (serversOf(rule, fams).length > 0) return undefined;
  return (
    "it is not known which server to ask: name a single address in match.destinations and a port in match.ports, " +
    "or both in action.dnat.to; or say the options"
  );
}
