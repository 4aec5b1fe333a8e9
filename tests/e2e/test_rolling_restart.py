"""Every service restarted under load, one replica of each after the other, as a roll-out of Belay itself does it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from services.cli.client import Client
from shared.embedded.programs import SERVICES
from tests.support.patience import until
from tests.support.system import System, running

pytestmark = pytest.mark.e2e

REPLICAS = 2
STOP_SECONDS = 5.0
APP, VERSION = "lamp", "1.0.0"
SITES = 300
ANEW = {
    "type": "apply",
    "app": APP,
    "version": VERSION,
    "selection": {"all": True},
    "max_parallel": 40,
    "force": True,
}
"""One strategy after the other deploys the same release to every site anew."""

LAST = "the-last-group"


class Visitor:
    """A client on a thread of its own that does the same again and again; what it could not do is in `errors`."""

    def __init__(self, system: System, visit: Callable[[Client, int], None]) -> None:
        self.visits = 0
        self.errors: list[BaseException] = []
        self._system = system
        self._visit = visit
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def _go_on(self) -> None:
        with self._system.client() as client:
            while not self._over.is_set():
                try:
                    self._visit(client, self.visits)
                except BaseException as error:  # noqa: BLE001 - each is a failure of the test
                    self.errors.append(error)
                self.visits += 1

    def __enter__(self) -> "Visitor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(120)
        assert not self._thread.is_alive()


def test_a_rolling_restart_of_everything_under_load_is_seen_by_nobody(tmp_path: Path) -> None:
    with running(tmp_path / "home", REPLICAS) as system, system.client() as client:
        prepare(system, client)
        stopped: dict[str, float] = {}
        with (
            listening(system) as heard,
            Visitor(system, roll_out) as strategies,
            Visitor(system, read) as reads,
            Visitor(system, make_group) as groups,
        ):
            until(lambda: bool(journal(system)))
            for number in range(1, REPLICAS + 1):
                begun = len(journal(system))
                stopped |= restart(system, number)
                assert len(journal(system)) > begun, "no device was touched during a round"
        print({name: f"{seconds:.2f} s" for name, seconds in stopped.items()}, reads.visits, groups.visits)  # noqa: T201
        assert {name: seconds for name, seconds in stopped.items() if seconds > STOP_SECONDS} == {}
        assert [*strategies.errors, *reads.errors, *groups.errors] == []
        assert_each_group_once(client, heard, groups.visits)
        assert_each_step_once(system, client, strategies.visits)
        assert logs_that_say(system, "left before all was ended") == []


def prepare(system: System, client: Client) -> None:
    system.register(*(f"oslo-{number:04}" for number in range(SITES)))
    client.upload(system.bundle(APP, VERSION, (0.2, 1)))
    until(lambda: [r["state"] for r in client.get("/v1/releases")["items"]] == ["available"], 90)


def restart(system: System, number: int) -> dict[str, float]:
    """Stop this replica of every service, all at the same time; seconds that each took, once all are back."""
    names = [f"{service}-{number}" for service in SERVICES]
    with ThreadPoolExecutor(len(names)) as pool:
        seconds = list(pool.map(system.stop, names))
    system.until_ready()
    return dict(zip(names, seconds, strict=True))


def roll_out(client: Client, number: int) -> None:
    """A strategy from its creation to its end."""
    name = f"anew-{number}"
    taken(client, "/v1/strategies", {"name": name, **ANEW})
    until(lambda: state(client, name) == "ready")
    taken(client, f"/v1/strategies/{name}/apply", {})
    until(lambda: state(client, name) == "complete", 90)


def state(client: Client, strategy: str) -> str:
    return str(client.get(f"/v1/strategies/{strategy}")["state"])


def read(client: Client, _: int) -> None:
    client.get("/v1/sites", limit=10)
    time.sleep(0.02)


def make_group(client: Client, number: int) -> None:
    """Made twice it would be refused the second time: the name is taken."""
    taken(client, "/v1/groups", {"name": f"group-{number}"})
    time.sleep(0.02)


def taken(client: Client, path: str, body: dict[str, object]) -> None:
    """Send a command; its owner accepts it, now or once it is back."""
    answer = client.command("POST", path, body)
    if answer["state"] == "sent":
        answer = client.answer(answer["command_id"], seconds=60)
    assert answer["state"] == "accepted", answer


@contextmanager
def listening(system: System) -> Iterator[list[str]]:
    """Names of the groups that the event stream tells of, until the last one."""
    heard: list[str] = []

    def listen() -> None:
        with system.client() as client:
            positions = []
            for event in client.stream(types="group_changed", last_event_id="0"):
                positions.append(int(event.position))
                heard.append((event.data or {})["name"])
                if heard[-1] == LAST:
                    assert positions == sorted(set(positions))
                    return

    with ThreadPoolExecutor(1) as pool:
        end = pool.submit(listen)
        yield heard
        with system.client() as client:
            taken(client, "/v1/groups", {"name": LAST})
        end.result(60)


def assert_each_group_once(client: Client, heard: list[str], made: int) -> None:
    wanted = Counter([*(f"group-{number}" for number in range(made)), LAST])
    assert Counter(group["name"] for group in client.pages("/v1/groups")) == wanted
    assert Counter(heard) == wanted


def assert_each_step_once(system: System, client: Client, strategies: int) -> None:
    """By what the orchestrator says, and by what the devices themselves remember."""
    for number in range(strategies):
        steps = client.pages(f"/v1/strategies/anew-{number}/steps")
        assert Counter((step["state"], step["attempt"]) for step in steps) == {("complete", 1): SITES}
    started = Counter(line["site"] for line in map(orjson.loads, journal(system)) if line["effect"] == "started")
    assert Counter(started.values()) == {strategies: SITES}


def journal(system: System) -> list[bytes]:
    """The lines that the devices wrote, each whole."""
    path = system.home.root / "devices" / "journal.jsonl"
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def logs_that_say(system: System, words: str) -> list[str]:
    return [log.name for log in system.home.logs.glob("*.log") if words in log.read_text(errors="replace")]
