"""`python -m tests.hands.applications`: the life of an application line by line, on real sites, and under `kill -9`.

Upload; apply; update to a release with fewer and to one with more components; update back, which must be a rollback; a
failure in upload, in the download, in apply and in rollback; remove; delete. Sites run Datasette as the demo does, or a
small program (`--quick`), or public charts in a real control plane (`--helm`). Then so many updates to and fro, while
the deployer is killed at random (`--updates`): nothing may be left behind, or be there twice. Prints a table of lines;
exit status 0 when each held.
"""

from __future__ import annotations

import argparse
import gzip
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml
from rich.console import Console
from rich.table import Table

from services.cli.client import Client, ProblemError
from services.cli.nouns.bundle import build_one
from shared.embedded import process
from shared.embedded.home import Home
from tests.hands.datasette import DatasetteHand
from tests.hands.fleet import Fleet
from tests.hands.hand import BROKEN, Hand
from tests.hands.process import ProcessHand
from tests.hands.public_charts import PublicChartsHand
from tests.support.patience import stretched
from tests.support.reaping import reaped
from tests.support.system import running

BASE, FEWER, MORE = "1.0.0", "2.0.0", "2.1.0"
LOST = "2.2.0"
"""A release whose content is gone when it is wanted."""
EXTRA = {BASE: ("reports",), FEWER: (), MORE: ("reports", "search"), BROKEN: (), LOST: ()}
"""Components beside `web`, by release: devices that only pretend, or what the hand has for that."""
console = Console(width=None if sys.stdout.isatty() else 140, highlight=False, markup=False)


class Wrong(Exception):
    """It is not as it must be."""


class NotTried(Exception):
    """It cannot be tried on this driver."""


def must(holds: object, otherwise: object) -> None:
    """Raises Wrong."""
    if not holds:
        raise Wrong(str(otherwise)[:600])


@dataclass
class Life:
    """One application on a few sites; each line finds it as the one before left it."""

    client: Client
    home: Home
    hand: Hand
    sites: list[str]
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def site(self) -> str:
        return self.sites[0]

    def bundle(self, version: str) -> Path:
        """A bundle of the hand's component, with devices beside it."""
        folder = self.hand.release(version)
        manifest = yaml.safe_load((folder / "bundle.yaml").read_text())
        manifest["components"] += [self.hand.beside(name, folder) for name in EXTRA[version]]
        (folder / "bundle.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
        (self.home.root / "bundles").mkdir(exist_ok=True)
        return build_one(folder, self.home.root / "bundles", self.home.root).path

    def begin(self, kind: str, site: str = "", **order: Any) -> str:
        body = {"site": site or self.site, "app": self.hand.app, "kind": kind, **order}
        return str(self.client.command("POST", "/v1/operations", body)["command_id"])

    def end(self, operation: str, seconds: float = 300, every: float = 0.1) -> dict[str, Any]:
        until = time.monotonic() + stretched(seconds)
        while (found := self._found(operation))["state"] not in ("succeeded", "failed"):
            must(time.monotonic() < until, f"{operation} is {found} after {seconds:g} s")
            time.sleep(every)
        return found

    def _found(self, operation: str) -> dict[str, Any]:
        try:
            return self.client.get(f"/v1/operations/{operation}")
        except ProblemError:  # accepted, and not shown yet
            return {"state": "queued"}

    def do(self, kind: str, **order: Any) -> dict[str, Any]:
        """An operation that must succeed."""
        ended = self.end(self.begin(kind, **order))
        must(ended["state"] == "succeeded", f"{kind} {order}: {ended['cause']}")
        self.seconds.setdefault(kind, []).append(ended["seconds"])
        return ended

    def fails(self, kind: str, **order: Any) -> dict[str, Any]:
        """An operation that must fail, and leave the site as it was."""
        before = self.deployment()
        ended = self.end(self.begin(kind, **order))
        must(ended["state"] == "failed", f"{kind} {order} is {ended['state']}")
        must(ended["recovered"], f"{kind} {order} was not recovered: {ended['cause']}")
        now = self.deployment()
        must((now["version"], now["status"]) == (before["version"], before["status"]), f"{before} became {now}")
        must(self.hand.runs(self.site) == before["version"], f"{self.hand.runs(self.site)} runs")
        return ended

    def deployment(self, site: str = "") -> dict[str, Any]:
        return self.client.get(f"/v1/deployments/{site or self.site}/{self.hand.app}")

    def runs(self, version: str | None) -> None:
        found = self.hand.runs(self.site)
        must(found == version, f"the site itself says {found}, not {version}")


def actions(operation: dict[str, Any]) -> dict[str, str]:
    return {way["component"]: way["action"] for way in operation["plan"]}


# -- the lines ----------------------------------------------------------------------------------------------------


def upload(life: Life) -> str:
    fleet = Fleet(life.client, life.home, [life.hand], len(life.sites))
    for version in EXTRA:
        fleet.take(life.bundle(version))
    return f"{len(EXTRA)} releases are available"


def apply(life: Life) -> str:
    ended = life.do("apply", version=BASE)
    life.runs(BASE)
    return f"{ended['seconds']:.1f} s"


def update_to_fewer(life: Life) -> str:
    ended = life.do("update", version=FEWER)
    must(actions(ended)["reports"] == "remove", ended["plan"])
    life.runs(FEWER)
    return f"`reports` was removed, {ended['seconds']:.1f} s"


def update_back(life: Life) -> str:
    ended = life.do("update", version=BASE)
    must(actions(ended)["web"] == "rollback", ended["plan"])
    life.runs(BASE)
    return f"web: {next(w['reason'] for w in ended['plan'] if w['component'] == 'web')}"


def update_to_more(life: Life) -> str:
    ended = life.do("update", version=MORE)
    must(actions(ended)["search"] == "apply", ended["plan"])
    life.runs(MORE)
    return f"{len(ended['plan'])} components, {ended['seconds']:.1f} s"


def nothing_to_change(life: Life) -> str:
    refusal = ""
    try:
        life.begin("update", version=MORE)
    except ProblemError as error:
        refusal = error.code
    must(refusal == "already_current", refusal or "it was taken")
    taken = []
    for _ in range(7):
        began = time.monotonic()
        ended = life.end(life.begin("apply", version=MORE, only_changes=True), every=0.01)
        taken.append(time.monotonic() - began)
        must(set(actions(ended).values()) == {"keep"}, ended["plan"])
    taken.sort()
    must(taken[len(taken) // 2] <= stretched(0.3), taken)
    return f"{taken[0]:.2f} to {taken[-1]:.2f} s from the command to its end, mostly {taken[len(taken) // 2]:.2f}"


def failing_upload(life: Life) -> str:
    file = life.home.root / "bundles" / "broken.tar.gz"
    file.write_bytes(gzip.compress(b"this is no bundle"))
    publication = life.client.upload(file)["command_id"]
    ended = life.fails("update", publication=publication)
    must(ended["cause"]["code"] == "upload_failed", ended["cause"])
    return str(ended["cause"]["message"])[:80]


def failing_download(life: Life) -> str:
    sha256 = life.client.get(f"/v1/releases/{life.hand.app}/{LOST}")["bundle_sha256"]
    (found,) = [path for path in life.home.root.rglob(f"*{sha256}*") if path.is_file()] or [None]
    must(found, f"the content {sha256} lies nowhere")
    assert found
    kept = found.rename(life.home.root / "kept")
    try:
        ended = life.fails("update", version=LOST, timeout_seconds=60)
    finally:
        kept.rename(found)
    return f"{ended['cause']['code']}: {ended['cause']['message']}"[:80]


def failing_apply(life: Life) -> str:
    ended = life.fails("update", version=BROKEN)
    return f"{ended['cause']['code']}; {len(ended['last_lines'])} last lines kept"


def left_where_it_is(life: Life) -> str:
    ended = life.end(life.begin("update", version=BROKEN, recover="never"))
    must(ended["recovered"] is False, ended)
    must(life.deployment()["status"] == "update_error", life.deployment())
    life.do("recover")
    life.runs(MORE)
    return "update_error; `recover` led out of it"


def failing_rollback(life: Life) -> str:
    spoilt = life.hand.spoil(life.home.root, life.site, BASE)
    if spoilt is None:
        raise NotTried("nobody knows how to spoil what this driver left")
    ended = life.fails("rollback", version=BASE)
    return f"{ended['cause']['code']} with {spoilt} spoilt"


def remove(life: Life) -> str:
    life.do("remove")
    life.runs(None)
    return "nothing runs"


def delete(life: Life) -> str:
    path = f"/v1/releases/{life.hand.app}/{LOST}"
    life.client.command("DELETE", path)
    until = time.monotonic() + stretched(30)
    while time.monotonic() < until:
        try:
            life.client.get(path)
        except ProblemError:
            return "gone, and its version is free again"
        time.sleep(0.2)
    raise Wrong(f"{path} is still there")


LINES: tuple[Callable[[Life], str], ...] = (
    upload, apply, update_to_fewer, update_back, update_to_more, nothing_to_change, failing_upload, failing_download,
    failing_apply, left_where_it_is, failing_rollback, remove, delete,
)  # fmt: skip


# -- under fire ---------------------------------------------------------------------------------------------------


@dataclass
class Killer:
    """Kills the deployer again and again, until `over`."""

    home: Home
    dice: random.Random
    longest: float
    kills: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        joined = 0
        while not self.over.wait(0.2):
            if self._joined() == joined:  # it is not back yet: killed while it starts, it would come to nothing
                continue
            joined = self._joined()
            if not self.over.wait(self.dice.uniform(0.1, stretched(self.longest))):
                self._kill()

    def _kill(self) -> None:
        with suppress(KeyError, psutil.NoSuchProcess):
            process.recorded(self.home)["deployer-1"].kill()
            self.kills += 1

    def _joined(self) -> int:
        """How often it was ready for work."""
        return (self.home.logs / "deployer-1.log").read_text().count("runner_joined")


def under_fire(life: Life, updates: int, seed: int, longest: float) -> str:
    """So many updates over all sites, to and fro, while the deployer is killed; each must end as without."""
    operations = [life.do("apply", site=site, version=BASE) for site in life.sites]
    killer = Killer(life.home, random.Random(seed), longest)  # noqa: S311 - no secret
    thread = threading.Thread(target=killer.run, daemon=True)
    thread.start()
    done, wrong, version = 0, [], BASE
    try:
        while done < updates and not wrong:
            version = FEWER if version == BASE else BASE
            begun = {site: life.begin("update", site=site, version=version) for site in life.sites}
            for site, operation in begun.items():
                operations.append(ended := life.end(operation))
                if ended["state"] != "succeeded" or life.hand.runs(site) != version:
                    wrong.append(f"{site}: {ended['state']} {ended['cause']}, {life.hand.runs(site)} runs")
                done += 1
            console.print(f"  {done} updates, {killer.kills} kills")
    finally:
        killer.over.set()
        thread.join()
    must(not wrong, "; ".join(wrong))
    wrong = [*life.hand.left_behind(life.home.root, life.sites), *life.hand.doubled(operations)]
    must(not wrong, "; ".join(wrong))
    return f"{done} updates and {killer.kills} kills; every site runs {version}, nothing half-made is left"


def main() -> None:
    """Exit status 0 when every line held."""
    parser = argparse.ArgumentParser(prog="python -m tests.hands.applications", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small program in place of Datasette")
    parser.add_argument("--helm", action="store_true", help="public charts in a real control plane")
    parser.add_argument("--sites", type=int, default=4)
    parser.add_argument("--updates", type=int, default=200, help="under fire; 0 = none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--longest", type=float, default=10.0, help="most seconds of work before a kill, on a quiet machine"
    )
    parser.add_argument("--logs", type=Path, help="copy the logs of all processes to this folder")
    asked = parser.parse_args()
    kind: type[Hand] = PublicChartsHand if asked.helm else ProcessHand if asked.quick else DatasetteHand
    if why := kind.missing():
        raise SystemExit(why)
    with tempfile.TemporaryDirectory(prefix="belay-hands-") as folder, reaped(Path(folder)), ExitStack() as closing:
        (own := Path(folder) / kind.driver).mkdir()
        sys.exit(play(kind(own, closing), Path(folder) / "home", asked))


def play(hand: Hand, home: Path, asked: argparse.Namespace) -> int:
    """Every line, then the kills; how many did not hold."""
    told: list[tuple[str, bool | None, str]] = []
    with running(home, BELAY_LEASE_SECONDS="2", **hand.environment) as system, system.client() as client:
        for name, value in hand.secrets.items():
            client.command("PUT", f"/v1/secrets/{name}", {"value": value})
        sites = [{**each, "connections": {**each["connections"], "simulated": {}}} for each in hand.sites(asked.sites)]
        client.command("POST", "/v1/sites", {"sites": sites})
        life = Life(client, system.home, hand, hand.names(asked.sites))
        lines = [(line.__name__.replace("_", " "), line) for line in LINES]
        if asked.updates:
            lines.append(("killed at random", lambda each: under_fire(each, asked.updates, asked.seed, asked.longest)))
        for name, line in lines:
            told.append(_held(name, line, life))
            console.print(f"{WORDS[told[-1][1]]:9}  {name}: {told[-1][2]}")
        if asked.logs:
            shutil.copytree(system.home.logs, asked.logs, dirs_exist_ok=True)
    return _show(told)


def _held(name: str, line: Callable[[Life], str], life: Life) -> tuple[str, bool | None, str]:
    try:
        return name, True, line(life)
    except NotTried as why:
        return name, None, str(why)
    except (Wrong, ProblemError) as error:
        return name, False, str(error)


WORDS = {True: "held", False: "WRONG", None: "not tried"}


def _show(told: Sequence[tuple[str, bool | None, str]]) -> int:
    table = Table("line", "held", "what was seen")
    for name, held, seen in told:
        table.add_row(name, WORDS[held], seen)
    console.print(table)
    return sum(held is False for _, held, _ in told)


if __name__ == "__main__":
    main()
