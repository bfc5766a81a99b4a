#!/bin/sh
# Runs the Jest projects: tools/test.sh [PROJECT...] [-- JEST OPTIONS]
# One Jest per project, because netns, e2e and pack share this machine's kernel, ports and dist/ and must not overlap, and
# because Jest then takes a project without tests for the error that it is. The virtual machines of vm are slow and apart
# from all that: they run beside the first three.
set -u
cd "$(dirname "$0")/.." || exit 1

projects=
while [ $# -gt 0 ]; do
  case $1 in
    --) shift && break ;;
    unit | laws | vm | netns | e2e | pack) projects="$projects $1" && shift ;;
    *) echo "tools/test.sh: there is no project $1" >&2 && exit 2 ;;
  esac
done
projects=" ${projects:-unit laws vm netns e2e pack} "

set -- node_modules/.bin/node node_modules/jest/bin/jest.js "$@"
totals=${LBSHIELD_TEST_TOTALS:-/dev/null}
status=0

run() { # run PROJECT WORKERS COMMAND...: its output ends with what it has reported
  project=$1 workers=$2
  shift 2
  reported=$(mktemp)
  LBSHIELD_TEST_TOTALS=$reported "$@" --selectProjects "$project" --maxWorkers "$workers"
  code=$?
  # A run that reported nothing (a broken configuration, a crash) counts as one failure.
  [ "$code" = 0 ] || [ -s "$reported" ] || echo "0 1 0" >>"$reported"
  cat "$reported" >>"$totals"
  rm -f "$reported"
  return "$code"
}

apart=
case $projects in
  *" vm "*)
    log=$(mktemp)
    (run vm 1 "$@") >"$log" 2>&1 &
    apart=$!
    trap '[ -z "$apart" ] || kill "$apart" 2>/dev/null; rm -f "$log"' EXIT
    ;;
esac

others() { # others "PROJECT..." COMMAND...: those of them that were asked for
  some=$1
  shift
  for one in $some; do
    case $projects in *" $one "*) ;; *) continue ;; esac
    case $one in unit | laws) workers=2 ;; *) workers=1 ;; esac
    echo "── $one"
    run "$one" "$workers" "$@" || status=1
  done
}

others "unit laws netns" "$@"
if [ -n "$apart" ]; then
  echo "── vm"
  wait "$apart" || status=1
  cat "$log"
  apart=
fi
others "e2e pack" "$@"
exit "$status"
