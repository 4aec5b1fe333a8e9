"""What the simulated devices noted themselves: when each began and ended."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from tests.bench.rig import Rig


@dataclass(frozen=True, slots=True)
class Span:
    """One order on one device, in epoch seconds. `needs` is how long the device was going to take, drawn by itself."""

    began: float
    ended: float
    needs: float


def path(rig: Rig) -> Path:
    """The journal of all devices of a rig."""
    return rig.home.root / "devices/journal.jsonl"


def marks(rig: Rig) -> int:
    """Where the journal ends now, in bytes."""
    return path(rig).stat().st_size if path(rig).exists() else 0


def spans(rig: Rig, mark: int) -> list[Span]:
    """Every order that began and ended after the mark, in the order in which they began.

    Raises RuntimeError when the journal was made anew meanwhile, for want of the lines in between.
    """
    if marks(rig) < mark:
        raise RuntimeError("the journal of the devices was made anew: BELAY_DEPLOYER_SIMULATED_MIB is too little")
    with path(rig).open("rb") as file:
        file.seek(mark)
        lines = [orjson.loads(line) for line in file]
    ended = {line["order"]: _seconds(line["at"]) for line in lines if line["effect"] == "ended"}
    begun = [line for line in lines if line["effect"] == "started" and line["order"] in ended]
    found = [Span(_seconds(one["at"]), ended[one["order"]], one["ends_at"] - one["began_at"]) for one in begun]
    return sorted(found, key=lambda span: span.began)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
