/** The shell scripts of a transaction. Each is one frame; `$LBS` is the shell's private folder on the host. */
import { type Line } from "../kernel/nftables/script";
import { quote } from "../kernel/quote";
import { RECOVER, RUN, UNDONE, armScript, deadlineIn, settleLeft, settleScript } from "./guard";
import { FOLDER, LEDGER, NEXT, goneLines, ledgerHead, newLines } from "./ledger";
import { type Plan } from "./plan";
import { type Interest, snapshotScript } from "./snapshot";

/** How long to wait for another stack's transaction, in seconds. */
export const LOCK_WAIT = 300;

/** The status of a script that found the lock taken. */
export const BUSY = 75;

/** Whose the lock is, for those who wait. */
const HOLDER = `"$LBS/holder"`;

/**
 * The lock; the end of what others have left; and the modules without which there are no values to look at. When the
 * lock is taken and `wait` is 0, the answer is who has it.
 */
export const lockScript = (who: string, wait: number, modules: readonly string[] = []): string => `
flock ${wait === 0 ? "-n" : `-w ${wait.toString()}`} 9 || { { cat ${RUN}/*/holder || echo somebody; } >&2 2>/dev/null; exit ${BUSY.toString()}; }
printf "%s" ${quote(who)} >${HOLDER} 2>/dev/null
${RECOVER}
[ -e /proc/sys/net/netfilter/nf_conntrack_max ] || modprobe -q nf_conntrack || :
${modules.map((name) => `modprobe -q ${quote(name)} || :`).join("\n")}
`;

export const UNLOCK = `rm -f ${HOLDER}; flock -u 9`;

export const lookScript = (who: string, wait: number, interest: Interest): string =>
  `${lockScript(who, wait, modulesOf(interest))}\n${snapshotScript(interest)}`;

const modulesOf = ({ objects }: Interest): string[] => objects.flatMap((o) => (o.kind === "module" ? [o.name] : []));

/** A file's content as a here-document: nothing in it is expanded. (cat tells of a full disk; printf does not.) */
const file = (path: string, content: string): string => `cat >${path} <<"LBSHIELD_FILE" || exit 74
${content}
LBSHIELD_FILE
`;

const nftFile = (lines: readonly Line[]): string => lines.map((line) => line.text).join("\n");

export interface Apply {
  readonly transaction: string;
  readonly label: string;
  readonly plan: Plan;
  readonly interest: Interest;
  /** How long the change may wait to be confirmed, in seconds. */
  readonly confirmWithin: number;
}

/** How long the commands themselves may take, in seconds; a tool that hangs is ended then. */
export const applyWithin = (confirmWithin: number): number => 4 * confirmWithin;

/**
 * Everything that the change needs is on the host before it begins: the commands, their way back, the next ledger,
 * synced. Then the guard watches, then the commands run, each noted before it is begun; then the host is read back.
 */
export function applyScript({ transaction, label, plan, interest, confirmWithin }: Apply): string {
  const { steps, nft, ledger } = plan;
  return `
rm -f "$LBS/applied" "$LBS/at" "$LBS/settle"
: >"$LBS/pending" || exit 74
${nft.forward.length === 0 ? "" : file('"$LBS/forward.nft"', nftFile(nft.forward)) + file('"$LBS/reverse.nft"', nftFile(nft.reverse))}
${file('"$LBS/settle"', settleScript({ transaction, label, steps, ledgerEmpty: ledger.empty }))}
${stageLedger(plan, transaction)}
${armScript(applyWithin(confirmWithin))}
failed=
${steps.map(({ id, run }, i) => stepScript(i + 1, id, run)).join("\n")}
if [ -n "$failed" ]; then sh "$LBS/settle" "$LBS"; exit 71; fi
${deadlineIn(confirmWithin)} || { sh "$LBS/settle" "$LBS"; exit 74; }
( ${snapshotScript(interest, false)} ) || { sh "$LBS/settle" "$LBS"; exit 71; }
`;
}

const stepScript = (n: number, id: string, run: string): string => `[ -n "$failed" ] || {
echo ${n.toString()} >"$LBS/at" && {
${run}
}
} 2>"$LBS/said" || { failed=1; printf "@@failed %s\\n" ${quote(id)}; cat "$LBS/said" >&2; }`;

/** How many transactions a ledger names: whoever asks late, when others have written it since, finds its own. */
const REMEMBERED = 16;

/** A full disk is found here, before anything has changed. */
function stageLedger({ ledger }: Plan, transaction: string): string {
  if (ledger.empty) return `rm -f ${NEXT}`;
  return `${file('"$LBS/head"', ledgerHead(transaction))}${file('"$LBS/gone"', ["", ...goneLines(ledger)].join("\n"))}${file('"$LBS/new"', newLines(ledger).join("\n"))}
mkdir -p ${FOLDER} || exit 74
{ if [ -e ${LEDGER} ]; then awk -F"\\t" '
  FNR == 1 { file++ }
  file == 1 { head = $0; next }
  file == 2 { gone[$1 FS $2]; next }
  FNR == 1 { for (i = 2; i <= NF && i < ${REMEMBERED.toString()}; i++) head = head FS $i; print head }
  FNR > 1 && NF && !(($1 FS $2) in gone)' "$LBS/head" "$LBS/gone" ${LEDGER}; else cat "$LBS/head"; fi && cat "$LBS/new"; } >${NEXT} &&
  { sync ${NEXT} || sync; } || { rm -f ${NEXT}; rmdir ${FOLDER} 2>/dev/null; exit 74; }
`;
}

/** The read-back was not as it should be: back to how it was. */
export const undoScript = (): string => `sh "$LBS/settle" "$LBS"; ${UNLOCK}`;

/**
 * The change stands, from the rename on. It may come over another connection than the change did: `folder` is that of
 * the shell which holds the lock. When the host was quicker and has undone it, its reason is the answer.
 */
export const confirmScript = (folder: string, asked: Asked, unlock: boolean): string => {
  const at = quote(folder);
  return `
if mv ${at}/open ${at}/confirmed 2>/dev/null; then sh ${at}/settle ${at}; else ${askScript(asked)} fi
${unlock ? UNLOCK : ""}
`;
};

/** What became of a transaction: `@@kept`, the host's reason for undoing it, or nothing when it was restarted since. */
const askScript = ({ transaction, ledgerEmpty }: Asked): string => `
if [ -e ${UNDONE}/${transaction} ]; then
  echo @@late; cat ${UNDONE}/${transaction}; rm -f ${UNDONE}/${transaction}; rmdir ${UNDONE} 2>/dev/null
elif ${ledgerEmpty ? `[ ! -e ${LEDGER} ]` : `[ -e ${LEDGER} ] && read -r head <${LEDGER} && [ "$head" != "\${head#*${transaction}}" ]`}; then echo @@kept
else echo @@unknown; fi
`;

export interface Asked {
  readonly transaction: string;
  readonly ledgerEmpty: boolean;
}

/** Waits until the transaction is over, one way or the other. */
export const outcomeScript = (who: string, asked: Asked, wait: number): string => `
flock -w ${wait.toString()} 9 || exit ${BUSY.toString()}
printf "%s" ${quote(who)} >${HOLDER} 2>/dev/null
${settleLeft("the connection was lost")}
${askScript(asked)}
${UNLOCK}
`;
