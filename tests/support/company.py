"""A company's network on loopback: only its proxy leads outside, and opens TLS with an authority of its own."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import trustme

OUTSIDE = "https://packages.outside.invalid"
"""Nobody's address: it is reached through the proxy, or not at all."""
DEAD = "http://127.0.0.1:9"
"""Where nothing listens."""


@dataclass
class Company:
    """What is outside, by path; and who wanted what of it through the proxy."""

    proxy: str = ""
    certificates: Path = Path()
    outside: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    login: str | None = None
    """What the proxy wants to see in Proxy-Authorization."""


@contextmanager
def company(folder: Path) -> Iterator[Company]:
    """Its proxy, until the end of the block."""
    authority, here = trustme.CA(), Company(certificates=folder / "company.pem")
    authority.cert_pem.write_to_path(str(here.certificates))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Proxy, here, authority))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    here.proxy = f"http://127.0.0.1:{server.server_port}"
    try:
        yield here
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Proxy(BaseHTTPRequestHandler):
    """Takes CONNECT, and answers inside of the tunnel as if it were the other end; takes plain requests too."""

    protocol_version = "HTTP/1.1"

    def __init__(self, here: Company, authority: trustme.CA, *rest: object) -> None:
        self.here, self.authority = here, authority
        self.inside = False
        super().__init__(*rest)  # type: ignore[arg-type]

    def do_CONNECT(self) -> None:
        if self.here.login and self.headers.get("Proxy-Authorization") != self.here.login:
            return self._answer(407, b"")
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        with suppress(OSError, ssl.SSLError):  # a client that does not trust us goes away
            self._open_tunnel(self.path.rpartition(":")[0])
        self.close_connection = True
        return None

    def _open_tunnel(self, host: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(host).configure_cert(context)
        outer = self.rfile, self.wfile
        with (
            context.wrap_socket(self.connection, server_side=True) as inner,
            inner.makefile("rb") as self.rfile,
            inner.makefile("wb") as self.wfile,
        ):
            self.close_connection, self.inside = False, True
            while not self.close_connection:
                self.handle_one_request()
        self.rfile, self.wfile, self.inside = *outer, False

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if self.inside or not self.path.startswith("/"):  # else somebody looks for a server that had this port before
            self.here.asked.append(path)
        found = self.here.outside.get(path)
        self._answer(404 if found is None else 200, found or b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass
