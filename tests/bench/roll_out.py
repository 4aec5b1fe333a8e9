"""One strategy from its release to its end, over HTTP, with what it took and what it cost."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.cli.client import ProblemError
from shared import bundle
from shared.messages.strategy import BATCH
from tests.bench import costs
from tests.bench.rig import Rig, wait

APP = "bench"
LONGEST_SECONDS = 1_200.0
NOT_YET = {"unknown_app", "unknown_release", "site_held", "unknown_strategy"}
"""What an owner says who has not heard yet of what another one knows: then the same is asked again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to roll out: over the sites registered as a fleet of `sites`, `parallel` at once, in equal stages."""

    sites: int
    parallel: int = 1_000
    stages: int = 1
    seconds: tuple[float, float] = (0, 0)


@dataclass(frozen=True, slots=True)
class Run:
    """How it went. `planned` and `took` are seconds between Belay's own events; times are epoch seconds."""

    name: str
    sites: int
    planned: float
    started_at: float
    finished_at: float
    cost: costs.Cost

    @property
    def took(self) -> float:
        """From start to finish."""
        return self.finished_at - self.started_at

    @property
    def rate(self) -> float:
        """Steps a second."""
        return self.sites / self.took


def register(rig: Rig, sites: int) -> None:
    """Sites under a label that says how many they are, once."""
    if sites in rig.registered:
        return
    names = [f"s{sites}-{number:06}" for number in range(sites)]
    for start in range(0, sites, BATCH):
        batch = [
            {"name": name, "driver": "simulated", "labels": {"of": str(sites)}} for name in names[start : start + BATCH]
        ]
        rig.client.command("POST", "/v1/sites", {"sites": batch})
    rig.registered.add(sites)


def publish(rig: Rig, seconds: tuple[float, float]) -> str:
    """A new release of one simulated component whose devices take so long; returns its version."""
    rig.releases += 1
    version = str(rig.releases)
    folder = rig.work / version
    folder.mkdir()
    component = f"  - driver: simulated\n    name: lamp\n    seconds: [{seconds[0]}, {seconds[1]}]\n"
    (folder / "bundle.yaml").write_text(f"app: {APP}\nversion: '{version}'\ncomponents:\n{component}")
    built = bundle.build(folder, rig.work / f"{version}.tar.gz", rig.work)
    rig.client.upload(built.path)
    wait(lambda: found(rig, f"/v1/releases/{APP}/{version}"))
    return version


def found(rig: Rig, path: str) -> dict[str, Any] | None:
    """What stands there, None while nothing does."""
    try:
        return rig.client.get(path)
    except ProblemError as problem:
        if problem.status == 404:
            return None
        raise


def create(rig: Rig, wanted: Wanted) -> tuple[str, float]:
    """A strategy that is ready to be applied.

    Returns its name, and the seconds from the command that was accepted being sent to the plan being shown in full.
    """
    register(rig, wanted.sites)
    version = publish(rig, wanted.seconds)
    spec = {
        "name": f"roll-{version}",
        "type": "apply",
        "app": APP,
        "version": version,
        "max_parallel": wanted.parallel,
        "force": True,
        "selection": {"labels": {"of": str(wanted.sites)}},
        "stages": _stages(wanted),
    }
    rig.settle()
    sent = wait(lambda: _sent(rig, "/v1/strategies", spec))
    wait(lambda: _planned(rig, f"roll-{version}", wanted.sites), every=0.02)
    return f"roll-{version}", time.perf_counter() - sent


def _stages(wanted: Wanted) -> list[dict[str, Any]]:
    if wanted.stages == 1:
        return [{"name": "all"}]
    take = wanted.sites // wanted.stages
    return [{"name": f"wave-{number:03}", "take": take} for number in range(wanted.stages)]


def _sent(rig: Rig, path: str, body: dict[str, Any]) -> float | None:
    """When a command was sent that was accepted; None when its owner did not know enough yet."""
    sent = time.perf_counter()
    try:
        rig.client.command("POST", path, body)
        return sent
    except ProblemError as problem:
        if problem.code in NOT_YET:
            return None
        raise


def _planned(rig: Rig, name: str, sites: int) -> bool:
    """Whether the gateway shows the strategy as ready, with every site waiting."""
    strategy = found(rig, f"/v1/strategies/{name}")
    return bool(strategy and strategy["state"] == "ready" and strategy["counts"]["waiting"] == sites)


def apply(rig: Rig, name: str) -> None:
    """Start it."""
    wait(lambda: _sent(rig, f"/v1/strategies/{name}/apply", {}))


def ended(rig: Rig, name: str) -> dict[str, Any] | None:
    """The strategy once it has ended."""
    strategy = rig.client.get(f"/v1/strategies/{name}")
    return strategy if strategy["finished_at"] else None


def roll_out(rig: Rig, wanted: Wanted) -> Run:
    """Create, apply, and wait until it has ended and everyone has handled all of it.

    The cost is that from before the start until then; peak memory is that from before the release on.
    Raises RuntimeError unless every site is complete.
    """
    with costs.peaks(rig.home) as peak:
        name, planned = create(rig, wanted)
        rig.settle()
        rig.await_quiet()
        before = rig.read()
        apply(rig, name)
        strategy = wait(lambda: ended(rig, name), LONGEST_SECONDS, every=0.5 if wanted.seconds[1] else 0.2)
        rig.settle()
        after = rig.read()
    if strategy["state"] != "complete" or strategy["counts"]["complete"] != wanted.sites:
        raise RuntimeError(f"strategy {name} ended as {strategy['state']}: {strategy['counts']}")
    began, finished = epoch(strategy["started_at"]), epoch(strategy["finished_at"])
    return Run(name, wanted.sites, planned, began, finished, costs.between(before, after, peak, wanted.sites))


def epoch(text: str) -> float:
    """Epoch seconds of a time as the API gives it."""
    return datetime.fromisoformat(text).timestamp()
