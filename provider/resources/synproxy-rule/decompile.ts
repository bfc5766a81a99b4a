import { type Element, type NftObjects, verdictChain } from "../../kernel/nftables/objects";
import { readTierElement } from "../layout";
import { canonicalAddresses, canonicalNames } from "../../values";
import { CHAINS } from "./compile";
import { type SynproxyRuleModel } from "./model";

/**
 * The arguments that the observed objects amount to. A part that no arguments would produce (one key of a combination
 * is missing, the proxy's rule is gone) is left out: the lines say what differs.
 */
export function decompile(prefix: string, nft: NftObjects): Partial<SynproxyRuleModel> {
  const match = readMatch(prefix, nft);
  const options = readOptions(prefix, nft);
  return { ...(match ? { chain: "input" as const, match } : {}), ...(options ? { options } : {}) };
}

function readOptions(prefix: string, nft: NftObjects): SynproxyRuleModel["options"] | undefined {
  const chain = nft.get(`chain ${prefix}${CHAINS.input}`);
  const rules = chain?.kind === "chain" ? chain.rules : [];
  const statement = rules.length === 2 && rules[0]?.length === 1 ? rules[0][0] : undefined;
  if (statement?.is !== "synproxy") return undefined;
  const { mss, wscale, timestamp, sackPerm } = statement;
  return timestamp ? { mss, wscale, timestamp, sackPerm } : { mss, timestamp, sackPerm };
}

function readMatch(prefix: string, nft: NftObjects): SynproxyRuleModel["match"] | undefined {
  const keys = [...nft.values()]
    .filter((o): o is Element => o.kind === "element" && verdictChain(o) === `${prefix}${CHAINS.input}`)
    .map(readTierElement)
    .filter((key) => key !== undefined);
  const destinations = canonicalAddresses(keys.map((k) => k.address));
  const ports = [...new Set(keys.map((k) => k.port))].toSorted((a, b) => parseInt(a) - parseInt(b));
  const interfaces = canonicalNames(keys.flatMap((k) => k.iface ?? []));
  const combinations = destinations.length * ports.length * Math.max(1, interfaces.length);
  if (keys.length === 0 || keys.length !== combinations) return undefined;
  return {
    destinations,
    ports: ports.map((p) => (p.includes("-") ? p : Number(p))),
    ...(interfaces.length > 0 ? { interfaces } : {}),
  };
}
