"""The starts and ends of one replica, in a file beside the note of its address.

So it is known from outside why a replica is not there (`belay doctor`, the monitor), and the next start knows how the
last one ended. A container whose home does not last has the same in its ledger (table `process_run`).
"""

import faulthandler
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from shared.process.health import End

KEPT = 20
UNTOLD = "it ended without a word (killed, out of memory, or crashed)"
IN_ORDER = ""
_FATAL = re.compile(r"Fatal Python error: (.+)")
_FRAME = re.compile(r'File "([^"]+)", line (\d+) in (\S+)')


class Runs:
    """Of one replica. Never raises for a home that cannot be written: a note is worth no start."""

    def __init__(self, home: Path, service: str, instance: str) -> None:
        self._path = path_of(home, service, instance)
        self._crash = self._path.with_suffix(".crash")
        self._heard_in: IO[str] | None = None
        self.before: str | None = None
        """How the last run ended; None when none is known of."""

    def begin(self) -> None:
        """This replica starts; a run that is still open ended without a word, or with what faulthandler heard."""
        runs = self._read()
        if runs and "ended" not in runs[-1]:
            runs[-1] |= {"ended": _now(), "cause": self._heard() or UNTOLD}
        self.before = runs[-1].get("cause", IN_ORDER) if runs else None
        self._write([*runs, {"started": _now(), "pid": os.getpid()}])

    def __enter__(self) -> "Runs":
        self.begin()
        self._listen()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.end(cause_of(error) if error is not None else IN_ORDER)
        if self._heard_in is not None:
            faulthandler.disable()
            self._heard_in.close()

    def end(self, cause: str = IN_ORDER) -> None:
        """It ends; `cause` is IN_ORDER when it was told to. The first word counts."""
        runs = self._read()
        if runs and "ended" not in runs[-1]:
            runs[-1] |= {"ended": _now(), "cause": cause}
            self._write(runs)

    def _listen(self) -> None:
        """Have a hard crash (segmentation fault, abort) leave where it happened."""
        try:
            self._heard_in = self._crash.open("w")
            faulthandler.enable(self._heard_in, all_threads=False)
        except OSError:
            return

    def _heard(self) -> str:
        try:
            text = self._crash.read_text()
        except OSError:
            return ""
        fatal, frame = _FATAL.search(text), _FRAME.search(text)
        where = f" in {frame[3]} ({Path(frame[1]).name}:{frame[2]})" if frame else ""
        return f"{fatal[1]}{where}" if fatal else ""

    def _read(self) -> list[dict[str, Any]]:
        try:
            runs = json.loads(self._path.read_text())["runs"]
            return runs if all(isinstance(run, dict) for run in runs) else []
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _write(self, runs: list[dict[str, Any]]) -> None:
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps({"runs": runs[-KEPT:]}))
            fresh.replace(self._path)  # whole or not at all
        except OSError:
            return


def path_of(home: Path, service: str, instance: str) -> Path:
    """Where the runs of a replica stand."""
    return home / "run" / f"{service}-{instance}.runs"


def ends_in(path: Path) -> list[End]:
    """The ends by itself that a file tells of, oldest first; none where there is no such file."""
    try:
        runs = json.loads(path.read_text())["runs"]
        return [End(datetime.fromisoformat(run["ended"]), run["cause"]) for run in runs if run.get("cause")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def stopped_in_order(path: Path) -> bool:
    """Whether the last run ended because it was told to; also when the file says nothing."""
    try:
        runs = json.loads(path.read_text())["runs"]
        return not runs or runs[-1].get("cause") == IN_ORDER
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True


def cause_of(error: BaseException) -> str:
    """An error in one line: the innermost of groups, its kind and words, and where in our code it was raised."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frame = error.__traceback__
    where = ""
    while frame is not None:
        code = frame.tb_frame.f_code
        where = f" ({Path(code.co_filename).name}:{frame.tb_lineno})"
        frame = frame.tb_next
    return f"{type(error).__name__}: {error}"[:300] + where


def _now() -> str:
    return datetime.now(UTC).isoformat()
