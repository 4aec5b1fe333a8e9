"""`python -m tests.support.mortal`: the counter of the core's tests as a process of its own, which some records end.

The name of a site says what its record does to the process. Nothing of it can be caught by Python.
"""

import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Sequence

from shared.core.inbox import Reply
from shared.core.transaction import Transaction
from shared.messages.strategy import RegisterSites
from shared.process.service import Service, main
from shared.wire.codec import Envelope
from tests.service.core.counter import TABLE, register

ENDS: dict[str, Callable[[], object]] = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),  # what a kernel without memory does
    "left": lambda: os._exit(7),
    "crashed": faulthandler._sigsegv,  # type: ignore[attr-defined]
    "exited": lambda: sys.exit(3),
}


async def register_or_die(tx: Transaction, batch: Sequence[Envelope[RegisterSites]]) -> Sequence[Reply]:
    replies = await register(tx, batch)
    for envelope in batch:
        for site in envelope.data.sites:
            ENDS.get(site.name, lambda: None)()
    return replies


async def wire(service: Service) -> None:
    await service.pool.execute(TABLE)
    service.handlers = {RegisterSites: register_or_die}
    service.topics = ["strategy.commands"]


if __name__ == "__main__":
    main("strategy_orchestrator", wire)
