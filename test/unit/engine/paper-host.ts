/**
 * A host on paper: plans are carried out on plain data, and the ledger on its text. Its resources are smaller than any
 * real one.
 */
import { type Declaration, type Layout, TABLE_REF } from "../../../provider/engine/desired";
import { type Ledger, goneLines, ledgerHead, newLines, parseLedger } from "../../../provider/engine/ledger";
import { type Change, Draft, type Plan, planOf } from "../../../provider/engine/plan";
import { type Snapshot } from "../../../provider/engine/snapshot";
import { type NftObject, type NftSet, byId, chain, hookText } from "../../../provider/kernel/nftables/objects";
import { printRule } from "../../../provider/kernel/nftables/rule";
import { type KernelObject, own, shared } from "../../../provider/kernel/object";
import { type Sysctl } from "../../../provider/kernel/sysctl/sysctl";

/** What rules share. */
export const SHARED: readonly NftObject[] = [
  { kind: "map", name: "ports", key: "type ipv4_addr . inet_service : verdict", flags: [] },
  { kind: "set", name: "hosts", key: "type ipv4_addr", flags: [] },
  chain("input", ["ip daddr . tcp dport vmap @ports"], {
    type: "filter",
    hook: "input",
    priority: -5,
    policy: "accept",
  }),
];

export const LAYOUT: Layout = {
  objectsFor: (needs) => [
    ...(needs.has("other") ? [chain("other", ["accept"])] : []),
    ...(needs.has("demo") ? SHARED : []),
  ],
  needsOf: (nft) => [...(nft.has("map ports") ? ["demo"] : []), ...(nft.has("chain other") ? ["other"] : [])],
};

/** A host as somebody installed it. */
export const FRESH: Snapshot = {
  nft: new Map(),
  sysctl: new Map([
    ["net.a", "10"],
    ["net.b", "20"],
  ]),
  objects: new Map(),
  session: { folder: "/run/lbshield/paper", entry: { address: "192.0.2.1", port: 22 } },
  undone: [],
  transaction: undefined,
  records: new Map(),
  originals: new Map(),
  boot: new Map(),
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
    needs: ["demo"],
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
  needs: [],
  wanted: values.map(shared),
});

/** What some changes, entered one upon the other, make of a host. */
export function draftOf(changes: readonly Change[], host: Snapshot, layout = LAYOUT): Draft {
  const draft = new Draft(host, layout);
  for (const change of changes) draft.enter(change);
  return draft;
}

/** The plan of some changes in one transaction. */
export const planFor = (changes: readonly Change[], host: Snapshot, needs = LAYOUT): Plan =>
  planOf(draftOf(changes, host, needs));

/** What the host is after a plan. */
export function carryOut({ nft, values, objects, ledger }: Plan, host: Snapshot): Snapshot {
  const gone = new Set(goneLines(ledger));
  const kept = ledgerLines(host).filter((line) => !gone.has(line.split("\t", 2).join("\t")));
  const next = ledger.empty ? [] : [ledgerHead("paper"), ...kept, ...newLines(ledger)];
  return {
    ...host,
    nft: nft.target,
    sysctl: new Map([...host.sysctl, ...[...values.values()].map((v) => [v.key, v.value] as const)]),
    objects: new Map(
      [...new Map([...host.objects, ...objects])].flatMap(([id, o]) => (o === undefined ? [] : [[id, o]])),
    ),
    ...parseLedger(next.join("\n")),
  };
}

/** A ledger without its head. */
const ledgerLines = ({ records, originals, boot }: Ledger): string[] =>
  newLines({
    write: [...records.values()],
    keepOriginals: originals,
    remove: [],
    dropOriginals: [],
    boot,
    writeBoot: boot,
    dropBoot: [],
    empty: false,
  });

/** The host after one change after the other. */
export const after = (host: Snapshot, ...changes: readonly Change[]): Snapshot =>
  changes.reduce((now, change) => carryOut(planFor([change], now), now), host);

/** What a look at a host answers. */
export function printAnswer(host: Snapshot): string {
  const { folder, entry } = host.session;
  const ssh = entry === undefined ? "" : `198.51.100.7 50000 ${entry.address} ${entry.port.toString()}`;
  const ledger = host.transaction === undefined ? [] : [ledgerHead(host.transaction), ...ledgerLines(host)];
  return [
    ...["@@undone", ...host.undone],
    ...["@@session", `${folder}\t${ssh}`],
    ...["@@nft", ...(host.nft.size > 0 ? printTable([...host.nft.values()]) : [])],
    ...["@@sysctl", ...[...host.sysctl].map(([key, value]) => `${key}\t${value}`)],
    ...["@@ledger", ...ledger],
    "@@end\n",
  ].join("\n");
}

function printTable(objects: readonly NftObject[]): string[] {
  const elementsOf = (set: NftSet) =>
    objects
      .flatMap((o) => (o.kind === "element" && o.of === set.name ? [o] : []))
      .map(({ key, value }) => (value === undefined ? key : `${key} : ${value}`));
  const body = (o: NftObject): string[] => {
    if (o.kind === "chain") return [...(o.hook ? [`${hookText(o.hook)};`] : []), ...o.rules.map(printRule)];
    if (o.kind !== "set" && o.kind !== "map") return [];
    const elements = elementsOf(o);
    return [o.key, ...(elements.length > 0 ? [`elements = { ${elements.join(", ")} }`] : [])];
  };
  const blocks = objects
    .filter((o) => o.kind !== "element")
    .flatMap((o) => [`\t${o.kind} ${o.name} {`, ...body(o).map((line) => `\t\t${line}`), "\t}"]);
  return [`table ${TABLE_REF} {`, ...blocks, "}"];
}

/** The same host with objects that somebody else put there. */
export const withObjects = (host: Snapshot, ...objects: readonly NftObject[]): Snapshot => ({
  ...host,
  nft: byId([...host.nft.values(), ...objects]),
});

export const withValue = (host: Snapshot, key: string, value: string): Snapshot => ({
  ...host,
  sysctl: new Map([...host.sysctl, [key, value]]),
});
