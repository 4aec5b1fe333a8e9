"""`python -m tests.hands.prestage`: prestage orchestration line by line, on real things and on many simulated sites.

The lines are those by which orchestrated prestaging was once accepted elsewhere (create, get, apply, abort, delete; one
site or a group; serial or parallel; who takes part; what is refused; what becomes of it when its owner is killed), and
what Belay promises beyond: prepared once, sent once, nothing sent by the update that follows. Prints a table of the
lines with what was measured; exit status 0 when each held.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from services.cli.client import Client, ProblemError
from tests.hands.fleet import REST, Fleet
from tests.hands.hand import GOOD, Hand
from tests.hands.table import chosen, opened
from tests.support.bundles import bundle, written
from tests.support.patience import stretched
from tests.support.reaping import reaped
from tests.support.system import System, running

FIRST, SECOND = GOOD
LAMP = "lamp"
"""The app of the simulated sites."""
SLOW = "3.0.0"
"""Its release that takes seconds to send."""
console = Console(width=None if sys.stdout.isatty() else 140, highlight=False, markup=False)


class Wrong(Exception):
    """It is not as it must be."""


def must(holds: object, otherwise: object) -> None:
    """Raises Wrong."""
    if not holds:
        raise Wrong(str(otherwise)[:500])


@dataclass
class Plan:
    """A fleet of which each line may ask and change what it likes, as long as the next finds it at rest."""

    system: System
    client: Client
    fleet: Fleet
    hands: Sequence[Hand]
    simulated: int
    number: int = 0
    cold: dict[str, int] = field(default_factory=dict)
    """Bytes that the first prestage sent, by driver."""

    def lamps(self, count: int) -> list[str]:
        return [f"lamp-{n}" for n in range(1, count + 1)]

    def create(self, sites: Sequence[str], version: str, kind: str = "prestage", app: str = LAMP, **more: Any) -> str:
        """A strategy that is planned; its id. Raises ProblemError."""
        self.number += 1
        order = {
            "name": f"plan-{self.number}",
            "type": kind,
            "app": app,
            "version": version,
            "step_timeout_seconds": 600,
        }
        order |= {"selection": {"sites": list(sites)}, "max_parallel": 50, **more}
        return str(self.client.command("POST", "/v1/strategies", order)["command_id"])

    def does(self, identifier: str, action: str, **more: Any) -> None:
        self.client.command("POST", f"/v1/strategies/{identifier}/{action}", more)

    def rolls(self, *given: Any, **more: Any) -> dict[str, Any]:
        """A strategy from its creation to its end."""
        identifier = self.create(*given, **more)
        self.does(identifier, "apply")
        return dict(self.fleet.end(identifier))

    def until(self, identifier: str, holds: Callable[[dict[str, Any]], bool], seconds: float = 120) -> dict[str, Any]:
        until = time.monotonic() + stretched(seconds)
        while not holds(strategy := self.client.get(f"/v1/strategies/{identifier}")):
            must(time.monotonic() < until, f"{strategy['state']}: {strategy['why']}")
            time.sleep(0.05)
        return strategy

    def sent(self, identifier: str) -> int:
        """Bytes that the operations of a strategy sent to their sites."""
        return sum(operation["fetched_bytes"] for operation in self.fleet.operations(identifier))

    def refused(self, work: Callable[[], object]) -> str:
        """Why it was: code and sentence."""
        try:
            done = work()
        except ProblemError as problem:
            return str(problem)
        raise Wrong(f"it was taken: {done}")


def cold(plan: Plan) -> str:
    """Create, get, apply: sites get what the next release needs, and go on as before"""
    told = []
    for hand in plan.hands:
        sites = hand.names(plan.fleet.count)
        identifier = plan.create(sites, SECOND, app=hand.app)
        must(plan.client.get(f"/v1/strategies/{identifier}")["state"] == "ready", "it is not ready")
        plan.does(identifier, "apply")
        strategy = plan.fleet.end(identifier)
        causes = [operation["cause"] for operation in plan.fleet.operations(identifier)]
        must(strategy["state"] == "complete", f"{hand.driver}: {strategy['why']} {causes}")
        must({hand.runs(site) for site in sites} == {FIRST}, "another release runs")
        plan.cold[hand.driver] = plan.sent(identifier)
        must(plan.cold[hand.driver] > 0, f"{hand.driver}: nothing was sent")
        told.append(f"{hand.driver} {plan.cold[hand.driver]:,} bytes to {len(sites)} sites")
    return "; ".join(told)


def warm(plan: Plan) -> str:
    """The same again: prepared once, nothing is sent"""
    for hand in plan.hands:
        before = plan.client.get(f"/v1/releases/{hand.app}/{SECOND}")["preparation"]
        strategy = plan.rolls(hand.names(plan.fleet.count), SECOND, app=hand.app)
        must(strategy["state"] == "complete", strategy["why"])
        must(plan.sent(strategy["strategy_id"]) == 0, f"{hand.driver}: {plan.sent(strategy['strategy_id'])} bytes")
        must(plan.client.get(f"/v1/releases/{hand.app}/{SECOND}")["preparation"] == before, "prepared again")
    return "0 bytes; the preparation is the first one"


def listed(plan: Plan) -> str:
    """What lies on a site is listed with age and size"""
    told = []
    for hand in plan.hands:
        items = plan.client.get(f"/v1/sites/{hand.names(1)[0]}/prestaged")["items"]
        must([item["version"] for item in items] == [SECOND], items)
        told.append(f"{hand.driver} {items[0]['bytes']:,} bytes")
    return "; ".join(told)


def updated(plan: Plan) -> str:
    """The update that follows sends nothing"""
    for hand in plan.hands:
        sites = hand.names(plan.fleet.count)
        strategy = plan.rolls(sites, SECOND, "update", hand.app)
        must(strategy["state"] == "complete", f"{hand.driver}: {strategy['why']}")
        must({hand.runs(site) for site in sites} == {SECOND}, "another release runs")
        must(plan.sent(strategy["strategy_id"]) == 0, f"{hand.driver}: {plan.sent(strategy['strategy_id'])} bytes")
    return f"0 bytes, {SECOND} runs everywhere"


def group(plan: Plan) -> str:
    """A group, serially: one site after the other"""
    plan.client.command("PATCH", "/v1/sites", {"selection": {"sites": plan.lamps(5)}, "group": "north"})
    strategy = plan.rolls([], SECOND, selection={"groups": ["north"]}, apply_type="serial")
    must(strategy["state"] == "complete" and strategy["counts"]["complete"] == 5, strategy["why"])
    return "5 of 5"


def left_out(plan: Plan) -> str:
    """Unmanaged sites, sites in maintenance, offline ones and those with alarms are left out; named alone, refused"""
    silent: dict[str, dict[str, Any]] = {
        "unmanaged": {"managed": False},
        "in_maintenance": {"maintenance": True},
        "offline": {"connections": {"simulated": {"online": False}}},
    }
    sites = dict(zip((*silent, "alarms_active"), plan.lamps(4), strict=True))
    for code, change in silent.items():
        plan.client.command("PATCH", "/v1/sites", {"selection": {"sites": [sites[code]]}, **change})
    raised = {"severity": "major", "management_affecting": True, "text": "fans"}
    plan.client.command("PUT", f"/v1/sites/{sites['alarms_active']}/alarms/fans", raised)
    until = time.monotonic() + stretched(60)
    while plan.client.get(f"/v1/sites/{sites['offline']}")["availability"] != "offline":
        must(time.monotonic() < until, "the site that is offline is not seen to be")
        time.sleep(0.2)
    for code, site in sites.items():
        why = plan.refused(lambda site=site: plan.create([site], SLOW))
        must(code in why or site in why, why)
    identifier = plan.create([], SLOW, selection={"groups": ["north"]})
    codes = {one["code"] for one in plan.client.get(f"/v1/strategies/{identifier}")["excluded"]}
    must(codes == set(sites), codes)
    plan.does(identifier, "abort")
    back = {"managed": True, "maintenance": False, "connections": {"simulated": {"online": True}}}
    plan.client.command("PATCH", "/v1/sites", {"selection": {"sites": plan.lamps(4)}, **back})
    plan.client.command("DELETE", f"/v1/sites/{sites['alarms_active']}/alarms/fans")
    while plan.client.get(f"/v1/sites/{sites['offline']}")["availability"] != "online":
        must(time.monotonic() < until + 60, "the site that is back is not seen to be")
        time.sleep(0.2)
    return ", ".join(sorted(codes))


def aborted(plan: Plan) -> str:
    """Abort: what runs ends, what waits is aborted; then it is deleted"""
    identifier = plan.create(plan.lamps(20), SLOW, max_parallel=3)
    plan.does(identifier, "apply")
    plan.until(identifier, lambda strategy: strategy["counts"]["running"] == 3)
    plan.does(identifier, "abort")
    strategy = plan.until(identifier, lambda strategy: strategy["state"] in REST)
    counts = strategy["counts"]
    must(strategy["state"] == "aborted" and counts["complete"] + counts["aborted"] == 20, strategy)
    plan.client.command("DELETE", f"/v1/strategies/{identifier}")
    return f"{counts['complete']} complete, {counts['aborted']} aborted"


def held(plan: Plan) -> str:
    """A single prestage is refused while a strategy holds its site; by hand it works afterwards"""
    identifier = plan.create(plan.lamps(2), SLOW, max_parallel=1)
    plan.does(identifier, "apply")
    plan.until(identifier, lambda strategy: strategy["counts"]["running"] == 1)
    order = {"site": plan.lamps(2)[1], "app": LAMP, "kind": "prestage", "version": SECOND}
    why = plan.refused(lambda: plan.client.command("POST", "/v1/operations", order))
    must("holds" in why, why)
    plan.does(identifier, "abort", now=True)
    plan.until(identifier, lambda strategy: strategy["state"] in REST)
    asked = plan.client.command("POST", "/v1/operations", order)["command_id"]
    until = time.monotonic() + stretched(60)
    while (operation := plan.client.get(f"/v1/operations/{asked}"))["state"] not in ("succeeded", "failed"):
        must(time.monotonic() < until, operation)
        time.sleep(0.1)
    must(operation["state"] == "succeeded", operation["cause"])
    return why[:120]


def killed(plan: Plan) -> str:
    """The deployer is killed in the middle: another goes on, and it ends as if nothing had happened"""
    identifier = plan.create(plan.lamps(30), SLOW, max_parallel=10)
    plan.does(identifier, "apply")
    plan.until(identifier, lambda strategy: strategy["counts"]["running"] == 10)
    for name in ("deployer-1", "catalog-1", "strategy_orchestrator-1"):
        plan.system.kill(name)
        time.sleep(1)
    strategy = plan.until(identifier, lambda strategy: strategy["state"] in REST, 300)
    must(strategy["state"] == "complete", strategy["why"])
    return "30 of 30, with deployer, catalog and orchestrator killed one after the other"


def parallel(plan: Plan) -> str:
    """Max parallel 1, 2, 50, 500, 5,000: never more at once, by the orchestrator's own counts"""
    told = []
    for most in (1, 2, 50, 500, 5_000):
        sites = plan.lamps(min(plan.simulated, max(20, most)))
        begun = time.monotonic()
        identifier = plan.create(sites, SECOND, max_parallel=most)
        plan.does(identifier, "apply")
        ran = _most_at_once(plan, identifier)
        must(ran <= most, f"{ran} ran at once, {most} may")
        told.append(f"{most}: {len(sites)} sites in {time.monotonic() - begun:.1f} s")
    return "; ".join(told)


def _most_at_once(plan: Plan, identifier: str) -> int:
    """Until the strategy is complete: how many sites ran at once, as it told."""
    seen: list[int] = []
    strategy = plan.until(identifier, lambda now: seen.append(now["counts"]["running"]) or now["state"] in REST, 600)
    must(strategy["state"] == "complete", strategy["why"])
    return max(seen)


LINES: tuple[Callable[[Plan], str], ...] = (
    cold, warm, listed, updated, group, left_out, aborted, held, killed, parallel,
)  # fmt: skip


def main() -> None:
    """Exit status 0 when each line held."""
    parser = argparse.ArgumentParser(prog="python -m tests.hands.prestage", description=__doc__)
    parser.add_argument("--drivers", default="process,ansible,container", help="of which drivers, by commas")
    parser.add_argument("--sites", type=int, default=3, help="sites of each driver")
    parser.add_argument("--simulated", type=int, default=5_000, help="sites that are only simulated")
    asked = parser.parse_args()
    kinds = chosen(asked.drivers)
    with tempfile.TemporaryDirectory(prefix="belay-prestage-") as folder, reaped(Path(folder)), ExitStack() as closing:
        hands = opened(kinds, Path(folder), closing)
        environment = {"BELAY_LEASE_SECONDS": "2", "BELAY_DEPLOYER_CHECK_SECONDS": "2"}
        environment |= {name: value for hand in hands for name, value in hand.environment.items()}
        system = closing.enter_context(running(Path(folder) / "home", deployers=2, **environment))
        client = closing.enter_context(system.client())
        plan = Plan(system, client, Fleet(client, system.home, hands, asked.sites), hands, asked.simulated)
        _set_up(plan)
        held = [_line(number, line, plan) for number, line in enumerate(LINES, 1)]
    sys.exit(0 if all(held) else 1)


def _set_up(plan: Plan) -> None:
    plan.fleet.register()
    plan.client.command("POST", "/v1/groups", {"name": "north", "max_parallel": "100%"})
    lamps = [{"name": name, "connections": {"simulated": {}}} for name in plan.lamps(plan.simulated)]
    for start in range(0, len(lamps), 500):
        plan.client.command("POST", "/v1/sites", {"sites": lamps[start : start + 500]})
    for number, version in enumerate((FIRST, SECOND, SLOW)):
        plan.fleet.take(written(_folder(plan, version), bundle({"bundle.yaml": _lamp(version, number)})))
    for hand in plan.hands:
        for version in GOOD:
            plan.fleet.publish(hand, version)
        plan.fleet.end(plan.fleet.roll_out(hand, "apply", FIRST))
    must(plan.rolls(plan.lamps(plan.simulated), FIRST, "apply", max_parallel=5_000)["state"] == "complete", "lamps")


def _folder(plan: Plan, version: str) -> Path:
    (folder := plan.system.home.root / f"{LAMP}-{version}").mkdir()
    return folder


def _lamp(version: str, seed: int) -> bytes:
    """A simulated release of 20 MB in packages and images; SLOW takes three seconds to send."""
    spec = {"seed": seed, "packages_bytes": 15_000_000, "images_bytes": 5_000_000}
    spec |= {"bytes_a_second": 20_000_000 // 3} if version == SLOW else {}
    component = {"driver": "simulated", "name": "bulb", "spec": spec}
    return yaml.safe_dump({"app": LAMP, "version": version, "components": [component]}).encode()


def _line(number: int, line: Callable[[Plan], str], plan: Plan) -> bool:
    title, begun = (line.__doc__ or "").strip(), time.monotonic()
    try:
        result, held = line(plan), True
    except (Wrong, ProblemError, AssertionError, LookupError) as error:
        result, held = f"NOT: {error!r}", False
    console.print(f"| {number} | {title} | {result} | {time.monotonic() - begun:.1f} s |", soft_wrap=True)
    return held


if __name__ == "__main__":
    main()
