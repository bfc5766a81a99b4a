"""Many clients at once, for tests: clients.py JOBS, a JSON list; prints a JSON list of what became of each.

A job: to, port; from, sport: the client's own; path (/self); times: one after the other, each time anew; end: "rst" to end
with a reset, otherwise the server ends it; patience: seconds (3).
What became of it, for each time: the answer's text, as "mss" how much the client may send at once, as "wscale" the
server's, if there is one; or the error; and the seconds that it took.
"""

import concurrent.futures
import json
import socket
import struct
import sys
import time

FREEBIND = {socket.AF_INET: (socket.IPPROTO_IP, 15), socket.AF_INET6: (socket.IPPROTO_IPV6, 78)}


RESET = socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)


def once(job):
    family = socket.AF_INET6 if ":" in job["to"] else socket.AF_INET
    with socket.socket(family) as s:
        s.settimeout(job.get("patience", 3))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if "from" in job or "sport" in job:
            s.setsockopt(*FREEBIND[family], 1)  # a whole network is the clients', without an interface that has it
            s.bind((job.get("from", ""), job.get("sport", 0)))
        try:
            return ask(s, job)
        except OSError:
            # The kernel would go on probing the closed window for minutes, and each probe bears the cookie.
            s.setsockopt(*RESET)
            raise


def ask(s, job):
    s.connect((job["to"], job["port"]))
    mss = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)  # include/uapi/linux/tcp.h
    wscale = {"wscale": info[6] & 15} if info[5] & 4 else {}
    s.sendall(f"GET {job.get('path', '/self')} HTTP/1.0\r\n\r\n".encode())
    answer = b""
    while more := s.recv(65536):
        answer += more
        if job.get("end") == "rst" and answer.partition(b"\r\n\r\n")[2]:
            s.setsockopt(*RESET)
            break
    return {"text": answer.partition(b"\r\n\r\n")[2].decode(), "mss": mss, **wscale}


def attempt(job):
    start = time.monotonic()
    try:
        result = once(job)
    except OSError as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    return {**result, "seconds": time.monotonic() - start}


def run(job):
    return [attempt(job) for _ in range(job.get("times", 1))]


jobs = json.loads(sys.argv[1])
with concurrent.futures.ThreadPoolExecutor(max_workers=min(256, max(1, len(jobs)))) as pool:
    print(json.dumps([result for results in pool.map(run, jobs) for result in results]))
