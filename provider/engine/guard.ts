/**
 * What a transaction leaves on the host so that it ends well without us: `settle` ends it one way or the other, and the
 * guard, a process of its own, calls it when time is up or the shell that holds the lock is gone.
 *
 * A transaction lies in the shell's folder as one of three files, and to end it is to rename it: `open` becomes
 * `confirmed` or `rollback`, by one rename, so exactly one of the two happens. docs/adr/0010 tells the whole.
 */
import { quote } from "../kernel/quote";
import { type Step } from "../kernel/step";
import { FOLDER, LEDGER, NEXT } from "./ledger";

/** Where a shell's folders lie; after a restart of the host it is empty. */
export const RUN = "/run/lbshield";
/** What the host has undone by itself, a file for each transaction, until somebody has been told. */
export const UNDONE = `${RUN}/outcomes`;

const ENDED = "the connection ended before the change was confirmed";

export interface Settlement {
  readonly transaction: string;
  /** Whose change it is, e.g. `acme/prod, 12 resources`. */
  readonly label: string;
  readonly steps: readonly Step[];
  /** Is the ledger gone when this stands? */
  readonly ledgerEmpty: boolean;
}

/**
 * `settle FOLDER [WHY]`, under the lock: what was confirmed is finished, everything else is undone. Steps that never
 * ran are left alone. It may be cut off and run again.
 */
export const settleScript = ({ transaction, label, steps, ledgerEmpty }: Settlement): string => `
LBS=$1 why=$2
[ ! -e "$LBS/open" ] || mv "$LBS/open" "$LBS/rollback" 2>/dev/null
if [ -e "$LBS/confirmed" ] && [ ! -e "$LBS/rollback" ]; then
  if ${ledgerEmpty ? `rm -f ${LEDGER}` : `{ [ ! -e ${NEXT} ] || mv ${NEXT} ${LEDGER}; }`}; then
    { sync ${FOLDER} || sync; } 2>/dev/null
    rm -f "$LBS/confirmed" "$LBS/applied" "$LBS/at" "$LBS/settle"
    ${ledgerEmpty ? TIDY : ":"}
    echo @@kept
  else
    mv "$LBS/confirmed" "$LBS/rollback"
  fi
fi
if [ -e "$LBS/rollback" ]; then
  at= undone=
  [ ! -e "$LBS/at" ] || read -r at <"$LBS/at"
  at=\${at:-999999999}
${steps
  .map(({ back }, i) => `  [ "$at" -lt ${(i + 1).toString()} ] || { ${back}\n  } || undone=no`)
  .toReversed()
  .join("\n")}
  rm -f ${NEXT}
  ${TIDY}
  if [ -z "$undone" ]; then word=undone; else word=undo-failed; fi
  if [ -n "$why" ]; then
    mkdir -p ${UNDONE}
    printf "%s\\t%s\\t%s\\n" "$word" ${quote(label)} "$why" >${UNDONE}/${transaction}
  fi
  rm -f "$LBS/rollback" "$LBS/applied" "$LBS/at" "$LBS/settle"
  echo "@@$word"
fi`;

/** Folders that have become empty go: a host that was given back has nothing of ours. */
const TIDY = `rmdir ${FOLDER} 2>/dev/null || :`;

/**
 * `guard FOLDER PID START`: START is when the shell was started, so that another process of that number is not taken
 * for it. It counts on /proc/uptime: clocks are set. A SIGUSR1 makes it look at once; `guard.pid` says who it is, and
 * since when, and `armed` that it watches.
 */
export const GUARD = `
LBS=$1 holder=$2 started=$3
trap : USR1
trap "" HUP PIPE
read -r stat </proc/$$/stat
set -- \${stat##*) }
echo $$ "\${20}" >"$LBS/guard.pid"
exec 9</run
alive() {
  stat=$(cat "/proc/$holder/stat" 2>/dev/null) || return 1
  set -- \${stat##*) }
  [ "\${20}" = "$started" ] && [ "$1" != Z ]
}
end_shell() {
  kill -STOP "$holder"
  kin=$(cat /proc/[0-9]*/stat 2>/dev/null | awk -v root="$holder" -v me=$$ '
    { pid = $1; sub(/^.*[)] /, ""); parent[pid] = $2 }
    END {
      # The shell may have started us.
      kin[root]
      do { more = 0; for (p in parent) if (p != me && !(p in kin) && (parent[p] in kin)) { kin[p]; more = 1 } } while (more)
      for (p in kin) print p
    }')
  kill -KILL $kin
} 2>/dev/null
finish() {
  flock 9
  [ ! -e "$LBS/settle" ] || sh "$LBS/settle" "$LBS" "$1"
  rm -rf "$LBS"
  rmdir ${RUN} 2>/dev/null
  exit
}
while [ -d "$LBS" ]; do
  if ! alive; then
    mv "$LBS/open" "$LBS/rollback" 2>/dev/null
    finish "${ENDED}"
  fi
  if [ -e "$LBS/open" ]; then
    read -r up rest </proc/uptime
    deadline=
    read -r deadline <"$LBS/deadline"
    case $deadline in
    "" | *[!0-9]*) ;;
    *)
      if [ "\${up%%.*}" -ge "$deadline" ] && mv "$LBS/open" "$LBS/rollback"; then
        end_shell
        finish "nobody confirmed it in time"
      fi
      [ -e "$LBS/armed" ] || : >"$LBS/armed"
      ;;
    esac
  fi
  sleep 1 &
  wait $!
done
`;

/** Starts the guard once for each shell: as a unit of its own where there is systemd, which would end it with the session. */
const START_GUARD = `
stat=$(cat "/proc/$$/stat"); stat=\${stat##*) }
started=$(echo "$stat" | cut -d " " -f 20)
if ! { [ -d /run/systemd/system ] &&
  systemd-run --quiet --collect --unit="lbshield-guard-\${LBS##*/}" sh "$LBS/guard" "$LBS" $$ "$started" </dev/null >/dev/null 2>&1 8>&- 9>&-; }; then
  setsid sh "$LBS/guard" "$LBS" $$ "$started" </dev/null >/dev/null 2>&1 8>&- 9>&- &
fi`;

/** Sets the time by which the change must be confirmed, in seconds from now. */
export const deadlineIn = (seconds: number): string =>
  `{ read -r up rest </proc/uptime && echo $((\${up%%.*} + ${Math.ceil(seconds).toString()})) >"$LBS/deadline"; }`;

/**
 * Opens the transaction, and goes on only when a guard that lives has said that it watches. Its script is there already,
 * as `$LBS/settle`. A guard that does not answer is replaced once. `give_up [STATUS]` ends a change that has not begun.
 */
export const armScript = (seconds: number): string => `
${deadlineIn(seconds)} && : >"$LBS/open" || give_up
guarded() {
  [ -e "$LBS/armed" ] && read -r pid since <"$LBS/guard.pid" && read -r stat <"/proc/$pid/stat" || return 1
  set -- \${stat##*) }
  [ "\${20}" = "$since" ] && [ "$1" != Z ] && [ "$1" != T ]
} 2>/dev/null
guarded || rm -f "$LBS/armed"
[ -e "$LBS/guard" ] || cat >"$LBS/guard" <<"LBSHIELD_FILE" || { rm -f "$LBS/guard"; give_up; }
${GUARD}
LBSHIELD_FILE
tries=0
until [ -e "$LBS/armed" ]; do
  pid=
  [ ! -e "$LBS/guard.pid" ] || read -r pid since <"$LBS/guard.pid"
  if [ -n "$pid" ] && grep -q "$LBS/guard" "/proc/$pid/cmdline" 2>/dev/null; then kill -USR1 "$pid" 2>/dev/null
  elif [ $((tries % 1000)) = 0 ]; then${START_GUARD}
  fi
  tries=$((tries + 1))
  if [ "$tries" -gt 3000 ]; then
    echo "the guard that would undo the change does not start" >&2
    give_up 73
  fi
  sleep 0.003
done
`;

/** Whoever gets the lock first ends what others have left: a shell and its guard can both be killed. */
export const settleLeft = (why: string): string => `
for left in ${RUN}/*/; do
  left=\${left%/}
  [ "$left" != "$LBS" ] && [ -e "$left/pid" ] || continue
  [ ! -e "$left/settle" ] || sh "$left/settle" "$left" ${quote(why)} >/dev/null
  read -r pid rest <"$left/pid"
  [ -d "/proc/$pid" ] || rm -rf "$left"
done`;

/** The same, and what the host has undone is told once. */
export const RECOVER = `
${settleLeft(ENDED)}
echo @@undone
for file in ${UNDONE}/*; do [ ! -f "$file" ] || { cat "$file"; rm -f "$file"; }; done
rmdir ${UNDONE} 2>/dev/null
`;
