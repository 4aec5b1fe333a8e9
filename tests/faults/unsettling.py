"""Sites that are not as they should be while strategies go over them: offline and back, in maintenance, left alone,
with alarms. Each is put right again in the end."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any
from uuid import UUID

from shared.messages.base import Command
from shared.messages.strategy import ChangeSites, ClearAlarm, RaiseAlarm, Selection
from shared.messages.words import Severity
from tests.faults.command_client import CommandClient, Refused

SITES_AT_ONCE = 6
ALARM = "fan-speed"
PAUSE = (0.5, 4.0)
LASTS = (4.0, 25.0)
"""Seconds: some come back before anybody has noticed, others are gone for long."""

TROUBLES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "offline": ({"connections": {"simulated": {"online": False}}}, {"connections": {"simulated": {"online": True}}}),
    "maintenance": ({"maintenance": True}, {"maintenance": False}),
    "unmanaged": ({"managed": False}, {"managed": True}),
}
"""What is changed of sites, and back."""

WEIGHTS = {"offline": 5, "maintenance": 2, "unmanaged": 2, "alarm": 2}


async def unsettle(names: Sequence[str], random: Random, client: CommandClient, stop: asyncio.Event) -> None:
    """Trouble some of these sites after the others until stopped; then all of them are well again."""
    draw = Random(random.getrandbits(64))  # noqa: S311 - one of its own: the lane draws beside it
    under_way: set[asyncio.Task[None]] = set()
    kind = "offline"  # first of all, so that a short round comes to it, too
    while not stop.is_set():
        some = draw.sample(list(names), min(draw.randint(1, SITES_AT_ONCE), len(names)))
        task = asyncio.create_task(_trouble(kind, some, Random(draw.getrandbits(64)), client, stop))  # noqa: S311
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        await _sleep(draw.uniform(*PAUSE), stop)
        kind = draw.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    await asyncio.gather(*under_way)


async def _trouble(kind: str, sites: Sequence[str], random: Random, client: CommandClient, stop: asyncio.Event) -> None:
    begin, end = _alarms(sites, random) if kind == "alarm" else _changes(kind, sites)
    for command in begin:
        await _ask(client, command, random)
    await _sleep(random.uniform(*LASTS), stop)
    for command in end:
        await _ask(client, command, random)


def _changes(kind: str, sites: Sequence[str]) -> tuple[list[Command], list[Command]]:
    selection = {"selection": Selection(sites=tuple(sites))}
    there, back = ([ChangeSites.model_validate({**selection, **facts})] for facts in TROUBLES[kind])
    return list(there), list(back)


def _alarms(sites: Sequence[str], random: Random) -> tuple[list[Command], list[Command]]:
    affects, severity = random.random() < 0.5, random.choice(list(Severity))
    facts = {"alarm": ALARM, "severity": severity, "management_affecting": affects}
    raised: list[Command] = [RaiseAlarm.model_validate({"site": site, **facts}) for site in sites for _ in range(2)]
    return raised, [ClearAlarm(site=site, alarm=ALARM) for site in sites]


async def _ask(client: CommandClient, command: Command, random: Random) -> None:
    """An alarm that another trouble cleared meanwhile is refused, which is right."""
    with suppress(Refused):
        await client.ask(command, str(UUID(int=random.getrandbits(128), version=4)))


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
