# A host's life. Sourced by lab.sh; what happens inside is host-init.sh.

# The machine's number of the host's pid 1. It is found through the namespace, not in a file: a recorded number may have
# become another process's. NSpid has one number for each pid namespace, so pid 1 of a nested one has more than two.
host_init() { # host_init I
  local pids p
  pids=$(ip netns pids "$LAB-h$1" 2>/dev/null)
  for p in $pids; do
    awk '/^NSpid:/ { exit !(NF == 3 && $3 == 1) }' "/proc/$p/status" 2>/dev/null && echo "$p" && return
  done
  return 1
}

host_runs() { host_init "$1" >/dev/null; }

host_up() { # host_up I: wait for it with host_wait
  local i=$1 d=$S/h$1
  host_runs "$i" && wires_there "$i" && return
  host_down "$i" # what a crash left
  mkdir -p "$d"
  keypair "$d/ssh_host_ed25519_key" "h$i"
  wires_up "$i"
  setsid ip netns exec "$LAB-h$i" unshare --mount --uts --pid --fork --kill-child --propagation private \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    bash "$HERE/host-init.sh" "$S" "$i" "$LAB_NET.$i" "$(six "$i")" </dev/null >"$d/log" 2>&1 9<&- &
  echo $! >"$d/pid"
}

host_wait() { # host_wait I
  wait_for 20 listening "$LAB-h$1" 22 && wait_for 20 listening "$LAB-h$1" 80 || die "h$1 does not start: $(tail -n 5 "$S/h$1/log")"
}

host_down() { # host_down I: its files stay
  ns_kill "$LAB-h$1"
  kill_recorded "$S/h$1/pid" # takes its children with it
  wires_down "$1"
}

host_exec() { # host_exec I CMD... in place of the calling shell
  local i=$1 p
  shift
  p=$(host_init "$i") || die "h$i does not run"
  exec nsenter --target "$p" --mount --uts --net --pid \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" "$@"
}
