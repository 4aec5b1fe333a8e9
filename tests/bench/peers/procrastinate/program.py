"""procrastinate: four jobs for each site, each deferred by the one before it.

`program.py prepare DSN FIRST COUNT` makes its tables, if they are not there, and defers the first job of so many
sites; `program.py work DSN` works until nothing is left. It says "ready" when it could begin, begins at a line on its
input, says "done", and ends with its input.
"""

import asyncio
import sys

from jobs import accepted, app
from procrastinate import PsycopgConnector

AT_ONCE = 16
"""Jobs of one process at once; more were no faster here."""


async def prepare(first: int, count: int) -> None:
    if not await app.check_connection_async():
        await app.schema_manager.apply_schema_async()
    await accepted.batch_defer_async(*({"site": f"site-{number:06}"} for number in range(first, first + count)))


async def work() -> None:
    """Until no job is left; one that another process is at may leave another behind, so look once more."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    while await left():
        await app.run_worker_async(queues=["bench"], concurrency=AT_ONCE, wait=False, install_signal_handlers=False)
    sys.stdout.write("done\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


async def left() -> bool:
    query = "select exists (select from procrastinate_jobs where status in ('todo', 'doing')) as any"
    return bool((await app.connector.execute_query_one_async(query))["any"])


async def main(verb: str, dsn: str, first: str = "0", count: str = "0") -> None:
    connector = PsycopgConnector(conninfo=dsn, min_size=4, max_size=AT_ONCE + 4)
    with app.replace_connector(connector) as opened:
        async with opened.open_async():
            await (prepare(int(first), int(count)) if verb == "prepare" else work())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
