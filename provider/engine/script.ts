/** The shell scripts of a transaction. Each is one frame; `$LBS` is the shell's private folder on the host. */
import { type Line } from "../kernel/nftables/script";
import { sysctlPath } from "../kernel/sysctl/sysctl";
import { LEDGER, ORIGINALS, RESOURCES, originalFile, printRecord, recordFile } from "./ledger";
import { type Plan, type SysctlWrite } from "./plan";
import { snapshotScript } from "./snapshot";
import { cooledScript, unwarmScript, warmScript } from "./warm";

/** How long to wait for another stack's transaction, in seconds. */
const LOCK_WAIT = 60;

/** The lock, and the module without which conntrack has no values. */
export const LOCK = `
flock -w ${LOCK_WAIT.toString()} 9 || { echo "another change of this host has held the lock for ${LOCK_WAIT.toString()} s" >&2; exit 75; }
[ -e /proc/sys/net/netfilter/nf_conntrack_max ] || modprobe -q nf_conntrack || :`;

export const UNLOCK = "flock -u 9";

export const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A file's content as a here-document: nothing in it is expanded. */
const file = (path: string, content: string): string => `cat >${path} <<"LBSHIELD_FILE" || exit 74
${content}
LBSHIELD_FILE
`;

const nftFile = (lines: readonly Line[]): string => lines.map((line) => line.text).join("\n");

/** A value and, when it is refused, the key and the kernel's word for it. */
const set = (key: string, value: string): string =>
  `{ printf "%s" ${quote(value)} >${sysctlPath(key)}; } 2>"$LBS/said" || { printf "%s: " ${quote(key)} >&2; sed "s/^.*: //" "$LBS/said" >&2; failed=1; }`;

const writes = (some: readonly SysctlWrite[]): string =>
  some.map((w) => `[ -n "$failed" ] || ${set(w.key, w.to)}`).join("\n");

/** A file of the ledger before it is whole. */
const NEXT = `${LEDGER}/next`;

/** Folders that have become empty go: a host that was given back has nothing of ours. */
const TIDY = `rmdir ${RESOURCES} ${ORIGINALS} ${LEDGER} 2>/dev/null || :`;

/**
 * Writes the reverse first, then applies. The reverse lies in `$LBS/undo`, which the shell itself runs when the
 * connection ends before the change was kept.
 */
export function applyScript(plan: Plan, sysctls: readonly string[]): string {
  const { forward, reverse } = plan.nft;
  return `
failed=
mkdir -p ${RESOURCES} ${ORIGINALS} || exit 74
${file('"$LBS/forward.nft"', nftFile(forward))}
${file('"$LBS/reverse.nft"', nftFile(reverse))}
${file('"$LBS/undo"', undoSteps(plan))}
${[...plan.ledger.keepOriginals].map(([key, value]) => replace(originalFile(key), value)).join("\n")}
${warmScript(plan)}
${writes(plan.sysctlBefore)}
[ -n "$failed" ] || nft -f "$LBS/forward.nft" || failed=1
[ -n "$failed" ] || touch "$LBS/applied"
${cooledScript(plan)}
${writes(plan.sysctlAfter)}
if [ -n "$failed" ]; then ${runUndo} exit 71; fi
( ${snapshotScript(sysctls)} ) || { ${runUndo} exit 71; }
`;
}

/** By a new file and a rename, so that a reader sees the old or the new. (cat tells of a full disk; printf does not.) */
const replace = (path: string, content: string): string =>
  `[ -n "$failed" ] || { cat >${NEXT} && mv ${NEXT} ${quote(path)}; } <<"LBSHIELD_FILE" || failed=1
${content}
LBSHIELD_FILE`;

function undoSteps(plan: Plan): string {
  const back = [...plan.sysctlBefore, ...plan.sysctlAfter].toReversed();
  return `undone=
${unwarmScript(plan)}
[ ! -e "$LBS/applied" ] || nft -f "$LBS/reverse.nft" || undone=no
${back.map(restore).join("\n")}
rm -f ${[...plan.ledger.keepOriginals.keys()].map((key) => quote(originalFile(key))).join(" ")} "$LBS/undo"
rm -f ${NEXT}
${TIDY}
[ -z "$undone" ]`;
}

/** A value that was not written yet is left alone: the kernel may have refused it. */
const restore = ({ key, from }: SysctlWrite): string =>
  `[ "$(cat ${sysctlPath(key)})" = ${quote(from)} ] || printf "%s" ${quote(from)} >${sysctlPath(key)} || undone=no`;

const runUndo = `if ( . "$LBS/undo" ); then echo @@undone; else echo @@undo-failed; fi; rm -f "$LBS/undo" "$LBS/applied";`;

export const undoScript = (): string => `${runUndo} ${UNLOCK}`;

/** The change stands: the ledger says so, and nothing is left to undo. */
export function keepScript({ ledger }: Plan): string {
  const drops = ledger.dropOriginals.map((key) => quote(originalFile(key)));
  return `
failed=
${ledger.write.map((record) => replace(recordFile(record.name), printRecord(record))).join("\n")}
${ledger.remove.map((name) => `[ -n "$failed" ] || rm -f ${quote(recordFile(name))} || failed=1`).join("\n")}
if [ -n "$failed" ]; then ${runUndo} ${UNLOCK}; exit 74; fi
rm -f ${drops.join(" ")} "$LBS/undo" "$LBS/applied"
${TIDY}
${UNLOCK}
`;
}
