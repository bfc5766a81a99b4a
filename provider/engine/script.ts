/** The shell scripts of a transaction. Each is one frame; `$LBS` is the shell's private folder on the host. */
import { type Line } from "../kernel/nftables/script";
import { quote } from "../kernel/quote";
import { toolId } from "../kernel/tools";
import { RECOVER, RUN, UNDONE, armScript, deadlineIn, settleLeft, settleScript } from "./guard";
import { FOLDER, LEDGER, type LedgerEdit, NEXT, goneLines, ledgerHead, newLines } from "./ledger";
import { type Plan } from "./plan";
import { type Interest, readBackScript, snapshotScript } from "./snapshot";

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
  const settle = settleScript({ transaction, label, steps, ledgerEmpty: ledger.empty });
  const scripts =
    nft.forward.length === 0 ? {} : { "forward.nft": nftFile(nft.forward), "reverse.nft": nftFile(nft.reverse) };
  return `
give_up() {
  rm -f "$LBS/open" "$LBS/settle" ${NEXT}
  rmdir ${FOLDER} 2>/dev/null
  exit "\${1:-74}"
}
[ ! -e "$LBS/applied" ] && [ ! -e "$LBS/at" ] && [ ! -e "$LBS/settle" ] || rm -f "$LBS/applied" "$LBS/at" "$LBS/settle"
: >"$LBS/pending" || give_up
${stageScript({ ...scripts, settle }, ledger, transaction)}
${armScript(applyWithin(confirmWithin))}
failed=
${steps.map(({ id, run }, i) => stepScript(i + 1, id, run)).join("\n")}
if [ -n "$failed" ]; then sh "$LBS/settle" "$LBS"; exit 71; fi
${deadlineIn(confirmWithin)} || { sh "$LBS/settle" "$LBS"; exit 74; }
( ${readBackScript(touched(plan, interest), !nft.echoed)} ) || { sh "$LBS/settle" "$LBS"; exit 71; }
`;
}

/** Of what was looked at, what the change is about. */
const touched = ({ values, objects }: Plan, interest: Interest): Interest => ({
  sysctls: new Set(values.keys()),
  objects: interest.objects.filter((o) => objects.has(toolId(o))),
});

const stepScript = (n: number, id: string, run: string): string => `[ -n "$failed" ] || {
echo ${n.toString()} >"$LBS/at" && {
${run}
}
} 2>"$LBS/said" || { failed=1; printf "@@failed %s\\n" ${quote(id)}; cat "$LBS/said" >&2; }`;

/** How many transactions a ledger names: whoever asks late, when others have written it since, finds its own. */
const REMEMBERED = 16;

/**
 * Puts the files in place, and the next ledger, in one process: processes are what a small change costs. A full disk is
 * found here, before anything has changed.
 */
function stageScript(files: Readonly<Record<string, string>>, ledger: LedgerEdit, transaction: string): string {
  const parts = ledger.empty
    ? Object.entries(files)
    : [
        ...Object.entries(files),
        ["head", ledgerHead(transaction)],
        ["gone", goneLines(ledger).join("\n")],
        ["new", newLines(ledger).join("\n")],
      ];
  const some = parts
    .filter(([, text]) => text !== "")
    .map(([name = "", text = ""]) => [name, text.split("\n")] as const);
  const names = Object.keys(files).map((name) => `"$LBS/${name}"`);
  const sizes = Object.values(files).map((text) => (Buffer.byteLength(text) + 1).toString());
  return `
${ledger.empty ? `rm -f ${NEXT}; ledger=` : `[ -d ${FOLDER} ] || mkdir -p ${FOLDER} || give_up; ledger=; [ ! -e ${LEDGER} ] || ledger=${LEDGER}`}
awk -F"\\t" -v folder="$LBS" -v ledger="${ledger.empty ? "" : NEXT}" '
  !own {
    if (left > 0) {
      left--
      if (name == "head") head = $0
      else if (name == "gone") gone[$0]
      else if (name == "new") fresh[++count] = $0
      else print >(folder "/" name)
    } else { name = $1; left = $2; own = name == "end" }
    next
  }
  FNR == 1 { for (i = 2; i <= NF && i < ${REMEMBERED.toString()}; i++) head = head FS $i; next }
  FNR == 2 { print head >ledger; headed = 1 }
  NF && !(($1 FS $2) in gone) { print >ledger }
  END {
    if (ledger == "") exit
    if (!headed) print head >ledger
    for (i = 1; i <= count; i++) print fresh[i] >ledger
  }' - $ledger <<"LBSHIELD_FILE" || give_up
${some.map(([name, lines]) => [`${name}\t${lines.length.toString()}`, ...lines].join("\n")).join("\n")}
end
LBSHIELD_FILE
set -- $(wc -c ${names.join(" ")})
[ "${sizes.map((_, i) => `$${i === 0 ? "1" : `{${(2 * i + 1).toString()}}`}`).join(" ")}" = "${sizes.join(" ")}" ] || give_up
${ledger.empty ? "" : `sync ${NEXT} || sync || give_up`}
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
