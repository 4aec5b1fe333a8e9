"""DBOS: a durable workflow of four steps for each site.

`program.py prepare DSN` makes its tables; `program.py work DSN FIRST COUNT` brings so many sites through, from the one
numbered FIRST on. It says "ready" when it could begin, begins at a line on its input, says "done", and ends with its
input.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS, DBOSConfig

AT_ONCE = 16
"""Threads of one process; more of them, or coroutines, were slower here."""


@DBOS.step()
def accepted(site: str) -> str:
    return site


@DBOS.step()
def started(site: str) -> str:
    return site


@DBOS.step()
def finished(site: str) -> str:
    return site


@DBOS.step()
def recorded(site: str) -> str:
    return site


@DBOS.workflow()
def upgrade(site: str) -> str:
    return recorded(finished(started(accepted(site))))


def launch(dsn: str, executor: str) -> None:
    """Each process has an executor id of its own, or they would take over each other's workflows."""
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": dsn,
        "executor_id": executor,
        "application_version": "1",
        "sys_db_pool_size": AT_ONCE + 4,
        "max_executor_threads": AT_ONCE + 4,
        "log_level": "ERROR",
        "enable_otlp": False,
    }
    DBOS(config=config)
    DBOS.launch()


def work(first: int, count: int) -> None:
    sites = [f"site-{number:06}" for number in range(first, first + count)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for site, ended in zip(sites, threads.map(upgrade, sites), strict=True):
            assert ended == site


def main(verb: str, dsn: str, first: str = "0", count: str = "0") -> None:
    launch(dsn, f"executor-{first}")
    if verb == "work":
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        work(int(first), int(count))
        sys.stdout.write("done\n")
        sys.stdout.flush()
        sys.stdin.read()
    DBOS.destroy()


if __name__ == "__main__":
    main(*sys.argv[1:])
