/**
 * Who a resource is. Its name on the host is `kind/project/stack/name`, which nft accepts as an identifier: whoever
 * lists the ruleset sees whose each chain is, and a conflict can name its owner.
 */
import { createHash } from "node:crypto";

/** nft takes identifiers of at most 255 bytes; chains add a suffix. */
const LONGEST = 200;

/** `project/stack/name`, as the SDK passes it in: a dynamic provider learns no URN. */
export type Owner = string;

/** The resource's name on a host. Distinct owners have distinct names: what must be rewritten gets a digest. */
export function hostName(kind: string, owner: Owner): string {
  const plain = owner.replace(/[^A-Za-z0-9_./-]/g, "_");
  const fits = plain === owner && plain.length <= LONGEST;
  return `${kind}/${fits ? plain : `${plain.slice(0, LONGEST - 9)}-${digest(owner)}`}`;
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 8);
