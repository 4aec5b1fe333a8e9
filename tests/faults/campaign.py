"""One round: work goes on, faults strike by plan, all comes to rest, and what is left behind is collected."""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import orjson
import structlog

from tests.faults.checker import Recovery, RuleResult, check, read, recoveries
from tests.faults.command_client import CommandClient
from tests.faults.devices import Devices
from tests.faults.evidence import Asked, Fault, Run, collect
from tests.faults.field import Field
from tests.faults.foreign import Foreign
from tests.faults.lane import Lane
from tests.faults.plan import Planned
from tests.faults.rest import come_to_rest, hold_checks
from tests.faults.stage import AUTOMATIC_AT_ONCE, Stage, standing
from tests.faults.strands.table import of_lane
from tests.faults.tracks import strike_all
from tests.faults.watch import Watch

log = structlog.get_logger()

GRACE_SECONDS = 20.0
"""After the last fault strategies may come to their own end for so long; then they are aborted."""

REST_SECONDS = 90.0
DEVICE_KINDS = {"fail": "device_failure", "hang": "device_hang", "crash": "device_crash"}
Say = Callable[[str], None]


@dataclass
class Round:
    """What came of a round. `problems` are what the campaign itself found wrong, beside the checker's findings."""

    seed: int
    folder: Path
    faults: list[Fault] = field(default_factory=list)
    passed: dict[str, set[str]] = field(default_factory=dict)
    missed: int = 0
    problems: list[str] = field(default_factory=list)
    results: list[RuleResult] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0

    @property
    def held(self) -> bool:
        """Whether every promise was kept."""
        return not self.problems and not any(result.violations for result in self.results)


async def play(seed: int, plan: Sequence[Planned], lanes: Sequence[int], folder: Path, say: Say) -> Round:
    """Play a round with lanes of so many sites; its evidence lies in `folder` afterwards. Bounded in time."""
    round_ = Round(seed, folder)
    began = time.monotonic()
    async with standing() as stage:
        with _log_kept(stage.home.logs / "campaign.log"):
            await _attack(stage, round_, plan, lanes, say)
    judge(round_)
    round_.seconds = time.monotonic() - began
    return round_


async def _attack(stage: Stage, round_: Round, plan: Sequence[Planned], sizes: Sequence[int], say: Say) -> None:
    await stage.rise()
    watch, foreign = Watch(stage.bootstrap), Foreign(stage.bootstrap)
    watcher = asyncio.create_task(watch.run())
    await foreign.start()
    field_ = Field(stage, watch, foreign, CommandClient(stage, watch, foreign), faults=round_.faults)
    try:
        await _act(round_, field_, plan, sizes, say)
    except BaseException:
        shutil.copytree(stage.home.logs, round_.folder / "logs", dirs_exist_ok=True)
        raise
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, foreign.stop(), return_exceptions=True)
        field_.client.close()


def judge(round_: Round) -> None:
    """Have the evidence checked. It is kept only if something is wrong."""
    try:
        evidence = read(round_.folder)
        round_.results, round_.recoveries = check(evidence), recoveries(evidence)
    except Exception as error:
        round_.problems.append(f"the evidence could not be checked: {error!r}")
        log.exception("the checker broke")
    if round_.held:
        shutil.rmtree(round_.folder)


@contextmanager
def _log_kept(path: Path) -> Iterator[None]:
    """What the campaign did, beside what the services said; afterwards others write where they wrote before."""
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    processors = (structlog.processors.add_log_level, stamp, structlog.processors.JSONRenderer())
    before = structlog.get_config()
    with path.open("a", buffering=1) as file:
        structlog.configure(processors=processors, logger_factory=structlog.WriteLoggerFactory(file))
        try:
            yield
        finally:
            structlog.configure(**before)


async def _act(round_: Round, field_: Field, plan: Sequence[Planned], sizes: Sequence[int], say: Say) -> None:
    stage, watch = field_.stage, field_.watch
    started, stop = datetime.now(UTC), asyncio.Event()
    lanes = _lanes(round_, field_, sizes, stop)
    working = [asyncio.create_task(lane.run()) for lane in lanes]
    await watch.wait(lambda: watch.finished_steps > 0, 90)
    await field_.look_at_points()
    await strike_all(field_, plan)
    stop.set()
    ended = datetime.now(UTC)
    say(f"seed {round_.seed}: {len(round_.faults)} faults done, {watch.finished_steps} steps; coming to rest")
    _, late = await asyncio.wait(working, timeout=GRACE_SECONDS)
    cut = (lane.cut_short() for lane, task in zip(lanes, working, strict=True) if task in late)
    await asyncio.gather(*cut, return_exceptions=True)  # whoever gives no answer holds up its lane, which is told
    for outcome in await asyncio.gather(*working, return_exceptions=True):
        if outcome is not None:
            round_.problems.append(f"a lane broke: {outcome!r}")
    await field_.look_at_points()
    round_.passed = field_.passed
    await hold_checks(stage, REST_SECONDS)
    left = await come_to_rest(stage, REST_SECONDS)
    if left:
        round_.problems.append(f"not at rest after {REST_SECONDS:g} s: {left}")
    _stopped_in_order(round_, await stage.bow())
    round_.problems += field_.problems
    round_.missed = len(field_.missed)
    round_.steps = watch.finished_steps
    run = Run(
        seed=round_.seed,
        started_at=started,
        ended_at=ended,
        quiescent=not left,
        strategies=_asked(lanes),
        heard=field_.client.heard,
        automatic_at_once=AUTOMATIC_AT_ONCE,
        details={"problems": round_.problems, "missed": field_.missed},
    )
    round_.faults += device_faults(stage.home.root / "devices" / "journal.jsonl")
    await collect(
        kafka=stage.bootstrap,
        dsn=stage.dsn,
        prefix="belay.",
        home=stage.home.root,
        target=round_.folder,
        run=run,
        faults=round_.faults,
        ends=[end for process in stage.processes for end in process.ends],
    )


def _lanes(round_: Round, field_: Field, sizes: Sequence[int], stop: asyncio.Event) -> list[Lane]:
    devices = Devices(field_.stage.home.root)
    return [
        Lane(
            name=f"lane{n}",
            sites=size,
            random=Random(f"{round_.seed}/{n}"),  # noqa: S311
            client=field_.client,
            watch=field_.watch,
            devices=devices,
            stop=stop,
            strands=of_lane(n, len(sizes)),
        )
        for n, size in enumerate(sizes)
    ]


def _asked(lanes: Sequence[Lane]) -> tuple[Asked, ...]:
    return tuple(asked for lane in lanes for asked in lane.asked)


def _stopped_in_order(round_: Round, took: dict[str, float | None]) -> None:
    for name, seconds in took.items():
        if seconds is None:
            round_.problems.append(f"{name} did not end on SIGTERM")


def device_faults(journal: Path) -> list[Fault]:
    """What devices did wrong by their releases' chances, as their journal tells."""
    lines = [orjson.loads(line) for line in journal.read_bytes().splitlines()] if journal.exists() else []
    return [
        Fault(
            kind=DEVICE_KINDS[line["fate"]],
            target=line["site"],
            at=datetime.fromisoformat(line["at"]),
            details={"order": line["order"]},
        )
        for line in lines
        if line.get("fate") in DEVICE_KINDS
    ]
