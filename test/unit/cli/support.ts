/** States and hosts on paper. */
import { type LedgerRecord } from "../../../provider/engine/ledger";
import { type Snapshot } from "../../../provider/engine/snapshot";
import { type NftObject, chain, nftId } from "../../../provider/kernel/nftables/objects";
import { own, shared } from "../../../provider/kernel/object";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { type Properties } from "../../../provider/wire";

/** A resource as a state has it. */
export const inState = (
  type: string,
  name: string,
  { connection = { host: "lb1", port: 22 } }: { readonly connection?: Properties } = {},
) => ({
  urn: `urn:pulumi:test::shop::pulumi-nodejs:dynamic/lbshield:${type}::${name}`,
  custom: true,
  id: `whatever/shop/test/${name}@lb1#0a1b2c3d`,
  type: `pulumi-nodejs:dynamic/lbshield:${type}`,
  inputs: { owner: `shop/test/${name}`, connection, match: { ports: [80] } },
});

export const deployment = (resources: readonly unknown[], operations: readonly unknown[] = []) => ({
  version: 3,
  deployment: { manifest: {}, resources, pending_operations: operations },
});

export const rule = (owner: string, via: string | undefined = "lb1", label = labelOf(owner)): LedgerRecord => ({
  version: 1,
  name: `synproxy/${owner}`,
  label,
  ...(via === "" ? {} : { via }),
  needs: ["synproxy"],
  wanted: [own(chain(`synproxy/${owner}/input`, ["drop"])), shared(sysctl("net.a", 1))],
});

const labelOf = (owner: string): string => {
  const [project = "", stack = "", ...name] = owner.split("/");
  return `SynproxyRule ${name.join("/")} (${project}/${stack})`;
};

/** A host with these records, their chains, and chains without a record. */
export function host(records: readonly LedgerRecord[], stray: readonly string[] = []): Snapshot {
  const chains = [...records.map((r) => r.name), ...stray].map((name): NftObject => chain(`${name}/input`, ["drop"]));
  return {
    nft: new Map(chains.map((o) => [nftId(o), o])),
    sysctl: new Map(),
    objects: new Map(),
    records: new Map(records.map((r) => [r.name, r])),
    boot: new Map(),
    originals: new Map(records.length > 0 ? [["net.a", "0"]] : []),
    transaction: undefined,
    session: { folder: "/run/lbshield.x" },
    undone: [],
  };
}
