# What "as before" means. Sourced by lab.sh and vm.sh.

kernel_state() { # runs inside the host
  section() { printf '## %s\n' "$*" && "$@"; }
  # To look must change nothing, and these tools load what they ask about.
  absent() { [ -e /proc/modules ] && ! grep -q "^$1 " /proc/modules && grep -qs "/$1\.ko" "/lib/modules/$(uname -r)/modules.dep"; }
  if absent nf_tables; then echo '## nft -s list ruleset'; else section nft -s list ruleset; fi
  # What the host may write, and anybody may read: leaves out counters, what is the machine's, and random keys (0600).
  echo "## sysctl"
  (cd /proc/sys && find net -type f -perm -444 -perm /222 | LC_ALL=C sort | xargs grep -s '')
  local family
  for family in -4 -6; do
    section ip "$family" rule
    section ip "$family" route show table all
  done
  if [ -e /proc/net/ip_vs ]; then section ipvsadm -Sn; fi
}

describe() { # the files whose names (relative to /, NUL between them) come in, one line each and one for the content
  local names=() name
  cd / && mapfile -d '' names
  for name in "${names[@]}"; do [ -f "$name" ] && [ ! -L "$name" ] && printf '%s\0' "$name"; done | xargs -0r sha256sum | sed -E "s/^(\S+)  (.*)/'\2' \1/"
  printf '%s\0' "${names[@]}" | xargs -0r stat -c '%N %A %u:%g' 2>/dev/null
  return 0
}

own_files() { # the names of all that the provider may write; runs inside a host whose files are all its own
  find /etc/systemd/system /etc/sysctl.d /etc/modules-load.d /etc/modprobe.d /etc/nftables.conf /var/lib/lbshield /run/lbshield* \
    -printf '%p\0' 2>/dev/null
}

host_describe() { host_exec "$1" bash -c "$(declare -f describe) && describe"; }

changed_files() { # changed_files I: files that differ from the machine's ("-" there, "+" here), and all of /run
  local i=$1 tree names
  names=$(mktemp "$S/names.XXXXXX")
  # A directory that was written to and emptied again stays in the upper layer, so that alone does not count as a change.
  for tree in etc opt srv usr var; do
    find "$S/h$i/disk/$tree/upper" -mindepth 1 -printf "$tree/%P\0" 2>/dev/null
  done | grep -zvE '^var/(log|cache|tmp|lib/sudo)(/|$)' >"$names"
  echo "## files"
  diff <(describe <"$names" | LC_ALL=C sort) <(host_describe "$i" <"$names" | LC_ALL=C sort) | sed -n 's/^</-/p; s/^>/+/p'
  rm -f "$names"
  # What comes and goes with sshd and sudo, not with us.
  host_exec "$i" find /run -mindepth 1 ! -path /run/sshd.pid ! -path /run/utmp ! -path '/run/sudo*' -printf 'run/%P\0' |
    host_describe "$i" | LC_ALL=C sort
}

fingerprint() { # fingerprint I
  (host_exec "$1" bash -c "$(declare -f kernel_state) && kernel_state") && changed_files "$1"
}
