"""Packets, and the time that they take. Sender and receiver share one core; a veth hands a packet over within the
system call that sends it. So the time of this one process is the time of the packet's whole way."""
import contextlib
import itertools
import mmap
import os
import random
import socket
import struct
import time

PORT = 80
SLICE = 10_000_000  # nanoseconds
FRAMES = 4000  # SYNs that are sent over and over; they fill whole pages
BATCH = 100  # of them in one system call
FRAME = 128  # bytes: struct tpacket2_hdr, struct virtio_net_hdr, the packet
HEADER = 32  # struct tpacket2_hdr

# linux/if_packet.h
SOL_PACKET = 263
PACKET_VERSION, PACKET_TX_RING, PACKET_VNET_HDR, PACKET_QDISC_BYPASS = 10, 13, 15, 20
TPACKET_V2 = 1
TP_STATUS_SEND_REQUEST = 1

# What Linux itself asks for: mss 1460, SACK, timestamps, window scale 7.
OPTIONS = bytes.fromhex("020405b4 0402 080a 00000001 00000000 01 030307")


class Clock:
    """Nanoseconds that this core has worked for us: not those in which we waited while it was others'."""

    def __init__(self, cpu):
        pids = filter(str.isdigit, os.listdir("/proc"))
        ksoftirqd = next((pid for pid in pids if comm(pid) == f"ksoftirqd/{cpu}"), None)
        self.own = os.open("/proc/self/schedstat", os.O_RDONLY)
        self.helper = ksoftirqd and os.open(f"/proc/{ksoftirqd}/schedstat", os.O_RDONLY)

    def now(self):
        waited = int(os.pread(self.own, 100, 0).split()[1])
        # What ksoftirqd does on this core while we wait is our packets' work.
        helped = int(os.pread(self.helper, 100, 0).split()[0]) if self.helper else 0
        return time.monotonic_ns() - waited + helped


def sliced(clock, seconds, step):
    """Repeats a step, which says how much it has done. The nanoseconds that one of these took, slice after slice."""
    costs, total, done = [], 0, 0
    end = time.monotonic() + seconds
    last = clock.now()
    while time.monotonic() < end:
        done += step()
        now = clock.now()
        if now - last >= SLICE and done > 0:
            costs.append(round((now - last) / done, 4))
            total, done, last = total + done, 0, now
    return costs, total + done


def text(path):
    with open(path) as file:
        return file.read()


def comm(pid):
    with contextlib.suppress(OSError):
        return text(f"/proc/{pid}/comm").strip()


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def syn(source, destination, port, sequence):
    def tcp(check):
        return struct.pack("!HHIIBBHHH", port, PORT, sequence, 0, 10 << 4, 2, 64240, check, 0) + OPTIONS

    def ip(check):
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 60, 0, 0x4000, 64, 6, check, source, destination)

    pseudo = source + destination + struct.pack("!HH", 6, 40)
    return ip(checksum(ip(0))) + tcp(checksum(pseudo + tcp(0)))


def ring_of_syns(device, ethernet, addresses):
    """A socket and its ring of packets, from random sources (198.18.0.0/15, RFC 2544) to port 80 of the addresses."""
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    for option, value in ((PACKET_VERSION, TPACKET_V2), (PACKET_QDISC_BYPASS, 1), (PACKET_VNET_HDR, 1)):
        sender.setsockopt(SOL_PACKET, option, value)
    blocks = FRAMES * FRAME // mmap.PAGESIZE
    sender.setsockopt(SOL_PACKET, PACKET_TX_RING, struct.pack("IIII", mmap.PAGESIZE, blocks, FRAME, FRAMES))
    ring = memoryview(mmap.mmap(sender.fileno(), FRAMES * FRAME))
    sender.bind((device, 0))

    chance = random.Random(1)  # the same packets every time
    order = [addresses[i % len(addresses)] for i in range(FRAMES)]
    chance.shuffle(order)
    for i, address in enumerate(order):
        source = struct.pack("!I", (198 << 24 | 18 << 16) + chance.randrange(1 << 17))
        port, sequence = chance.randrange(1024, 1 << 16), chance.randrange(1 << 32)
        packet = ethernet + syn(source, socket.inet_aton(address), port, sequence)
        # Its length once more: how much of it is in one piece. Without that the kernel would have to gather it first.
        data = struct.pack("BBHHHH", 0, 0, len(packet), 0, 0, 0) + packet
        frame = struct.pack("II", 0, len(data)).ljust(HEADER, b"\0") + data
        ring[i * FRAME : i * FRAME + len(frame)] = frame
    return sender, ring


def flood(device, ethernet, addresses, seconds, clock):
    sender, ring = ring_of_syns(device, ethernet, addresses)
    status = ring.cast("I")[:: FRAME // 4]
    ready = memoryview(struct.pack("I", TP_STATUS_SEND_REQUEST) * BATCH).cast("I")
    batches = itertools.cycle(range(0, FRAMES, BATCH))

    def step():
        first = next(batches)
        status[first : first + BATCH] = ready
        sender.send(b"")
        return BATCH

    costs, packets = sliced(clock, seconds, step)
    return {"costs": costs, "packets": packets}


def connection(listener, address):
    """Both its ends. The proxy's second half opens at the client's first byte; see `timestamp` in docs/synproxy.md."""
    client = socket.create_connection((address, PORT), timeout=5)
    client.send(b"x")
    server, _ = listener.accept()
    server.settimeout(5)
    server.recv(1)
    client.setblocking(False)
    server.setblocking(False)
    return client, server


def stream(pairs, seconds, clock):
    """As many bytes as one core can carry over connections, both ways."""
    flows = [*pairs, *((server, client) for client, server in pairs)]
    chunk, room = bytes(1 << 14), bytearray(1 << 16)

    def step():
        received = 0
        for source, sink in flows:
            with contextlib.suppress(BlockingIOError):
                source.send(chunk)
            with contextlib.suppress(BlockingIOError):
                received += sink.recv_into(room)
        return received

    costs, received = sliced(clock, seconds, step)
    return {"costs": costs, "bytes": received}
