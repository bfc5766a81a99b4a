"""Talks to a virtual machine past its network and its firewall.

vm-ask.py exec SOCKET CMD...     runs CMD inside, through QEMU's guest agent; it has no standard input
vm-ask.py monitor SOCKET CMD     one command of QEMU's monitor (QMP) without arguments

Exit status: that of CMD; 125 when the machine did not answer.
"""

import base64
import json
import random
import socket
import sys
import time

PATIENCE = 180  # seconds for a guest to start, or to come back
ANSWER = 30  # seconds for an answer of one that is there
MARK = b"\xff"  # around guest-sync-delimited


class Lost(Exception):
    """Nobody answers any more, or not what was asked for."""


class Channel:
    """Lines of JSON out, lines of JSON in."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)  # waits while others are served: QEMU takes one at a time
        self.rest = b""

    def send(self, command, arguments=None, mark=b""):
        message = {"execute": command} | ({"arguments": arguments} if arguments else {})
        self.socket.settimeout(ANSWER)
        self.socket.sendall(mark + json.dumps(message).encode() + b"\n")

    def line(self, seconds=ANSWER):
        end = time.monotonic() + seconds
        while b"\n" not in self.rest:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            data = self.socket.recv(65536)
            if not data:
                raise Lost("QEMU has ended")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    def ask(self, command, arguments=None):
        self.send(command, arguments)
        while True:
            answer = json.loads(self.line())
            if "error" in answer:
                raise Lost(f"{command}: {answer['error']['desc']}")
            if "return" in answer:  # not one of the monitor's events
                return answer["return"]


def agent(path):
    """A channel to the agent that runs, or will."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            return greeted(Channel(path))
        except (Lost, OSError):  # QEMU is between two boots, or no answer comes in time
            time.sleep(0.1)
    raise Lost(f"no guest agent answers for {PATIENCE} s")


def greeted(channel):
    """What was sent to an agent that is not up yet, or is going down, may reach the next one, and its answers reach
    whoever is there. So the first question is one that does no harm twice, and what comes before its answer is not ours.
    """
    number = random.getrandbits(31)
    channel.send("guest-sync-delimited", {"id": number}, mark=MARK)  # the mark ends what was sent in part
    while True:
        _, mark, answer = channel.line(5).rpartition(MARK)
        if mark and json.loads(answer).get("return") == number:
            return channel


def run(path, argv):
    channel = agent(path)
    pid = channel.ask("guest-exec", {"path": argv[0], "arg": argv[1:], "capture-output": True})["pid"]
    start, pause = time.monotonic(), 0.01
    while not (done := channel.ask("guest-exec-status", {"pid": pid}))["exited"]:
        pause = min(pause * 1.5, 0.2)
        if time.monotonic() - start > 1:  # a long command lets others in
            channel.socket.close()
            time.sleep(pause)
            channel = agent(path)
        else:
            time.sleep(pause)
    if done.get("out-truncated") or done.get("err-truncated"):
        raise Lost("more output than the guest agent holds")
    for stream, key in (sys.stdout, "out-data"), (sys.stderr, "err-data"):
        stream.buffer.write(base64.b64decode(done.get(key, "")))
        stream.flush()
    return 128 + done["signal"] if "signal" in done else done["exitcode"]


def monitor(path, command):
    channel = Channel(path)
    channel.line()  # its greeting
    channel.ask("qmp_capabilities")
    channel.ask(command)
    return 0


what, path, *rest = sys.argv[1:]
try:
    sys.exit(run(path, rest) if what == "exec" else monitor(path, *rest))
except (Lost, OSError) as error:  # a TimeoutError is an OSError
    print(f"lab: {path}: {error}", file=sys.stderr)
    sys.exit(125)
