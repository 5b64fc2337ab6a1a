"""A proxy before an S3 server that answers some requests with the errors of a busy one."""

import random
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = [(500, "InternalError"), (503, "ServiceUnavailable"), (503, "SlowDown")]


class Faulty(ThreadingHTTPServer):
    """Forwards to the port of a server on 127.0.0.1, but for a share of the requests."""

    daemon_threads = True

    def __init__(self, port, share, seed=1):
        super().__init__(("127.0.0.1", 0), Handler)
        self.port, self.share, self.random = port, share, random.Random(seed)
        self.refused = self.forwarded = 0


class Handler(BaseHTTPRequestHandler):
    """One request: refused, or forwarded with its headers, for the signature covers the host."""

    protocol_version = "HTTP/1.1"

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server = self.server
        if server.random.random() < server.share:
            server.refused += 1
            status, code = server.random.choice(ANSWERS)
            content = f"<Error><Code>{code}</Code><Message>try again</Message></Error>".encode()
            headers = [("Content-Type", "application/xml")]
        else:
            server.forwarded += 1
            connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "expect":  # answered here
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            status, content = answer.status, answer.read()
            skipped = {"transfer-encoding", "connection", "content-length"}
            headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in skipped]
            if self.command == "HEAD":
                headers.append(("Content-Length", answer.getheader("Content-Length", "0")))
            connection.close()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_one

    def log_message(self, *arguments):
        """Say nothing."""


@contextmanager
def faulty(port, share):
    """Give a proxy before the server at `port`."""
    with Faulty(port, share) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
