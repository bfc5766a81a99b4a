"""The web server behind the lab's hosts: /id, /big (2 MB), /peer (the client's address), /drip?seconds=N (10 lines/s),
/self (address and port of the server's end, and the client's address), /options (the TCP options that it got from the
client: segment size, window scale, SACK, timestamps). On ports 80, 8081, 8082, 8888 and 9000.

Its argument, the lab's state directory, tells whose process it is.
"""

import http.server
import socket
import threading
import time
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        if url.path == "/drip":
            seconds = float(urllib.parse.parse_qs(url.query).get("seconds", ["5"])[0])
            return self.answer(self.drip(seconds))
        # So looks IPv4 on an IPv6 socket.
        peer, own = (a[0].removeprefix("::ffff:") for a in (self.client_address, self.connection.getsockname()))
        port = self.server.server_port
        pages = {
            "/id": b"backend\n",
            "/big": bytes(2_000_000),
            "/peer": f"{peer}\n".encode(),
            "/self": f"{own} {port} {peer}\n".encode(),
            "/options": f"{self.options()}\n".encode(),
        }
        if url.path not in pages:
            return self.send_error(404)
        page = pages[url.path]
        self.answer([page], length=len(page))

    def answer(self, parts, length=None):
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        for part in parts:
            self.wfile.write(part)

    def options(self):
        mss = self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        info = self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)  # include/uapi/linux/tcp.h
        timestamps, sack, scaled = (info[5] & bit for bit in (1, 2, 4))
        scale = f" wscale {info[6] & 15}" if scaled else ""
        return f"mss {mss}{scale}{' sack' if sack else ''}{' timestamps' if timestamps else ''}"

    @staticmethod
    def drip(seconds):
        start = time.monotonic()
        for line in range(int(seconds * 10)):
            yield f"{line}\n".encode()
            # By the clock, so that pauses do not add up.
            time.sleep(max(0, start + (line + 1) / 10 - time.monotonic()))

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6  # and IPv4 through it
    # With a short queue spoofed SYNs put the server itself into SYN cookie mode, and disturb what is measured before it.
    request_queue_size = 8192


for port in 8081, 8082, 8888, 9000:
    threading.Thread(target=Server(("::", port), Handler).serve_forever, daemon=True).start()
Server(("::", 80), Handler).serve_forever()
