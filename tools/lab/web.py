"""The web server behind the lab's hosts: /id, /big (2 MB), /peer (the client's address), /drip?seconds=N (10 lines/s).

Its argument, the lab's state directory, tells whose process it is.
"""

import http.server
import socket
import time
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        if url.path == "/drip":
            seconds = float(urllib.parse.parse_qs(url.query).get("seconds", ["5"])[0])
            return self.answer(self.drip(seconds))
        peer = self.client_address[0].removeprefix("::ffff:")  # so looks IPv4 on an IPv6 socket
        pages = {"/id": b"backend\n", "/big": bytes(2_000_000), "/peer": f"{peer}\n".encode()}
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


Server(("::", 80), Handler).serve_forever()
