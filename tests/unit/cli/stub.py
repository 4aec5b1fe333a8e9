"""A gateway that answers as it is told, for tests of what the command line makes of its answers."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, dict[str, Any] | bytes]
"""A status, and JSON; bytes are what another system says."""

ELSEWHERE = "https://elsewhere.example/login"
"""Where a redirection leads to."""


@dataclass
class Asked:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass
class Stub:
    """Answers by "METHOD /path"; what stands there is an answer, or makes one of the request."""

    url: str = ""
    answers: dict[str, Answer | Callable[[Asked], Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    more: threading.Event = field(default_factory=threading.Event)

    def items(self, path: str, *items: dict[str, Any]) -> None:
        self.answers[f"GET {path}"] = 200, {"items": list(items), "next": None}

    def accept(self, request: str, **result: Any) -> None:
        self.answers[request] = 202, {"command_id": "c-1", "state": "accepted", "result": result}

    def refuse(self, request: str, status: int, code: str, *faults: dict[str, Any]) -> None:
        problem = {"title": "refused", "status": status, "code": code, "detail": "it is refused"}
        self.answers[request] = status, problem | {"faults": list(faults)}

    def sent(self, method: str) -> list[Asked]:
        return [one for one in self.asked if one.method == method]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        found = self.answers.get(f"{asked.method} {asked.path}")
        if found is None:
            return 404, {"title": "not found", "status": 404, "code": "not_found", "detail": f"no {asked.path}"}
        return found(asked) if callable(found) else found


@contextmanager
def serving(stub: Stub) -> Iterator[Stub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stub))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stub
    finally:
        stub.more.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(stub: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def _any(self) -> None:
            where = urlsplit(self.path)
            if where.path == "/v1/events":
                return self._stream()
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            asked = Asked(self.command, where.path, parse_qs(where.query), dict(self.headers), body)
            status, content = stub.answer(asked)
            foreign = isinstance(content, bytes)
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", ELSEWHERE)
            self.send_header("Content-Type", "text/html" if foreign else "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
            return None

        def _stream(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for number, kind in enumerate(stub.events, start=1):
                self.wfile.write(f'id: {number}\nevent: {kind}\ndata: {{"type": "{kind}"}}\n\n'.encode())
                self.wfile.flush()
            stub.more.wait(30)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815  names that http.server wants

    return Handler
