"""Records that Kafka refused for good, on the command line: `python -m shared.refused list`, `replay ID…`, `drop ID…`.

Run where the service runs, with its own environment (BELAY_POSTGRES): only a service itself touches its tables. What is
sent again goes through the outbox, behind what lies there; the relay that runs has it within a second.
"""

import argparse
import asyncio
import dataclasses
import json
import sys
from collections.abc import Sequence

from shared.core.transaction import Ledger
from shared.process.db import connect_pool
from shared.process.settings import Settings


def main() -> None:
    """Entry point; exit status 1 when one of the ids is not there, and then nothing was done."""
    parser = argparse.ArgumentParser(prog="python -m shared.refused", description=__doc__)
    parser.add_argument("verb", choices=("list", "replay", "drop"))
    parser.add_argument("ids", nargs="*", type=int)
    wish = parser.parse_args()
    if (wish.verb == "list") == bool(wish.ids):
        parser.error("list takes no ids; replay and drop take at least one")
    asyncio.run(_do(wish.verb, wish.ids))


async def _do(verb: str, ids: Sequence[int]) -> None:
    pool = await connect_pool(Settings().postgres, 2)
    try:
        ledger = Ledger(pool, "/belay/refused")
        if verb == "list":
            await show(ledger)
        else:
            await settle(ledger, verb, ids)
    finally:
        pool.terminate()


async def show(ledger: Ledger) -> None:
    """One JSON document a line."""
    after = 0
    while found := await ledger.refused(after):
        for record in found:
            sys.stdout.write(json.dumps(dataclasses.asdict(record), default=str) + "\n")
        after = found[-1].id


async def settle(ledger: Ledger, verb: str, ids: Sequence[int]) -> None:
    """Send these again or forget them, all or none. Raises SystemExit when one of them is not there."""
    async with ledger.transaction() as tx:
        done = await (tx.replay_refused(ids) if verb == "replay" else tx.drop_refused(ids))
        if missing := sorted(set(ids) - done):
            raise SystemExit(f"there is no refused record {', '.join(map(str, missing))}; nothing was done")


if __name__ == "__main__":
    main()
