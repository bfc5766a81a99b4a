#!/bin/bash
# lab.sh - load balancers to try things on, made of namespaces: root, no virtual machine, about a second.
#
#   lab.sh up [N] [--quiet]       start N hosts (2); running ones are kept, dead ones start again with their files
#   lab.sh down                   stop and remove everything
#   lab.sh status                 what runs
#   lab.sh ssh [USER@]I [CMD...]  over the network, as root, ops (has sudo) or guest (has not)
#   lab.sh exec I CMD...          inside host I without the network: the way back in after a lock-out
#   lab.sh restart I              power off, power on: kernel state is lost, files stay
#   lab.sh get I PATH [CURL...]   what a client sees at http://VIP/PATH of host I: /id, /big, /drip?seconds=5, /peer
#   lab.sh client|backend CMD...  in the namespace of the clients, of the web server
#   lab.sh syns DEST PORT COUNT   SYNs with random sources from the clients' side, COUNT up to 200,000. IPv6, and with a
#                                 device of the clients' (... COUNT h1) also IPv4, through syns.py
#   lab.sh widen I                another way in to host I, another backend, and clients all over a network: network.sh
#   lab.sh fingerprint I          everything on host I that the provider may touch, as text to diff
#
# A host is a network, mount, pid and uts namespace with files of its own, a real sshd and a real HAProxy, but no systemd.
# Environment: LAB (lbs; a name of at most 5 letters and digits), LAB_NET (10.97), LAB_STATE (/run/lbshield-lab/$LAB).
# Labs that differ in all three stand side by side.
# Exit status: the command's own; 125 when it was the lab that failed.
set -u -o pipefail
LAB=${LAB:-lbs}
LAB_NET=${LAB_NET:-10.97}
S=${LAB_STATE:-/run/lbshield-lab/$LAB}
HERE=$(dirname "$(readlink -f "$0")")
PATH=$PATH:/usr/sbin:/sbin

die() { echo "lab: $*" >&2 && exit 125; }
usage() { sed -n '4,/^set/{/^# \{0,1\}/s///p}' "$0" && exit 125; }

# shellcheck source-path=SCRIPTDIR
{
  . "$HERE/network.sh"
  . "$HERE/host.sh"
  . "$HERE/fingerprint.sh"
}

# One at a time may build or remove: two starts at once would find each other's halves. Whoever dies lets go of the lock.
lock() {
  mkdir -p "${S%/*}" && exec 9<"${S%/*}" && flock -w 120 9 || die "another lab.sh does not finish"
}

state_dir() {
  # What we did not make we do not fill, nor remove on the way down.
  [ -e "$S/.lab" ] || [ -z "$(ls -A "$S" 2>/dev/null)" ] || die "$S is not empty and not a lab's"
  mkdir -p "$S" && chmod 700 "$S" && : >"$S/.lab"
  keypair "$S/id_ed25519" "$LAB"
  [ -s "$S/password" ] || (umask 077 && head -c 12 /dev/urandom | base64 | tr '+/' 'xy' >"$S/password")
}

keypair() { # keypair FILE COMMENT: ssh-keygen writes the public key last, so it says that both are there
  [ -s "$1.pub" ] || { rm -f "$1" && ssh-keygen -q -t ed25519 -N '' -C "$2" -f "$1"; }
}

hosts() {
  local d
  for d in "$S"/h[0-9]*; do [ -d "$d" ] && echo "${d##*/h}"; done | sort -n
}

ssh_files() {
  local i
  for i in $(hosts); do printf '%s.%s.2 ' "$LAB_NET" "$i" && cut -d' ' -f1,2 "$S/h$i/ssh_host_ed25519_key.pub"; done >"$S/known_hosts"
  {
    for i in $(hosts); do printf 'Host h%s\n  HostName %s.%s.2\n' "$i" "$LAB_NET" "$i"; done
    cat <<X
Host *
  User root
  IdentityFile $S/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile $S/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  ConnectTimeout 10
  LogLevel ERROR
X
  } >"$S/ssh_config"
}

listening() { # listening NAMESPACE PORT: asked of the kernel, not by connecting, which a firewall under test may forbid
  [ -n "$(ip netns exec "$1" ss -Hltn "sport = :$2")" ]
}

wait_for() { # wait_for SECONDS CMD...
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.03
  done
}

web_up() {
  listening "$B" 80 && return
  ns_kill "$B" # half of one, from a start that was cut short
  kill_recorded "$S/web.pid"
  setsid ip netns exec "$B" python3 "$HERE/web.py" "$S" </dev/null >"$S/web.log" 2>&1 9<&- &
  echo $! >"$S/web.pid"
  wait_for 10 listening "$B" 80 || die "the web server does not start: $(tail -n 3 "$S/web.log")"
}

up() {
  local i n=2 quiet= t0=${EPOCHREALTIME/./}
  for i; do
    case $i in
      --quiet) quiet=1 ;;
      *) n=$i ;;
    esac
  done
  [[ $n =~ ^[1-9][0-9]{0,2}$ ]] && ((n <= 254)) || die "up: from 1 to 254 hosts"
  for i in ip nft conntrack sshd ssh-keygen haproxy sudo python3 curl unshare nsenter sysctl flock; do
    command -v "$i" >/dev/null || die "$i is missing: run tools/setup/debian-packages.sh"
  done
  lock
  net_free
  state_dir
  net_up
  web_up
  for ((i = 1; i <= n; i++)); do host_up "$i"; done
  ssh_files
  for ((i = 1; i <= n; i++)); do host_wait "$i"; done
  [ -n "$quiet" ] && return
  printf 'up in %d ms\n' $(((${EPOCHREALTIME/./} - t0) / 1000))
  for i in $(hosts); do
    printf '  h%-3s ssh -F %s h%s   VIP %s.%s.100\n' "$i" "$S/ssh_config" "$i" "$LAB_NET" "$i"
  done
  cat <<X
  users root, ops (with sudo; password in $S/password), guest (without)
  key   $S/id_ed25519
  web   $0 get 1 /id       the clients' side: $0 client curl http://$LAB_NET.1.100/id
X
}

down() {
  local n
  lock
  net_down
  [ -e "$S/.lab" ] || return 0
  # The marker goes last: a removal that is cut short is taken up again.
  find "$S" -mindepth 1 -maxdepth 1 ! -name .lab -exec rm -rf {} + && rm -rf "$S"
}

status() {
  local i
  [ -n "$(hosts)" ] || echo "no lab $LAB"
  for i in $(hosts); do
    if ! host_runs "$i"; then
      echo "h$i stopped"
    else
      echo "h$i $LAB_NET.$i.2 runs$(listening "$LAB-h$i" 22 || echo ", no sshd")$(listening "$LAB-h$i" 80 || echo ", no HAProxy")"
    fi
  done
}

restart() {
  lock
  [ -d "$S/h$1" ] || die "no host h$1"
  host_down "$1"
  host_up "$1"
  host_wait "$1"
}

get() {
  local i=$1 path=$2
  shift 2
  exec ip netns exec "$C" curl -sS -m 10 "$@" "http://$LAB_NET.$i.100$path"
}

syns() { # hping3 ignores -c together with --flood, so never that; at u100 it sends some thousand a second
  local sent six=fd00:${LAB_NET/./:}: device=${4:-} i
  [[ $# -ge 3 && ($1 == "$LAB_NET".* || $1 == "$six"*) ]] || die "syns DEST PORT COUNT [DEVICE], DEST in $LAB_NET.0.0/16 or $six:/48"
  [[ $3 =~ ^[1-9][0-9]{0,5}$ ]] && (($3 <= 200000)) || die "syns: COUNT from 1 to 200000"
  if [[ -n $device || $1 == *:* ]]; then
    [ -n "$device" ] || device=$(ip -n "$C" -o route get "$1" | grep -o 'dev [hw][0-9]*' | cut -c5-)
    i=${device:1}
    ip netns exec "$C" python3 "$HERE/syns.py" "$device" "$(other_end "$i" "$device")" "$1" "$2" "$3" "${@:5}" || die "syns fails"
    return
  fi
  # Its status says whether anything answered, which nothing can: the answers go to the random sources.
  sent=$(ip netns exec "$C" timeout $((10 + $3 / 1000)) hping3 "$1" -p "$2" -S -i u100 --rand-source -c "$3" -q 2>&1)
  [[ $sent == *"$3 packets transmitted"* ]] || die "syns: ${sent:-timeout}"
}

enter() { # enter ssh|exec|client|backend ...: a command somewhere in the lab
  local where=$1 to
  shift
  case $where in
    ssh)
      to=$1
      shift
      [[ $to == *@* ]] || to=root@$to
      exec ssh -F "$S/ssh_config" "${to/@/@h}" "$@"
      ;;
    exec) host_exec "$@" ;;
    client) exec ip netns exec "$C" "$@" ;;
    backend) exec ip netns exec "$B" "$@" ;;
  esac
}

[ "$(id -u)" = 0 ] || die "run as root"
[[ $LAB =~ ^[a-z][a-z0-9]{0,4}$ ]] || die "LAB: a letter, then at most 4 letters or digits (interface names are short)"
[[ $LAB_NET =~ ^[0-9]{1,3}\.[0-9]{1,3}$ ]] || die "LAB_NET: two numbers, as in 10.97"

cmd=${1:-}
shift
case $cmd in
  exec | get) least=2 ;;
  ssh | restart | client | backend | fingerprint | widen) least=1 ;;
  *) least=0 ;;
esac
[ $# -ge $least ] || usage

case $cmd in
  up | down | status | syns | restart | get | fingerprint | widen) "$cmd" "$@" ;;
  ssh | exec | client | backend) enter "$cmd" "$@" ;;
  *) usage ;;
esac
