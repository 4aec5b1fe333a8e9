"""`make faults`: breaks a running Belay in every way it can, round after round, and checks what is left.

`make faults SEED=7` plays one round; ARGS="--minutes 25 --faults 1000" (the defaults) plays seeds 1, 2, 3 … until so
many faults were injected, for at most so long.
"""

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from tests.faults import plan, report
from tests.faults.campaign import Round, play
from tests.support.reaping import reaped

LANES = (200, 400, 800, 2000)
ROUND_SECONDS = 300.0
"""How long faults strike in one round; it then has to come to rest."""

AROUND_SECONDS = 100.0
"""What a round takes besides, at most as a rule: start, rest, evidence, check."""

EVIDENCE = Path("build/faults")
console = Console(width=None if sys.stdout.isatty() else 120)
T = TypeVar("T")


def main() -> None:
    """Exit status 0 when everything held."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="play only the round of this seed")
    parser.add_argument("--minutes", type=float, default=25, help="take at most so long")
    parser.add_argument("--faults", type=int, default=1000, help="end when so many were injected")
    parser.add_argument("--round", type=float, default=ROUND_SECONDS, help="seconds of faults in a round")
    parser.add_argument("--lanes", type=int, nargs="+", default=LANES, help="sites of each strategy")
    chosen = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tells of each connection that we cut
    try:
        with reaped():
            rounds = asyncio.run(ended_by_signal(campaign(chosen)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("stopped; nothing was left behind")
    result = report.summary(rounds)
    report.write(result)
    report.show(result, rounds, console)
    sys.exit(0 if result["held"] else 1)


async def ended_by_signal(work: Coroutine[Any, Any, T]) -> T:
    """SIGTERM ends the campaign in good order, as Ctrl-C does."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


async def campaign(chosen: argparse.Namespace) -> list[Round]:
    """Round after round, until there were enough faults or there is no time for another."""
    until = time.monotonic() + chosen.minutes * 60
    rounds: list[Round] = []
    seed = chosen.seed or 1
    while True:
        seconds = min(chosen.round, until - time.monotonic() - AROUND_SECONDS)
        if rounds and (chosen.seed is not None or seconds < 20 or report.injected(rounds) >= chosen.faults):
            return rounds
        planned = plan.draw(seed, max(seconds, 20), plan.Pace())
        console.print(f"seed {seed}: {len(planned)} faults planned within {seconds:.0f} s")
        rounds.append(await play(seed, planned, chosen.lanes, EVIDENCE / str(seed), console.print))
        seed += 1


if __name__ == "__main__":
    main()
