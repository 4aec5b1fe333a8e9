"""What `up` promises: everything runs, comes back after a kill of anything, and is gone after `down`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from shared.embedded import kafka as embedded_kafka
from shared.embedded import postgres, process, stack
from shared.embedded.home import Home
from shared.embedded.programs import Wish
from tests.support.patience import until

pytestmark = [pytest.mark.service, pytest.mark.long]

IDLE = (sys.executable, "-c", "import json, os, time; print(json.dumps(dict(os.environ)), flush=True); time.sleep(600)")
Start = Callable[..., None]
Up = subprocess.Popen[bytes]
UP = """
import sys
from pathlib import Path
from shared.embedded.__main__ import up
from shared.embedded.home import Home
from shared.embedded.programs import Wish
kafka, postgres, *idle = sys.argv[1:]
wish = Wish(kafka or None, postgres or None, services={"catalog": tuple(idle)}, provision=("true",))
sys.exit(up(Home.open(), wish, detach=False))
"""


@pytest.fixture
def wish(kafka: str, postgres_admin: str) -> Wish:
    """Two small services on the servers of the test run."""
    return Wish(kafka, postgres_admin, services={"catalog": IDLE, "monitor": IDLE}, provision=("true",))


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def start(home: Home, said: list[str]) -> Iterator[Start]:
    """Start a stack; whatever becomes of it, it is gone after the test."""
    started = []

    def start_one(wish: Wish, where: Home = home, *, detached: bool = False) -> None:
        started.append((where, stack.start(where, wish, said.append, detached=detached)))

    yield start_one
    for where, daemon in started:
        stack.stop(where)
        daemon.wait(10)


@pytest.fixture
def up(home: Home, wish: Wish) -> Iterator[subprocess.Popen[bytes]]:
    """`up` as a user runs it, with one idle service that runs already."""
    arguments = (wish.kafka or "", wish.postgres_admin or "", *IDLE)
    environment = {**os.environ, "BELAY_HOME": str(home.root), "BELAY_JARS": str(home.jars)}
    with subprocess.Popen([sys.executable, "-c", UP, *arguments], env=environment, stdout=subprocess.DEVNULL) as up:
        until(lambda: states(home).get("catalog-1") == "RUNNING")
        yield up
        up.terminate()


def test_every_replica_runs_and_is_told_what_it_may_know(home: Home, wish: Wish, start: Start) -> None:
    start(replace(wish, replicas={"catalog": 2}))
    until(lambda: states(home) == dict.fromkeys(("supervisord", "catalog-1", "catalog-2", "monitor-1"), "RUNNING"))
    told = environment(home, "catalog-2")
    assert told["BELAY_INSTANCE"] == "2"
    assert told["BELAY_KAFKA"] == wish.kafka
    assert told["BELAY_HOME"] == str(home.root)
    assert "belay_catalog" in told["BELAY_POSTGRES"]
    assert int(told["BELAY_HTTP_PORT"]) == home.read_json("ports.json")["catalog-2"]


def test_no_service_learns_the_secret_of_the_administrator(
    home: Home, wish: Wish, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_POSTGRES_ADMIN", wish.postgres_admin or "")
    start(wish)
    assert wish.postgres_admin not in environment(home, "catalog-1").values()
    assert "BELAY_POSTGRES" not in environment(home, "monitor-1")


def test_a_gateway_keeps_its_page_where_it_was(home: Home, wish: Wish, start: Start) -> None:
    gateway = replace(wish, services={"gateway": IDLE})
    start(gateway)
    before = environment(home, "gateway-1")["BELAY_GATEWAY_PORT"]
    stack.stop(home)
    start(gateway)
    assert str(home.read_json("ports.json")["gateway-1-page"]) == before


def test_a_service_that_is_not_on_disk_is_reported_and_the_others_run(
    home: Home, wish: Wish, start: Start, said: list[str]
) -> None:
    absent = (sys.executable, "-m", "services.nowhere")
    start(replace(wish, services={"catalog": IDLE, "nowhere": absent}))
    assert "service nowhere is not here (no package services.nowhere): left out" in said
    until(lambda: states(home) == {"supervisord": "RUNNING", "catalog-1": "RUNNING"})


def test_a_killed_service_is_started_again(home: Home, wish: Wish, start: Start) -> None:
    start(wish)
    until(lambda: states(home).get("catalog-1") == "RUNNING" and "catalog-1" in process.recorded(home))
    killed = kill(home, "catalog-1")
    until(lambda: runs_anew(home, killed))


def test_failed_provisioning_says_why_and_leaves_nothing_running(home: Home, wish: Wish, start: Start) -> None:
    broken = (sys.executable, "-c", "raise SystemExit('topic names are taken')")
    with pytest.raises(stack.StackError, match="topic names are taken"):
        start(replace(wish, provision=broken))
    assert process.recorded(home) == {}


def test_a_second_up_in_the_same_home_is_refused(home: Home) -> None:
    with stack.alone(home), pytest.raises(stack.StackError, match="another `up` holds"), stack.alone(home):
        pass


def test_a_detached_stack_is_not_cleared_away_by_the_next_start(home: Home, wish: Wish, start: Start) -> None:
    start(wish, detached=True)
    with pytest.raises(stack.StackError, match="already runs"):
        start(wish)
    assert states(home)["supervisord"] == "RUNNING"


def test_two_homes_run_side_by_side(home: Home, wish: Wish, start: Start, tmp_path: Path) -> None:
    other = Home.open(tmp_path / "other", home.jars)
    start(wish)
    start(wish, other)
    stack.stop(home)
    until(lambda: states(other).get("catalog-1") == "RUNNING")
    assert states(home) == {}


def test_down_ends_an_up_that_runs_in_another_terminal(home: Home, up: Up) -> None:
    stack.stop(home)
    assert up.wait(30) == 0
    assert process.recorded(home) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_polite_kill_stop_all_in_order(home: Home, up: Up, number: signal.Signals) -> None:
    up.send_signal(number)
    assert up.wait(30) == 0
    assert process.recorded(home) == {}


def test_after_a_kill_of_the_supervisor_up_starts_everything_again(home: Home, up: Up) -> None:
    before = pid(home)
    kill(home, "supervisord")
    until(lambda: runs_anew(home, before))


def test_after_a_kill_of_up_itself_the_next_start_finds_a_clean_house(
    home: Home, wish: Wish, up: Up, start: Start
) -> None:
    before = process.recorded(home).values()
    up.kill()
    up.wait()
    start(wish)
    until(lambda: states(home).get("catalog-1") == "RUNNING")
    assert [one.pid for one in before if one.is_running()] == []


def test_kafka_and_postgres_come_back_after_a_kill_and_keep_their_data(home: Home, start: Start) -> None:
    wish = Wish(services={"catalog": IDLE}, provision=("true",))
    start(wish)
    dsn, bootstrap = postgres.admin_dsn(home), embedded_kafka.bootstrap(home)
    asyncio.run(query(dsn, "create table kept as select 42 as answer"))
    kill(home, "postgres")
    kill(home, "kafka")
    asyncio.run(postgres.ready(dsn, 60))
    asyncio.run(embedded_kafka.ready(bootstrap, 60))
    assert asyncio.run(query(dsn, "select answer from kept")) == 42


async def query(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def states(home: Home) -> dict[str, str]:
    return {one.name: one.state for one in stack.statuses(home)}


def pid(home: Home) -> int | None:
    return next((one.pid for one in stack.statuses(home) if one.name == "catalog-1"), None)


def runs_anew(home: Home, earlier: int | None) -> bool:
    return states(home).get("catalog-1") == "RUNNING" and pid(home) not in {None, earlier}


def kill(home: Home, name: str) -> int:
    found = process.recorded(home)[name]
    found.kill()
    return found.pid


def environment(home: Home, instance: str) -> dict[str, str]:
    log = home.logs / f"{instance}.log"
    until(lambda: log.exists() and log.read_text().endswith("\n"))
    told: dict[str, str] = json.loads(log.read_text().splitlines()[0])
    return told
