# The namespaces and their wires. Sourced by lab.sh.
#
# For host i, N = $LAB_NET.i:
#   N.0/30    management  eth0 N.2    the machine itself N.1
#   N.64/27   outside     eth1 N.65   client namespace N.66, device hi; the host's default route
#   N.96/27   VIPs        N.100, N.101, N.102 on lo; the client routes all of them to the host
#   N.128/27  inside      eth2 N.129  backend namespace N.130, device hi; web server on port 80
# Outside, VIPs and inside have IPv6 too: N.x is also fd00:10:97:i::x.
# After `widen i`, also until the host's next start:
#   N.160/27  another outside  eth3 N.161  client namespace N.162, device wi
#   a second backend N.131 with the same web server, and clients in all of 198.18.i.0/24 and 2001:db8:18:i::/64
C=$LAB-c
B=$LAB-b

six() { echo "fd00:${LAB_NET/./:}:$1:"; } # six I: what goes before ":x"

net_free() { # two labs on one network would answer for each other
  local other
  other=$(ip -4 -o addr show to "$LAB_NET.0.0/16" | awk -v own="^${LAB}m[0-9]+$" '$2 !~ own { print $2; exit }')
  [ -z "$other" ] || die "LAB_NET $LAB_NET is in use on $other"
}

ns_add() { # ns_add NAME: with settings that do not depend on the machine's
  ip netns exec "$1" true 2>/dev/null && return
  ip netns del "$1" 2>/dev/null # a name without a namespace, left by a reboot
  ip netns add "$1" || die "cannot make the namespace $1"
}

ns_settings() { # ns_settings NAME: IPv4 settings of a new namespace are copies of the machine's
  # addr_gen_mode 1: no link-local addresses by themselves. They would be random, come late, and make a start of a host
  # differ from the one before. wires_up gives them: without one a router cannot ask for its next hop.
  ip netns exec "$1" sysctl -qw net.ipv4.conf.{all,default}.rp_filter=0 net.ipv6.conf.{all,default}.disable_ipv6=0 \
    net.ipv6.conf.default.addr_gen_mode=1 net.core.somaxconn=8192 net.ipv4.tcp_max_syn_backlog=8192
  ip -n "$1" link set lo up
}

ns_kill() { # ns_kill NAME: whatever runs in that namespace, and nothing else; with a host's pid 1 go all its processes
  local pids n
  for n in {1..250}; do
    pids=$(ip netns pids "$1" 2>/dev/null)
    [ -n "$pids" ] || return 0
    # shellcheck disable=SC2086 # a list
    kill -KILL $pids 2>/dev/null
    sleep 0.02
  done
  die "processes in namespace $1 do not end: $pids"
}

kill_recorded() { # kill_recorded FILE: a process of ours whose namespace somebody deleted, so that ns_kill cannot find it
  local pid
  # The number may be another process's by now; ours have the state directory among their arguments.
  pid=$(cat "$1") && tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF "$S" && kill -KILL "$pid"
  rm -f "$1"
} 2>/dev/null

net_up() {
  local n
  for n in "$C" "$B"; do
    ns_add "$n"
    ns_settings "$n"
  done
}

wires_up() { # wires_up I: all of host I's network, in a namespace that is new
  local i=$1 h=$LAB-h$1 N=$LAB_NET.$1 T=$((1000 + $1)) V
  V=$(six "$i")
  ns_add "$h"
  ns_settings "$h"
  ip netns exec "$h" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  ip link add "${LAB}m$i" type veth peer name eth0 netns "$h" &&
    ip link add "h$i" netns "$C" type veth peer name eth1 netns "$h" &&
    ip link add "h$i" netns "$B" type veth peer name eth2 netns "$h" || die "h$i: cannot make its links"
  ip -batch - <<X && ip -n "$h" -batch - <<Y && ip -n "$C" -batch - <<Z && ip -n "$B" -batch - <<W || die "h$i: no network"
link set ${LAB}m$i up
addr add $N.1/30 dev ${LAB}m$i
X
link set eth0 up
link set eth1 up
link set eth2 up
addr add $N.2/30 dev eth0
addr add $N.65/27 dev eth1
addr add $V:65 peer $V:66 dev eth1 nodad
addr add fe80::65/64 dev eth1 nodad
addr add $N.129/27 dev eth2
addr add $V:129 peer $V:130 dev eth2 nodad
addr add fe80::129/64 dev eth2 nodad
addr add $N.100/32 dev lo
addr add $N.101/32 dev lo
addr add $N.102/32 dev lo
addr add $V:100/128 dev lo
addr add $V:101/128 dev lo
addr add $V:102/128 dev lo
route add default via $N.66
route add default via $V:66 dev eth1 onlink
Y
link set h$i up
addr add $N.66/27 dev h$i
addr add $V:66 peer $V:65 dev h$i nodad
addr add fe80::66/64 dev h$i nodad
route add $N.0/24 via $N.65
route add $V:/64 via $V:65 dev h$i onlink
Z
link set h$i up
addr add $N.130/27 dev h$i
addr add $V:130 peer $V:129 dev h$i nodad
addr add fe80::130/64 dev h$i nodad
route add $N.0/24 via $N.129
route add $V:/64 via $V:129 dev h$i onlink
route add default via $N.129 table $T
route add default via $V:129 dev h$i onlink table $T
W
  # Answers leave through the host that the request came through, whatever the client's address is.
  ip -n "$B" rule add from "$N.130" table "$T"
  ip -n "$B" -6 rule add from "$V:130" table "$T"
}

widen() { # widen I
  local i=$1 h=$LAB-h$1 N=$LAB_NET.$1 T=$((1000 + $1)) V
  V=$(six "$i")
  ip link add "w$i" netns "$C" type veth peer name eth3 netns "$h" || die "h$i: no second way in"
  ip netns exec "$h" sysctl -qw net.ipv4.conf.eth3.rp_filter=0
  ip -n "$h" -batch - <<Y && ip -n "$C" -batch - <<Z && ip -n "$B" -batch - <<W || die "h$i: no second network"
link set eth3 up
addr add $N.161/27 dev eth3
addr add $V:161 peer $V:162 dev eth3 nodad
addr add fe80::161/64 dev eth3 nodad
Y
link set w$i up
addr add $N.162/27 dev w$i
addr add $V:162 peer $V:161 dev w$i nodad
addr add fe80::162/64 dev w$i nodad
route add default via $N.161 table $T
route add default via fe80::161 dev w$i table $T
rule add from $N.162 table $T
route add local 198.18.$i.0/24 dev lo
route add local 2001:db8:18:$i::/64 dev lo
Z
addr add $N.131/32 dev h$i
addr add $V:131/128 dev h$i nodad
rule add from $N.131 table $T
W
  ip -n "$C" -6 rule add from "$V:162" table "$T"
  ip -n "$B" -6 rule add from "$V:131" table "$T"
  ip -n "$h" route add "$V:131" dev eth2
}

other_end() { # other_end I DEVICE: the MAC address of the host's end of a device of the clients
  local eth=eth1
  [[ $2 == w* ]] && eth=eth3
  ip netns exec "$LAB-h$1" cat "/sys/class/net/$eth/address"
}

wires_down() { # wires_down I: links first, because the end of a namespace takes its links only later
  local i=$1 T=$((1000 + $1)) n
  ip link del "${LAB}m$i"
  ip -n "$C" link del "h$i"
  ip -n "$C" link del "w$i"
  ip -n "$B" link del "h$i"
  for n in 4 6; do while ip -n "$C" "-$n" rule del table "$T"; do :; done; done
  while ip -n "$B" rule del table "$T"; do :; done
  while ip -n "$B" -6 rule del table "$T"; do :; done
  ip netns del "$LAB-h$i"
} 2>/dev/null

wires_there() { # wires_there I
  [ -d "/sys/class/net/${LAB}m$1" ] && ip -n "$C" link show "h$1" && ip -n "$B" link show "h$1"
} >/dev/null 2>&1

net_down() { # found by name, so that it does not need a state directory; the other links end with their namespaces
  local n names
  names=$(ip netns list | awk -v own="^$LAB-(c|b|h[0-9]+)$" '$1 ~ own { print $1 }')
  for n in $names; do ns_kill "$n"; done
  for n in "$S"/web.pid "$S"/h*/pid; do kill_recorded "$n"; done
  for n in $(ip -o link show | awk -F'[ :@]+' -v own="^${LAB}m[0-9]+$" '$2 ~ own { print $2 }'); do
    ip link del "$n"
  done
  for n in $names; do ip netns del "$n" 2>/dev/null; done
  return 0
}
