#!/bin/sh
# Runs the Jest projects one after the other: tools/test.sh [PROJECT...] [-- JEST OPTIONS]
# One Jest per project, because netns, vm, e2e and pack share this machine's kernel, ports and dist/ and must not overlap,
# and because Jest then takes a project without tests for the error that it is.
set -u
cd "$(dirname "$0")/.." || exit 1

projects=
while [ $# -gt 0 ]; do
  case $1 in
    --) shift && break ;;
    *) projects="$projects $1" && shift ;;
  esac
done

set -- node_modules/.bin/node node_modules/jest/bin/jest.js "$@"
totals=${LBSHIELD_TEST_TOTALS:-/dev/null}
status=0
for project in ${projects:-unit laws netns vm e2e pack}; do
  case $project in
    unit | laws) workers=2 ;;
    *) workers=1 ;;
  esac
  echo "── $project"
  before=$(wc -l <"$totals")
  if ! "$@" --selectProjects "$project" --maxWorkers "$workers"; then
    status=1
    # A run that reported nothing (a broken configuration, a crash) counts as one failure.
    [ "$(wc -l <"$totals")" != "$before" ] || echo "0 1 0" >>"$totals"
  fi
done
exit "$status"
