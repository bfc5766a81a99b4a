"""SYNs with random source addresses: syns.py DEVICE MAC DEST PORT COUNT [unchecked], MAC that of the device's other end.

For what hping3 cannot do: IPv6, and a way in that is not the route's. About 10,000 a second. The other end takes their
checksums for granted, as it does those of local programs and of what a network card has checked; unless `unchecked`.
"""

import random
import socket
import struct
import sys
import time

device, mac, dest, port, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
granted = "unchecked" not in sys.argv
six = ":" in dest
to = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, dest)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def syn():
    # Documentation's network, and one of which Linux thinks no ill.
    source = bytes.fromhex("20010db8") + random.randbytes(12) if six else bytes([11]) + random.randbytes(3)
    pseudo = source + to + struct.pack("!HH", 6, 24)
    head = random.randrange(1024, 65536), port, random.getrandbits(32), 0, 6 << 4, 2, 64240

    def segment(check):
        return struct.pack("!HHIIBBHHH", *head, check, 0) + struct.pack("!BBH", 2, 4, 1460)

    tcp = segment(checksum(pseudo) ^ 0xFFFF if granted else checksum(pseudo + segment(0)))
    if six:
        return struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + source + to + tcp
    ip = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(tcp), random.getrandbits(16), 0, 64, 6)
    return ip + struct.pack("!H", checksum(ip + b"\0\0" + source + to)) + source + to + tcp


with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
    wire.setsockopt(263, 15, 1)  # SOL_PACKET, PACKET_VNET_HDR: include/uapi/linux/if_packet.h
    wire.bind((device, 0))
    offload = struct.pack("=BBHHHH", granted, 0, 0, 0, *((54 if six else 34, 16) if granted else (0, 0)))  # include/uapi/linux/virtio_net.h: NEEDS_CSUM
    ether = bytes.fromhex(mac.replace(":", "")) + bytes(6) + (b"\x86\xdd" if six else b"\x08\x00")
    for n in range(count):
        wire.send(offload + ether + syn())
        if n % 15 == 14:
            time.sleep(0.001)  # what comes faster than it is taken off the wire is lost
