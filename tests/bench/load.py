"""`python -m tests.bench.load URL RATE SECONDS PREFIX`: so many commands a second over HTTP, each to register one site.

Each is sent at its own moment, whether earlier ones were answered or not; its time counts from that moment, so a
gateway that keeps the sender waiting does not look fast. The token is in BELAY_TOKEN. Prints JSON: see Outcome.
"""

import asyncio
import os
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import orjson

TIMEOUT_SECONDS = 30.0
CONNECTIONS = 200
"""Kept open; a command that finds none free waits for one, and that counts as time."""


@dataclass
class Outcome:
    """Milliseconds from due to answered of each success, the worst lag of the sender itself, errors by kind."""

    ms: list[float] = field(default_factory=list)
    late_ms: float = 0.0
    seconds: float = 0.0
    """From the first command that was due to the last answer."""

    errors: Counter[str] = field(default_factory=Counter)


async def command(session: aiohttp.ClientSession, name: str, due: float, outcome: Outcome) -> None:
    """One command, from its moment to its answer."""
    outcome.late_ms = max(outcome.late_ms, (time.perf_counter() - due) * 1000)
    body, headers = {"sites": [{"name": name, "driver": "simulated"}]}, {"Idempotency-Key": str(uuid.uuid4())}
    try:
        async with session.post("/v1/sites", json=body, headers=headers) as response:
            answer = await response.json()
    except (aiohttp.ClientError, TimeoutError) as error:
        outcome.errors[type(error).__name__] += 1
        return
    if response.status < 300 and answer["state"] == "accepted":
        outcome.ms.append((time.perf_counter() - due) * 1000)
    else:
        outcome.errors[f"{response.status} {answer.get('state') or answer.get('code')}"] += 1


async def run(url: str, rate: int, seconds: int, prefix: str) -> Outcome:
    outcome = Outcome()
    headers = {"Authorization": f"Bearer {os.environ['BELAY_TOKEN']}"}
    timeout, connector = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS), aiohttp.TCPConnector(limit=CONNECTIONS)
    async with (
        aiohttp.ClientSession(url, headers=headers, timeout=timeout, connector=connector) as session,
        asyncio.TaskGroup() as group,
    ):
        begin = time.perf_counter()
        for number in range(rate * seconds):
            due = begin + number / rate
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            group.create_task(command(session, f"{prefix}-{number}", due, outcome))
    outcome.seconds = time.perf_counter() - begin
    return outcome


def main(url: str, rate: str, seconds: str, prefix: str) -> None:
    outcome = asyncio.run(run(url, int(rate), int(seconds), prefix))
    sys.stdout.buffer.write(orjson.dumps(vars(outcome)))


if __name__ == "__main__":
    main(*sys.argv[1:])
