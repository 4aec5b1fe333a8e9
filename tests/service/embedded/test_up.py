"""What `up` shows: a line for each part as it gets ready, then where everything is; the raw logs only if asked for."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from shared.embedded import process, staying
from shared.embedded.home import Home
from shared.embedded.programs import Wish
from shared.embedded.stack import StackError
from shared.embedded.telling import Parts
from shared.embedded.watching import Watch
from shared.process.runs import Runs
from tests.support.patience import until

pytestmark = [pytest.mark.service, pytest.mark.long]

SERVICE = """
import json, os, pathlib, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        parts = json.loads(sys.argv[2])
        self.send_response(200 if all(parts.values()) else 503)
        self.end_headers()
        self.wfile.write(json.dumps(parts).encode())

    def log_message(self, *_):
        pass

print("a raw line of", sys.argv[1], flush=True)
server = HTTPServer(("127.0.0.1", int(os.environ.get("BELAY_GATEWAY_PORT") or os.environ["BELAY_HTTP_PORT"])), Handler)
note = pathlib.Path(os.environ["BELAY_HOME"], "run", f"{sys.argv[1]}-1.json")
note.write_text(json.dumps({"url": "http://127.0.0.1:%d" % server.server_port}))
server.serve_forever()
"""
WELL, WITHOUT_KAFKA = '{"postgres": true, "kafka": true}', '{"postgres": true, "kafka": false}'
UP = """
import json, sys
from shared.embedded.__main__ import up
from shared.embedded.home import Home
from shared.embedded.programs import Wish
kafka, postgres, services, logs = json.loads(sys.argv[1])
wish = Wish(kafka, postgres, services={name: tuple(argv) for name, argv in services.items()}, provision=("true",))
sys.exit(up(Home.open(), wish, detach=False, logs=logs))
"""


@pytest.fixture
def wish(kafka: str, postgres_admin: str, tmp_path: Path) -> Wish:
    """Two small services that say at once that they are ready."""
    program = tmp_path / "service.py"
    program.write_text(SERVICE)
    services = {name: (sys.executable, str(program), name, WELL) for name in ("catalog", "gateway")}
    return Wish(kafka, postgres_admin, services=services, provision=("true",))


@contextmanager
def up(home: Home, wish: Wish, stdout: int, *, logs: bool = False) -> Iterator[None]:
    """`up` as a user runs it, until the end of the block."""
    said = json.dumps([wish.kafka, wish.postgres_admin, wish.services, logs])
    environment = {**os.environ, "BELAY_HOME": str(home.root), "TERM": "xterm"}
    environment.pop("BELAY_GATEWAY_PORT", None)
    with subprocess.Popen([sys.executable, "-c", UP, said], env=environment, stdout=stdout, stderr=stdout) as running:
        try:
            yield
        finally:
            running.terminate()


@contextmanager
def in_a_pipe(home: Home, wish: Wish, *, logs: bool = False) -> Iterator[Path]:
    shown = home.root / "shown"
    with shown.open("wb") as file, up(home, wish, file.fileno(), logs=logs):
        yield shown


def test_each_part_is_told_as_it_gets_ready_and_then_where_everything_is(home: Home, wish: Wish) -> None:
    with in_a_pipe(home, wish) as shown:
        until(lambda: "Belay is up" in shown.read_text() and "  logs" in shown.read_text())
    lines = shown.read_text().splitlines()
    parts = [line.split("  ")[-1] for line in lines[:5]]
    assert parts[2] == "tables, roles and topics are ready"
    assert sorted(parts[:2]) == ["Kafka is ready", "PostgreSQL is ready"]
    assert sorted(parts[3:]) == ["catalog-1 is ready", "gateway-1 is ready"]
    last = "\n".join(lines[5:])
    assert f"page and API  http://127.0.0.1:{home.read_json('ports.json')['gateway-1-page']}" in last
    assert f"token         in {home.root / 'admin.token'}" in last


def test_in_a_pipe_there_are_whole_plain_lines_and_no_raw_logs(home: Home, wish: Wish) -> None:
    with in_a_pipe(home, wish) as shown:
        until(lambda: "Belay is up" in shown.read_text())
    assert not re.findall(r"[\x00-\x09\x0b-\x1f\x7f]", shown.read_text())
    assert "a raw line of" not in shown.read_text()
    assert "a raw line of catalog" in (home.logs / "catalog-1.log").read_text()


def test_the_raw_logs_are_shown_if_asked_for(home: Home, wish: Wish) -> None:
    with in_a_pipe(home, wish, logs=True) as shown:
        until(lambda: "Belay is up" in shown.read_text() and "a raw line of catalog" in shown.read_text())
    assert "catalog-1 | a raw line of catalog" in shown.read_text()
    assert "belay | catalog-1 is ready" in shown.read_text()


def test_on_a_terminal_a_moving_line_tells_what_is_under_way(home: Home, wish: Wish) -> None:
    ours, theirs = pty.openpty()
    seen = b""
    with up(home, wish, theirs):
        os.close(theirs)
        while b"  logs" not in seen:
            seen += os.read(ours, 4096)
    assert b"waiting for PostgreSQL and Kafka" in seen
    assert b"a raw line of" not in seen
    assert b"page and API  http://127.0.0.1" in seen
    os.close(ours)


def test_a_service_that_ends_is_told_and_told_again_when_it_is_ready(home: Home, wish: Wish) -> None:
    with in_a_pipe(home, wish) as shown:
        until(lambda: "Belay is up" in shown.read_text())
        process.recorded(home)["catalog-1"].kill()
        until(lambda: shown.read_text().count("catalog-1 is ready") == 2)
    assert f"catalog-1 ended and is started again; its log: {home.logs / 'catalog-1'}.log" in shown.read_text()
    assert "    a raw line of catalog" in shown.read_text()


def test_what_a_service_waits_for_is_named(home: Home, wish: Wish) -> None:
    services = {**wish.services, "catalog": (*wish.services["catalog"][:-1], WITHOUT_KAFKA)}
    wish = replace(wish, services=services)
    with in_a_pipe(home, wish) as shown:
        until(lambda: "gateway-1 is ready" in shown.read_text())
        watch = Watch(home, wish)
        until(lambda: list(watch.look()) == [] and "catalog-1" in watch.waiting)
        assert watch.lacks() == "catalog-1 not ready without kafka"
    assert "Belay is up" not in shown.read_text()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves the supervisor running
def test_a_detached_start_gives_up_only_when_nothing_moves_any_more(
    home: Home, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staying, "PATIENCE", 4.0)
    hangs = (sys.executable, "-c", "import time; print('waits for a disk', flush=True); time.sleep(1_000)")
    wish = replace(wish, services={**wish.services, "catalog": hangs})
    with pytest.raises(StackError, match="nothing has moved for 4 s: catalog-1 has not begun to listen yet"):
        staying.detached(home, wish, Parts(Console(quiet=True)))


def test_an_address_of_an_earlier_run_is_not_taken_for_this_ones(home: Home, wish: Wish) -> None:
    (home.run / "catalog-1.json").write_text('{"url": "http://127.0.0.1:9"}')
    (home.run / "deployer-2.json").write_text('{"url": "http://127.0.0.1:9"}')
    for name in ("catalog", "deployer"):  # both were killed
        Runs(home.root, name, "1").begin()
    with in_a_pipe(home, wish) as shown:
        until(lambda: "Belay is up" in shown.read_text())
        assert sorted(path.name for path in home.run.glob("*.json")) == ["catalog-1.json", "gateway-1.json"]
        assert [path.name for path in home.run.glob("*.runs")] == ["catalog-1.runs"], "nobody waits for the other"
