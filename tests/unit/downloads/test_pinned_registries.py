"""A registry is reached at the address that was checked, whatever its name is answered with a moment later."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from shared.components.images import image_of
from shared.downloads.pinned import AddressRefused
from shared.downloads.registry import Access, RegistryRefused, Trusting, resolve
from shared.targets import Bounds

NAME = "registry.example"
INSIDE, ANYWHERE = Bounds(private=False, setting="X"), Bounds(private=True, setting="X")


class Answers(BaseHTTPRequestHandler):
    """Says yes."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A DNS that changes its mind: the name is answered with these addresses, one after the other."""
    answers, looked_up = ["127.0.0.1", "127.0.0.9", "127.0.0.9"], []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *more: Any, **named: Any) -> Any:
        if host != NAME:
            return real(host, *more, **named)
        looked_up.append(host)
        return real(answers[len(looked_up) - 1], *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return looked_up


def session(bounds: Bounds) -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", Trusting(bounds))
    return made


def test_the_connection_goes_to_the_address_that_was_checked(port: int, asked: list[str]) -> None:
    with session(ANYWHERE) as http:
        assert http.get(f"http://{NAME}:{port}/", timeout=30).status_code == 200
    assert len(asked) == 1


def test_an_address_out_of_bounds_is_not_connected_to(port: int, asked: list[str]) -> None:
    with session(INSIDE) as http, pytest.raises(AddressRefused, match=r"127\.0\.0\.1 is not on the public internet"):
        http.get(f"http://{NAME}:{port}/", timeout=30)
    assert len(asked) == 1


def test_a_registry_out_of_bounds_is_refused_and_not_asked_again(port: int) -> None:
    with pytest.raises(RegistryRefused) as refused:
        resolve(image_of(f"localhost:{port}/team/lamp:1"), Access(bounds=INSIDE))
    assert refused.value.code == "private_source"
