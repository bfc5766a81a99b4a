/**
 * What brings a host back after a restart. Beside each record the ledger has the lines that restore it, so that what was
 * last confirmed is what boots: one rename turns over both. A script, the same for all hosts, reads them; where there is
 * systemd, units call it before the network, once more when the network is there, and whenever somebody has started
 * nftables or systemd-sysctl anew, which take our rules and values away.
 */
import { createHash } from "node:crypto";

import { type NftObject, type NftObjects, byId } from "../kernel/nftables/objects";
import { nftScript } from "../kernel/nftables/script";
import { isNft, toolsOf } from "../kernel/object";
import { type Step } from "../kernel/step";
import { type Sysctl, sysctlServes } from "../kernel/sysctl/sysctl";
import { TOOLS, type ToolObject, ofTool, toolId } from "../kernel/tools";
import { type Layout, TABLE_REF } from "./desired";
import { FOLDER, LEDGER, type Ledger, type LedgerRecord } from "./ledger";

/** A value that is there and serves is kept at a restart as well. */
function heldValue(key: string, { now, sysctl, agreed }: Held): string | undefined {
  const found = sysctl.get(key);
  const claim = agreed.get(key);
  if (claim === undefined) return now.boot.get(`set\t${key}`) ?? found;
  return found !== undefined && sysctlServes(claim, found) ? found : claim.value;
}

/** Separates the lines of a script that stands in one line. */
const NEWLINE = "\u0001";

interface Held {
  readonly records: ReadonlyMap<string, LedgerRecord>;
  readonly originals: ReadonlyMap<string, string>;
  readonly sysctl: ReadonlyMap<string, string>;
  /** What those who claim a value have agreed on, as far as this change is about it. */
  readonly agreed: ReadonlyMap<string, Sysctl>;
  readonly now: Pick<Ledger, "boot">;
  readonly objects: ReadonlyMap<string, ToolObject>;
  readonly layout: Layout;
}

/** The ledger's lines for a restart: what stands behind each kind and name. */
export function bootLines(held: Held): Map<string, string> {
  const { records, originals, objects, layout } = held;
  const lines = new Map<string, string>();
  for (const record of records.values()) {
    const script = scriptOf(record);
    if (script !== "") lines.set(`nft\t${record.name}`, script);
  }
  const needs = new Set([...records.values()].flatMap((r) => r.needs));
  const shared = layoutScript(layout.objectsFor(needs));
  if (shared !== "") lines.set("nft\tlayout", shared);
  for (const key of originals.keys()) {
    const value = heldValue(key, held);
    if (value !== undefined) lines.set(`set\t${key}`, value);
  }
  // What this change is not about has not been looked at.
  const wanted = new Map([...records.values()].flatMap(objectsOf));
  const others = [...wanted].map(([id, o]) => objects.get(id) ?? o);
  for (const tool of TOOLS)
    for (const [at, { id, run }] of tool.steps(new Map(), ofTool(tool, others)).entries())
      lines.set(`run\t${id}`, `${(10_000 * TOOLS.indexOf(tool) + at).toString()}\t${run.replaceAll("\n", " ")}`);
  return lines;
}

const NOTHING: NftObjects = new Map();
const printed = (objects: Iterable<NftObject>): string =>
  nftScript(TABLE_REF, NOTHING, byId(objects))
    .filter(({ id }) => id !== "table")
    .map(({ text }) => text)
    .join(NEWLINE);

const scripts = new WeakMap<LedgerRecord, string>();

function scriptOf(record: LedgerRecord): string {
  const known = scripts.get(record) ?? printed(record.wanted.map((w) => w.object).filter(isNft));
  scripts.set(record, known);
  return known;
}

type Named = readonly [string, ToolObject];

const tools = new WeakMap<LedgerRecord, readonly Named[]>();

function objectsOf(record: LedgerRecord): readonly Named[] {
  const known = tools.get(record) ?? toolsOf(record.wanted).map((o): Named => [toolId(o), o]);
  tools.set(record, known);
  return known;
}

const layouts = new WeakMap<readonly NftObject[], string>();

function layoutScript(objects: readonly NftObject[]): string {
  const known = layouts.get(objects) ?? printed(objects);
  layouts.set(objects, known);
  return known;
}

const RESTORE = `${FOLDER}/restore`;
const UNITS = "/etc/systemd/system";

/**
 * `restore early|late|again|values`. What is there already is left as it is. It goes through to the end and fails if
 * anything has failed. Two passes over the values: some move others.
 */
const SCRIPT = `#!/bin/sh
# lbshield: restores what was last confirmed. Written anew when it differs; gone with the last resource.
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
ledger=${LEDGER}
[ -e "$ledger" ] || exit 0
when=\${1:-early}
failed=0
say() { echo "lbshield: $*" >&2; }
exec 9</run
flock -w 60 9 || say "the lock is taken; going on without it"

commands() {
  awk -F"\\t" -v from="$1" -v to="$2" '$1 == "run" && $3 + 0 >= from && $3 + 0 < to { print $3 "\\t" $4 }' "$ledger" |
    sort -n | cut -f 2- | {
    bad=0
    while IFS= read -r command; do
      said=$(sh -c "$command" 2>&1) && continue
      case $said in *xists*) continue ;; esac
      bad=1
      [ "$when" = early ] || say "$command: $said"
    done
    exit "$bad"
  } || { [ "$when" = early ] || failed=1; }
}

values() {
  awk -F"\\t" '$1 == "set" { path = $2; if (path !~ "^/") { gsub("[.]", "\\001", path); gsub("/", ".", path); gsub("\\001", "/", path); path = "/proc/sys/" path } print path "\\t" $3 }' "$ledger" | {
    bad=0
    while IFS="	" read -r path value; do
      # A device may come later.
      [ -e "$path" ] || { [ "$when" != late ] || { say "$path is not there"; bad=1; }; continue; }
      set -- $(cat "$path")
      [ "$*" = "$value" ] || { printf "%s" "$value" >"$path"; } 2>/dev/null || { say "$path: $value is refused"; bad=1; }
    done
    exit "$bad"
  } || failed=1
}

table() {
  nft -t list table ${TABLE_REF} >/dev/null 2>&1 && return
  grep -q "^nft	" "$ledger" || return
  awk -F"\\t" '
    $1 == "nft" {
      n = split($3, line, "\\001")
      for (i = 1; i <= n; i++)
        if (line[i] ~ /^add rule /) rule[++rules] = line[i]
        else if (line[i] ~ /^add element /) element[++elements] = line[i]
        else if (line[i] ~ /^add chain /) chain[++chains] = line[i]
        else set[++sets] = line[i]
    }
    END {
      print "add table ${TABLE_REF}"
      for (i = 1; i <= chains; i++) print chain[i]
      for (i = 1; i <= sets; i++) print set[i]
      for (i = 1; i <= rules; i++) print rule[i]
      for (i = 1; i <= elements; i++) print element[i]
    }' "$ledger" | nft -f - || { say "the rules could not be loaded"; failed=1; }
}

if [ "$when" = values ]; then values; values; exit "$failed"; fi
commands 0 10000
tries=0
[ -e /proc/sys/net/netfilter/nf_conntrack_max ] || modprobe -q nf_conntrack
until [ -e /proc/sys/net/netfilter/nf_conntrack_max ] || [ "$tries" -ge 50 ]; do tries=$((tries + 1)); sleep 0.2; done
values
values
table
commands 10000 999999999
exit "$failed"
`;

const EARLY = `# Written by lbshield; gone with its last resource.
[Unit]
Description=lbshield: what was last confirmed
DefaultDependencies=no
After=local-fs.target systemd-modules-load.service systemd-sysctl.service nftables.service
Before=network-pre.target sysinit.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
ConditionPathExists=${LEDGER}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh ${RESTORE} early

[Install]
WantedBy=sysinit.target
`;

const LATE = `# Written by lbshield; gone with its last resource.
[Unit]
Description=lbshield: what was last confirmed and needs the network
After=network-online.target ipvsadm.service keepalived.service
Wants=network-online.target
ConditionPathExists=${LEDGER}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh ${RESTORE} late

[Install]
WantedBy=multi-user.target
`;

const dropIn = (...lines: readonly string[]): string =>
  ["# Written by lbshield; gone with its last resource.", "[Service]", ...lines, ""].join("\n");

/** What is written where there is systemd, and what everywhere. */
const SYSTEMD: Readonly<Record<string, string>> = {
  [`${UNITS}/lbshield.service`]: EARLY,
  [`${UNITS}/lbshield-late.service`]: LATE,
  // They flush everybody's rules, and write everybody's values.
  [`${UNITS}/nftables.service.d/lbshield.conf`]: dropIn(
    `ExecStartPost=-/bin/sh ${RESTORE} again`,
    `ExecReload=-/bin/sh ${RESTORE} again`,
  ),
  [`${UNITS}/systemd-sysctl.service.d/lbshield.conf`]: dropIn(`ExecStartPost=-/bin/sh ${RESTORE} values`),
};
const EVERYWHERE: Readonly<Record<string, string>> = { [RESTORE]: SCRIPT };
const WANTS = [
  `${UNITS}/sysinit.target.wants/lbshield.service`,
  `${UNITS}/multi-user.target.wants/lbshield-late.service`,
];

/** Whether the host would restore itself. */
export interface Boot {
  readonly systemd: boolean;
  /** What is missing or differs. */
  readonly wrong: readonly string[];
  /** Is anything of it there? */
  readonly some: boolean;
}

const all = [...Object.keys(EVERYWHERE), ...Object.keys(SYSTEMD)];

export const BOOT_LOOK = `
[ ! -d /run/systemd/system ] || echo systemd
sha256sum ${all.join(" ")} 2>/dev/null
for link in ${WANTS.join(" ")}; do [ ! -L "$link" ] || echo "link $link"; done
`;

const hash = (text: string): string => createHash("sha256").update(text).digest("hex");

export function parseBoot(lines: readonly string[]): Boot {
  const systemd = lines.includes("systemd");
  const files = new Map(
    lines.flatMap((line) => {
      const [, sum, path] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
      return sum === undefined || path === undefined ? [] : [[path, sum] as const];
    }),
  );
  const links = lines.flatMap((line) => /^link (.+)$/.exec(line)?.[1] ?? []);
  const expected = Object.entries({ ...EVERYWHERE, ...(systemd ? SYSTEMD : {}) });
  const wrong = expected.flatMap(([path, text]) => {
    const sum = files.get(path);
    return sum === undefined ? [`${path} is missing`] : sum === hash(text) ? [] : [`${path} is not as it was written`];
  });
  const disabled = systemd ? WANTS.filter((link) => !links.includes(link)).map((link) => `${link} is missing`) : [];
  return { systemd, wrong: [...wrong, ...disabled], some: files.size + links.length > 0 };
}

/** The host as it is when the step below has run. */
export const bootAfter = (boot: Boot, wanted: boolean): Boot => ({ ...boot, wrong: [], some: wanted });

const write = (path: string, text: string): string => `mkdir -p ${path.replace(/\/[^/]*$/, "")} &&
cat >${path} <<"LBSHIELD_UNIT" && chmod 644 ${path} || exit 74
${text}LBSHIELD_UNIT`;

const link = (path: string): string =>
  `mkdir -p ${path.replace(/\/[^/]*$/, "")} && ln -sf ../${path.split("/").at(-1) ?? ""} ${path} || exit 74`;

const reload = "systemctl daemon-reload";

function install({ systemd }: Boot): string {
  const files = { ...EVERYWHERE, ...(systemd ? SYSTEMD : {}) };
  return [
    ...Object.entries(files).map(([path, text]) => write(path, text)),
    ...(systemd ? WANTS.map(link) : []),
    `sync ${Object.keys(files).join(" ")} 2>/dev/null || sync`,
    ...(systemd ? [reload] : []),
  ].join("\n");
}

/** The folders of drop-ins go when nobody else has one there. */
const uninstall = ({ systemd }: Boot): string => `rm -f ${[...all, ...WANTS].join(" ")}
rmdir ${UNITS}/nftables.service.d ${UNITS}/systemd-sysctl.service.d 2>/dev/null
${systemd ? reload : ":"}`;

const ID = "the units that restore this at boot";

/** Puts in place, or takes away, what a restart needs. */
export function bootStep(boot: Boot | undefined, wanted: boolean): Step[] {
  if (boot === undefined) return [];
  if (wanted)
    return boot.wrong.length === 0
      ? []
      : [{ id: ID, run: `(\n${install(boot)}\n)`, back: boot.some ? ":" : uninstall(boot) }];
  return boot.some ? [{ id: ID, run: uninstall(boot), back: `(\n${install(boot)}\n)` }] : [];
}
