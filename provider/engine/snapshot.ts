/** One look at a host: exactly what is needed to plan, in one command. */
import { parseTables } from "../kernel/nftables/listing";
import { type NftObjects, byId } from "../kernel/nftables/objects";
import { canonicalValue } from "../kernel/sysctl/sysctl";
import { TABLE } from "./desired";
import { type LedgerRecord, ORIGINALS, RESOURCES, originalKey, parseRecord } from "./ledger";

/** The part of a snapshot that resources read. */
export interface Observed {
  /** The table's objects; empty when there is no table. */
  readonly nft: NftObjects;
  /** Values by dotted key; what the host does not have is absent. */
  readonly sysctl: ReadonlyMap<string, string>;
}

export interface Snapshot extends Observed {
  readonly records: readonly LedgerRecord[];
  readonly originals: ReadonlyMap<string, string>;
}

/**
 * The shell commands of a snapshot. `nft -t list ruleset` and not `list table`: the latter loads every element of every
 * set even with -t (600 MB and 10 s with a set of a million). The small sets and maps are then listed by name, one at a
 * time: nft 1.0.6 loads only one of several that are listed in one run. Values that somebody claimed are shown as well: their originals name them.
 */
export function snapshotScript(sysctls: readonly string[]): string {
  return `
command -v nft >/dev/null || { echo "nft: not found" >&2; exit 127; }
listing=$(nft -t list ruleset) || exit
printf "@@nft\\n%s\\n" "$listing"
printf "%s\\n" "$listing" | awk '
  /^table / { ours = ($0 == "table ${TABLE.family} ${TABLE.name} {") }
  ours && /^\\t(set|map) / { print $1, $2 }' | while read -r kind name; do
  nft list "$kind" ${TABLE.family} ${TABLE.name} "$name" || exit
done || exit
echo @@sysctl
{ cat <<"LBSHIELD_KEYS"
${sysctls.join("\n")}
LBSHIELD_KEYS
ls ${ORIGINALS} 2>/dev/null
} | while read -r key; do
  path=/proc/sys/$(printf "%s" "$key" | tr . /)
  if [ -n "$key" ] && [ -r "$path" ]; then printf "%s\\t" "$key"; cat "$path" || exit; fi
done || exit
echo @@ledger
[ ! -d ${RESOURCES} ] || find ${RESOURCES} -type f -exec cat {} + || exit
echo @@original
for file in ${ORIGINALS}/*; do [ ! -f "$file" ] || { printf "%s\\t" "\${file##*/}"; cat "$file" && echo; } || exit; done
echo @@end
`;
}

export function parseSnapshot(text: string): Snapshot {
  const sections = new Map(
    text
      .split(/^@@/m)
      .slice(1)
      .map((part): [string, string] => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1)]),
  );
  if (!sections.has("end")) throw new Error("the host's answer ends in the middle");
  const lines = (section: string) => (sections.get(section) ?? "").split("\n").filter((line) => line !== "");
  const pairs = (section: string) =>
    new Map(lines(section).map((l): [string, string] => [l.slice(0, l.indexOf("\t")), l.slice(l.indexOf("\t") + 1)]));
  return {
    nft: byId(parseTables(sections.get("nft") ?? "", TABLE.family, TABLE.name)),
    sysctl: new Map([...pairs("sysctl")].map(([key, value]) => [key, canonicalValue(value)])),
    records: lines("ledger").map(parseRecord),
    originals: new Map([...pairs("original")].map(([file, value]) => [originalKey(file), value])),
  };
}
