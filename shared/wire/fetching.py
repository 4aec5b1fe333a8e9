"""Between aiokafka and what it fetched: each answer of a broker is made fit to be read (unpacking.py) before it is.

A consumer asks its client for records and hands their bytes to code in C. The one way between is the client's `send`,
which is replaced here for that consumer alone; a test of each codec fails if a newer aiokafka goes another way.
"""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.protocol.fetch import FetchRequest

from shared.wire.unpacking import Budget, Fitting

HIGHWATER, RECORDS = 2, -1
"""Where a partition's answer has its end, and the batches."""


def fit_to_read(kafka: AIOKafkaConsumer, most: int, *, careful: bool = False) -> Fitting:
    """Have all that this consumer reads made fit first; `most` are the bytes of a batch once it is unpacked."""
    fitting = Fitting(most, careful=careful)
    client = kafka._client  # noqa: SLF001 - see above
    send = client.send

    async def send_and_fit(node_id: int, request: Any, **more: Any) -> Any:
        answer = await send(node_id, request, **more)
        if request.API_KEY == FetchRequest.API_KEY:
            await _fit(answer, fitting)
        return answer

    client.send = send_and_fit
    return fitting


async def _fit(answer: Any, fitting: Fitting) -> None:
    """In a thread where there is more to do than to look: what a minute of gzip holds must not hold up the loop."""
    parts = [part for _, some in answer.topics for part in some if part[RECORDS]]
    if any(fitting.needs(part[RECORDS]) for part in parts):
        answer.topics = await asyncio.to_thread(_fitted, answer.topics, fitting)
    elif parts:
        answer.topics = _fitted(answer.topics, fitting)


def _fitted(topics: Any, fitting: Fitting) -> Any:
    budget = Budget(fitting.most)
    return [(topic, [_part(part, fitting, budget) for part in parts]) for topic, parts in topics]


def _part(part: Any, fitting: Fitting, budget: Budget) -> Any:
    if not part[RECORDS]:
        return part
    return (*part[:RECORDS], fitting.fit(part[RECORDS], part[HIGHWATER], budget))
