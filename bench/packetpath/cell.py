#!/usr/bin/env python3
"""One measurement in two new network namespaces, the balancer's and the clients'. They have no names and belong to
this process: whatever ends it ends them, and all that is in them.

Input, JSON: `what` (syns or stream), `seconds`, `cpu`, `addresses`, and `load`: commands with their input, which put
the rules into the balancer. Output, JSON: what was sent, in what time, and what the balancer counted.
"""
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys

import packets

CLONE_NEWNET, PR_SET_PDEATHSIG = 0x40000000, 1
libc = ctypes.CDLL(None, use_errno=True)

SERVICES = "10.100.0.0/14"
NET, BALANCER, CLIENTS = "10.255.0", "02:00:00:00:00:01", "02:00:00:00:00:02"

# Where answers to spoofed sources end: after the balancer has done all its work, before the clients' begins.
SINK = """table netdev sink {
  counter answers { }
  chain out { type filter hook egress device "eth0" priority 0; ip daddr 198.18.0.0/15 counter name answers drop; }
}"""


def must(status):
    if status != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def new_namespace():
    must(libc.unshare(CLONE_NEWNET))
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def enter(namespace):
    must(libc.setns(namespace, CLONE_NEWNET))


def run(command, given=""):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, input=given, text=True, timeout=120, **pipes)
    if done.returncode != 0:
        raise OSError(f"{command[0]}: {done.stdout[:500]}")
    return done.stdout


def write(key, value):
    with open(f"/proc/sys/net/{key}", "w") as file:
        file.write(str(value))


def configure(own, mac, peer, peer_mac, route):
    for name in ("all", "default", "lo", "eth0"):
        write(f"ipv4/conf/{name}/rp_filter", 0)
        write(f"ipv6/conf/{name}/disable_ipv6", 1)
    # Others, BBR among them, pace what they send: they would wait, and set timers, where all should be work.
    write("ipv4/tcp_congestion_control", "reno")
    # One segment is one packet, as on a wire. Neighbours are known: there is no packet but those that are counted.
    lines = [
        "link set lo up",
        f"link set eth0 address {mac} gso_max_segs 1 up",
        f"addr add {NET}.{own}/30 dev eth0",
        f"neigh replace {NET}.{peer} dev eth0 lladdr {peer_mac} nud permanent",
        f"route add default via {NET}.{peer}",
        *route,
    ]
    run(["ip", "-batch", "-"], "\n".join(lines) + "\n")


def lay_wire():
    balancer = new_namespace()
    clients = new_namespace()
    enter(balancer)
    run(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other"])
    run(["ip", "link", "set", "other", "name", "eth0", "netns", f"/proc/{os.getpid()}/fd/{clients}"])
    configure(1, BALANCER, 2, CLIENTS, [f"route add local {SERVICES} dev lo"])
    run(["nft", "-f", "-"], SINK)
    enter(clients)
    configure(2, CLIENTS, 1, BALANCER, [])
    return balancer, clients


def snmp(protocol):
    """A line of names, a line of values."""
    lines = packets.text("/proc/net/snmp").splitlines()
    names, values = (line.split()[1:] for line in lines if line.startswith(protocol))
    return dict(zip(names, map(int, values)))


def counters():
    device = next(line.split() for line in packets.text("/proc/net/dev").splitlines() if "eth0:" in line)
    stat = "/proc/net/stat/synproxy"  # not there before the first synproxy rule
    proxy = [line.split() for line in packets.text(stat).splitlines()[1:]] if os.path.exists(stat) else []
    answers = run(["nft", "list", "counter", "netdev", "sink", "answers"])
    return {
        "received": int(device[2]),
        "routed": snmp("Ip:")["InReceives"],
        "proxied": sum(int(cpu[1], 16) for cpu in proxy),
        "answered": int(re.search(r"packets (\d+)", answers)[1]),
        "opened": sum(int(cpu[3], 16) for cpu in proxy),
        "resent": snmp("Tcp:")["RetransSegs"],
        "tracked": int(packets.text("/proc/sys/net/netfilter/nf_conntrack_count")),
    }


def measure(what, seconds, cpu, addresses, load):
    balancer, clients = lay_wire()
    enter(balancer)
    # Without it the client's ACK is taken up as a new connection, whoever wrote the rules.
    write("netfilter/nf_conntrack_tcp_loose", 0)
    for command, given in load:
        run(command, given)
    listener = socket.create_server(("", packets.PORT), backlog=1024)
    listener.settimeout(5)
    before = counters()
    enter(clients)
    os.sched_setaffinity(0, {cpu})
    clock = packets.Clock(cpu)
    if what == "syns":
        ethernet = bytes.fromhex((BALANCER + CLIENTS).replace(":", "")) + b"\x08\x00"
        found = packets.flood("eth0", ethernet, addresses, seconds, clock)
    else:
        # They stay open until all is counted: of what is left of a closed one, the proxy may count some as well.
        pairs = [packets.connection(listener, address) for address in addresses]
        found = {"connections": len(pairs), **packets.stream(pairs, seconds, clock)}
    enter(balancer)
    return {**found, **{name: value - before[name] for name, value in counters().items()}}


try:
    must(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    print(json.dumps(measure(**json.load(sys.stdin))))
except (OSError, subprocess.SubprocessError) as error:
    print(json.dumps({"problem": str(error)}))
