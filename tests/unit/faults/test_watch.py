"""Whatever a round writes, what follows the topics reads on, or says what broke it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.faults.odd_records import MAKERS, made
from tests.faults.watch import Watch


@dataclass
class Record:
    headers: tuple[tuple[str, bytes | None], ...]
    value: bytes | None
    topic: str = "belay.strategy.commands"


@dataclass
class Consumer:
    """What was fetched, then what breaks."""

    polls: Iterator[Any] = field(default_factory=lambda: iter(()))

    async def getmany(self, **_: object) -> Any:
        if isinstance(polled := next(self.polls), Exception):
            raise polled
        return polled


@pytest.mark.parametrize("kind", [kind for kind in MAKERS if kind != "giant_refusal"])
async def test_it_reads_every_odd_record(kind: str) -> None:
    watch = Watch("nowhere:9")
    for draw in range(60):
        odd = made(kind, "strategy.commands", "belay.strategy.strategy_state_changed", draw)
        watch._take(Record(tuple(odd.headers), odd.body))
    assert watch.states == {}


async def test_who_waits_is_told_what_broke_it(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch("nowhere:9")

    async def follow() -> None:
        await watch._read(Consumer(iter([OverflowError("a length of minus one")])))  # type: ignore[arg-type]

    monkeypatch.setattr(watch, "_follow", follow)
    await watch.run()
    with pytest.raises(RuntimeError, match="what follows the topics broke"):
        await watch.wait(lambda: None, 5)
