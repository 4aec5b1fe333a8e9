"""The twelve sites of the demo, asked directly: their applications over HTTP, their data, their processes.

Nothing here asks Belay. What it claims is compared with what is found here.
"""

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from services.cli.errors import failed
from services.cli.site_file import read_sites
from shared.embedded import ports
from shared.embedded.home import Home

APP = "datasette"
DATABASE = "peaks"
MARKS = "belay_demo"

ANSWER_SECONDS = 5
SETTLE_SECONDS = 15
"""An application whose host is busy may be slow; one that has not answered by then is down."""


@dataclass(frozen=True, slots=True)
class Application:
    """Where one site's application is: its port, and its own database."""

    site: str
    group: str
    port: int
    database: Path

    @property
    def url(self) -> str:
        """Its address on this machine."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Found:
    """What an application said of itself. `process` names its process for ever: pid and time of birth."""

    version: str | None
    marks: frozenset[str] = frozenset()
    process: tuple[int, float] | None = None
    trouble: str = ""


Census = Mapping[str, Found]


def sites_with_ports(file: Path, home: Home) -> list[dict[str, Any]]:
    """The sites of a file as the API takes them, each with a free port, which it keeps for ever.

    A port that is taken is not looked for anew: it is our own application that has it.
    """
    sites = [site.model_dump(mode="json") for _, site in read_sites(file)]
    known = home.read_json(ports.STATE)
    ports.allocate(home, *(name for site in sites if (name := _port_name(site["name"])) not in known))
    for site in sites:
        _connection(site)["port"] = ports.known(home, _port_name(site["name"]))
    return sites


def _connection(site: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = site["connections"]["process"]
    return found


def _port_name(site: str) -> str:
    return f"site-{site}"


def applications(sites: Iterable[Mapping[str, Any]], home: Home) -> list[Application]:
    """Where the process driver puts the application of each site."""
    return [
        Application(site["name"], site["group"], _connection(site)["port"], _data(home, site) / f"{DATABASE}.db")
        for site in sites
    ]


def _data(home: Home, site: Mapping[str, Any]) -> Path:
    host, name = str(_connection(site)["host"]), str(site["name"])
    return home.root / "hosts" / host / "sites" / name / APP / "web" / "data"


def mark(fleet: Sequence[Application], text: str) -> None:
    """Write a row into the database of every site, as its users would: it must survive whatever comes."""
    for application in fleet:
        try:
            _write_row(application.database, text)
        except sqlite3.Error as error:
            raise failed(
                f"cannot write to {application.database}, the database of {application.site}: {error}"
            ) from error


def _write_row(path: Path, text: str) -> None:
    with closing(sqlite3.connect(path, timeout=10)) as database, database:
        database.execute(f"create table if not exists {MARKS} (mark text primary key)")
        database.execute(f"insert or ignore into {MARKS} values (?)", (text,))  # noqa: S608  our own name


def census(fleet: Sequence[Application], seconds: float = SETTLE_SECONDS) -> dict[str, Found]:
    """Ask every application what it is and what it holds; those that do not answer again until `seconds` are over."""
    until = time.monotonic() + seconds
    found = _ask_all(fleet)
    while any(one.trouble for one in found.values()) and time.monotonic() < until:
        time.sleep(0.2)
        found |= _ask_all([one for one in fleet if found[one.site].trouble])
    return found


def _ask_all(fleet: Sequence[Application]) -> dict[str, Found]:
    processes = _listeners({one.port for one in fleet})
    with httpx.Client(timeout=ANSWER_SECONDS, trust_env=False) as http, ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda one: _ask(http, one, processes.get(one.port)), fleet)
        return {one.site: found for one, found in zip(fleet, answers, strict=True)}


def _ask(http: httpx.Client, one: Application, process: tuple[int, float] | None) -> Found:
    query = {"sql": f"select mark from {MARKS} order by rowid desc limit 1000", "_shape": "arrayfirst"}  # noqa: S608
    try:
        version = http.get(f"{one.url}/-/versions.json").raise_for_status().json()[APP]["version"]
        marks = http.get(f"{one.url}/{DATABASE}.json", params=query)
        # 400: the table is not there before the first mark.
        rows = [] if marks.status_code == 400 else marks.raise_for_status().json()
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return Found(None, trouble=str(error) or type(error).__name__)
    return Found(version, frozenset(rows), process)


def _listeners(ports: Set[int]) -> dict[int, tuple[int, float]]:
    """Who listens on these ports. Only processes that were started with such a number are looked at: that is quick."""
    words = {str(port) for port in ports}
    found = {}
    for process in psutil.process_iter():
        try:
            if words.isdisjoint(process.cmdline()):
                continue
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    found[connection.laddr.port] = (process.pid, process.create_time())
        except psutil.Error:
            continue
    return found
