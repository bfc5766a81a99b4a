# How a step is shown, run and judged, and how everything ends. Sourced by demo.sh.

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi
STEPS=$(grep -c '^step "' tools/demo/demo.sh)
number=0 title='start' child='' status=0 took=0 done_all=''

# Descriptor 8 is the lock. The lab's daemons would keep it.
lab() { tools/lab/lab.sh "$@" 8<&-; }

die() { echo "demo: $*" >&2 && exit 1; }

start() {
  [ "$(id -u)" = 0 ] || die "run as root: it makes network namespaces"
  command -v pulumi >/dev/null && [ -e dist/provider/index.js ] || die "run it by: make demo"
  exec 8<tools/demo
  flock -n 8 || die "another demo runs in this clone"
  tmp=$(mktemp -d "${TMPDIR:-/tmp}/lbshield-demo.XXXXXX") || die "no temporary folder"
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  began=${EPOCHREALTIME/./}
  lab down || die "the lab of an earlier demo does not go" # one that was killed with kill -9
}

# A folder of a user's own: the quick start's files, and the packages where npm would have put them.
make_project() {
  local packages=$tmp/project/node_modules name
  mkdir -p "$tmp/project/examples" "$tmp/backend" "$packages/@pulumi" "$packages/@types"
  cp Pulumi.yaml "$tmp/project" && cp -r examples/quickstart "$tmp/project/examples" || fail "no quick start to copy"
  echo '{ "private": true }' >"$tmp/project/package.json"
  ln -s "$PWD" "$packages/pulumi-lbshield"
  for name in @pulumi/pulumi typescript @types/node; do ln -s "$PWD/node_modules/$name" "$packages/$name"; done
  # Nothing of the user's: neither where state is kept, nor keys, nor options.
  unset "${!PULUMI_@}" "${!LBSHIELD_@}" SSH_AUTH_SOCK
  export PULUMI_HOME=$tmp/home PULUMI_BACKEND_URL=file://$tmp/backend PULUMI_CONFIG_PASSPHRASE=demo PULUMI_STACK=demo
  export PULUMI_SKIP_UPDATE_CHECK=1
  LBSHIELD_PRIVATE_KEY=$(cat "$LAB_STATE/id_ed25519") && export LBSHIELD_PRIVATE_KEY || fail "the lab has no key"
}

step() {
  number=$((number + 1)) title=$1
  printf '\n%s%d/%d  %s%s\n' "$bold" "$number" "$STEPS" "$title" "$plain"
}

note() { printf '      %s\n' "$*"; }

show() { # show PROMPT WORDS...: as it would be typed; a single word is a line as it stands
  local prompt=$1 word line=
  shift
  for word; do
    [[ $# -gt 1 && $word == *[\ \"\;\{]* ]] && word="'$word'"
    line="$line $word"
  done
  printf '   %s%s%s%s\n' "$dim" "$prompt" "$line" "$plain"
}

# run PROMPT CMD...: shows the command and its output, and keeps its status. The prompt says where: $ is here, in the
# project's folder when it is pulumi. A single word is a line for the shell.
run() { run_trimmed cat "$@"; }

run_trimmed() { # run_trimmed FILTER PROMPT CMD...
  local filter=$1 prompt=$2 from=${EPOCHREALTIME/./}
  shift 2
  show "$prompt" "$@"
  [ $# -gt 1 ] || set -- sh -c "$1"
  case $prompt in
    'lb1#') set -- lab exec 1 "$@" ;;
    'lb2#') set -- lab exec 2 "$@" ;;
    'client$') set -- lab client "$@" ;;
  esac
  execute "$@"
  took=$(tenths "$from")
  "$filter" <"$tmp/out" | sed 's/^/      /'
  return "$status"
}

# In the background, so that a signal is answered at once and not when the command has ended.
execute() {
  case $1 in
    pulumi) (cd "$tmp/project" && exec timeout -k 3 120 "$@") >"$tmp/out" 2>&1 </dev/null 8<&- & ;;
    *) "$@" >"$tmp/out" 2>&1 </dev/null 8<&- & ;;
  esac
  child=$!
  wait "$child"
  status=$?
  child=''
}

quietly() {
  execute "$@"
  [ "$status" = 0 ] || fail "$1 ${2:-} ended with $status"
}

expect() { # expect STATUS PATTERN...: of the command that ran last
  local pattern
  [ "$status" = "$1" ] || fail "expected status $1, got $status"
  [ "$1" = 0 ] || note "status $status"
  shift
  for pattern; do
    grep -q -- "$pattern" "$tmp/out" || fail "expected in the output: $pattern"
  done
}

fail() {
  printf '\n%sdemo: step %d (%s) failed: %s%s\n' "$bold" "$number" "$title" "$*" "$plain" >&2
  if [ -s "$tmp/out" ]; then
    echo "The last command's whole output:" >&2
    sed 's/^/      /' "$tmp/out" >&2
  fi
  exit 1
}

# Filters: what is left out is repetition, and a line says so.

no_connections() { # the block `connection: { ... }` of each resource
  awk '/^ *connection *: \{$/ { skip = 1 } !skip { print } skip && /^ *\}$/ { skip = 0 }'
}

only_lb1() { # a block begins with an operation in brackets, and its URN ends with the resource's name
  no_connections | awk '
    function flush() { if (block ~ /::lb2/) left++; else printf "%s", block; block = "" }
    /: \((create|update|delete|same)\)$/ || /^Resources:/ { flush() }
    { block = block $0 "\n" }
    END { flush(); if (left) print "(left out: connection blocks, and " left " resources of lb2 that differ in address only)" }'
}

no_progress() { grep -vE '^@ |(creating|updating|deleting|refreshing|refresh|running) *(\(|$)|^ *$|^The resources in|^If you want'; }

commas() { printf '%s' "$1" | sed ':a;s/\B[0-9]\{3\}\>/,&/;ta'; }

tenths() { # tenths SINCE: seconds until now, of a time in microseconds
  local t=$(((${EPOCHREALTIME/./} - $1) / 100000))
  echo "$((t / 10)).$((t % 10))"
}

summary() {
  printf '\n%sAll %d steps came out as expected.%s\n' "$bold" "$STEPS" "$plain"
  note "conntrack entries after $(commas "$SYNS") spoofed SYNs: $(commas "$without") without protection, $with with it"
  note "pages during the flood: $loaded loaded, $missed failed"
  note "pulumi up on 2 hosts: $up_took s; the whole demo: $(tenths "$began") s"
  done_all=1
}

finish() { # on every way out
  local code=$? n
  trap '' INT TERM HUP
  [ -n "$done_all" ] || [ "$code" -le 1 ] || printf '\ndemo: interrupted, taking everything down\n' >&2
  if [ -n "$child" ]; then
    kill -TERM "$child" 2>/dev/null
    for n in {1..50}; do kill -0 "$child" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$child" 2>/dev/null
  fi
  lab down || code=1
  rm -rf "$tmp"
  exit "$code"
}
