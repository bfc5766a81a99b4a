/** A host on paper: plans are carried out on plain data. Its resources are smaller than any real one. */
import { type Declaration, type Layout } from "../../../provider/engine/desired";
import { type Change, type Plan, after as hostAfter, planBetween } from "../../../provider/engine/plan";
import { type Snapshot } from "../../../provider/engine/snapshot";
import { type NftObject, byId, chain } from "../../../provider/kernel/nftables/objects";
import { type KernelObject, own, shared } from "../../../provider/kernel/object";
import { type Sysctl } from "../../../provider/kernel/sysctl/sysctl";

export const LAYOUT: Layout = {
  name: "demo",
  objects: [
    { kind: "map", name: "ports", key: "type ipv4_addr . inet_service : verdict", flags: [] },
    { kind: "set", name: "hosts", key: "type ipv4_addr", flags: [] },
    chain("input", ["ip daddr . tcp dport vmap @ports"], {
      type: "filter",
      hook: "input",
      priority: -5,
      policy: "accept",
    }),
  ],
};

export const LAYOUTS: readonly Layout[] = [{ name: "other", objects: [chain("other", ["accept"])] }, LAYOUT];

/** A host as somebody installed it. */
export const FRESH: Snapshot = {
  nft: new Map(),
  sysctl: new Map([
    ["net.a", "10"],
    ["net.b", "20"],
  ]),
  records: [],
  originals: new Map(),
};

/** `192.0.2.1 . 80`, led to the owner's chain. */
export const port = (key: string, owner: string): NftObject => ({
  kind: "element",
  of: "ports",
  key,
  value: `goto ${owner}/in`,
});

/** A rule `demo/PROJECT/STACK/NAME` for some ports; it shares their addresses, and some values. */
export function rule(path: string, keys: readonly string[], values: readonly Sysctl[] = []): Declaration {
  const name = `demo/${path}`;
  const addresses = [...new Set(keys.map((k) => k.split(" . ")[0] ?? ""))];
  return {
    name,
    label: `Rule ${path}`,
    layouts: ["demo"],
    wanted: [
      ...addresses.map((key): KernelObject => ({ kind: "element", of: "hosts", key })).map(shared),
      ...values.map(shared),
      own(chain(`${name}/in`, ["drop"])),
      ...keys.map((key) => own(port(key, name))),
    ],
  };
}

/** A resource that has values alone. */
export const tuning = (path: string, ...values: Sysctl[]): Declaration => ({
  name: `values/${path}`,
  label: `Tuning ${path}`,
  layouts: [],
  wanted: values.map(shared),
});

/** The plan of one change. */
export const planOf = (change: Change, host: Snapshot, layouts: readonly Layout[]): Plan =>
  planBetween(host, hostAfter(change, host, layouts));

/** What the host is after a plan. */
export function carryOut(plan: Plan, host: Snapshot): Snapshot {
  const { write, remove, keepOriginals, dropOriginals } = plan.ledger;
  const writes = [...plan.sysctlBefore, ...plan.sysctlAfter].map((w): [string, string] => [w.key, w.to]);
  const replaced = [...remove, ...write.map((r) => r.name)];
  return {
    nft: plan.nft.target,
    sysctl: new Map([...host.sysctl, ...writes]),
    records: [...host.records.filter((r) => !replaced.includes(r.name)), ...write],
    originals: new Map([...host.originals, ...keepOriginals].filter(([key]) => !dropOriginals.includes(key))),
  };
}

/** The host after one change after the other. */
export const after = (host: Snapshot, ...changes: readonly Change[]): Snapshot =>
  changes.reduce((now, change) => carryOut(planOf(change, now, LAYOUTS), now), host);

/** The same host with objects that somebody else put there. */
export const withObjects = (host: Snapshot, ...objects: readonly NftObject[]): Snapshot => ({
  ...host,
  nft: byId([...host.nft.values(), ...objects]),
});

export const withValue = (host: Snapshot, key: string, value: string): Snapshot => ({
  ...host,
  sysctl: new Map([...host.sysctl, [key, value]]),
});
