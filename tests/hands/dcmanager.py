"""`python -m tests.hands.dcmanager /path/to/dcmanager`: the command line of StarlingX's distributed cloud drives a
Belay of its own through the door, with simulated sites. Each of its answers is looked at.

It is in no registry: build it from the source of StarlingX's distcloud-client.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hands.command_line import CommandLine, check, console
from tests.support.system import System, running

APP, CLOUDS = "platform", [f"subcloud{number}" for number in range(1, 5)]
PASSWORD = "Li69nux*"
PATIENCE = 60.0


class Dcmanager(CommandLine):
    """Their command line."""

    def says(self, words: str, *more: str) -> Any:
        """What it prints, as JSON; a command that fails ends the program."""
        return json.loads(self.prints(words, *more, "-f", "json"))

    def until(self, words: str, wanted: Callable[[Any], bool]) -> Any:
        """What it prints, once that is so."""
        until = time.monotonic() + PATIENCE
        while not wanted(found := self.says(words)):
            check(time.monotonic() < until, f"dcmanager {words} still says {found}")
            time.sleep(0.2)
        return found


def main() -> None:
    """Exit status 0 only if all is as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.hands.dcmanager", description=__doc__)
    parser.add_argument("program", help="the command line to try")
    program = parser.parse_args().program
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"BELAY_DOOR_DCMANAGER_PORT": str(port), "BELAY_DOOR_DCMANAGER_APP": APP}
    with tempfile.TemporaryDirectory(prefix="belay-door-") as folder, running(Path(folder), **settings) as system:
        _prepare(system)
        door = Dcmanager("dcmanager", program, f"http://127.0.0.1:{port}", system.token)
        _look(door)
        _prestage(door)
        _deploy(door)
        _change(door)
    console.print("all is as it must be")


def _prepare(system: System) -> None:
    with system.client() as client:
        for version, seconds in (("1.0.0", 0), ("2.0.0", 8)):  # an abort is to come before the end
            client.upload(system.bundle(APP, version, (seconds, seconds)))
        _until(lambda: len(client.get("/v1/releases")["items"]) == 2, "releases are not published")
        system.register(*CLOUDS)
        spec = {"name": "first", "type": "apply", "app": APP, "version": "1.0.0", "selection": {"all": True}}
        client.command("POST", "/v1/strategies", spec)
        client.command("POST", "/v1/strategies/first/apply")
        _until(lambda: client.get("/v1/strategies/first")["state"] == "complete", "the first release is not there")
        client.command("DELETE", "/v1/strategies/first")


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        check(time.monotonic() < until, otherwise)
        time.sleep(0.1)


def _look(door: Dcmanager) -> None:
    listed = door.says("subcloud list")
    check([(one["id"], one["name"]) for one in listed] == list(enumerate(CLOUDS, 1)), listed)
    check({one["sync"] for one in listed} == {"out-of-sync"}, listed)
    check(door.says("subcloud show subcloud1")["software_version"] == "1.0.0", "the release that runs")
    check([group["name"] for group in door.says("subcloud-group list")] == ["Default"], "groups")
    door.says("alarm summary")
    door.says("strategy-config list")
    door.refuses("prestage-strategy show", "Strategy of type 'prestage' not found")


def _prestage(door: Dcmanager) -> None:
    create = f"prestage-strategy create --sysadmin-password {PASSWORD} --release 2.0 --max-parallel-subclouds 2 --force"
    made = door.says(create)
    check((made["state"], made["prestage software version"]) == ("initial", "2.0.0"), made)
    door.refuses(create, "Strategy of type: 'prestage' already exists")
    check(door.says("prestage-strategy apply --yes")["state"] == "applying", "applied")
    door.until("prestage-strategy show", lambda strategy: strategy["state"] == "complete")
    steps = door.says("strategy-step list")
    check({(step["stage"], step["state"]) for step in steps} == {("Complete", "complete")}, steps)
    check({one["prestage status"] for one in door.says("subcloud list")} == {"complete"}, "what lies there")
    check(door.says("prestage-strategy delete --yes")["state"] == "deleting", "deleted")
    one = door.says(f"subcloud prestage subcloud4 --sysadmin-password {PASSWORD} --release 2.0.0")
    check(one["prestage_software_version"] == "2.0.0", one)
    door.until("subcloud show subcloud4", lambda cloud: cloud["prestage_status"] == "complete")


def _deploy(door: Dcmanager) -> None:
    door.says(f"sw-deploy-strategy create --release-id {APP}-2.0.0 --subcloud-apply-type serial --stop-on-failure")
    door.refuses("sw-deploy-strategy abort", "Strategy in state initial cannot be aborted")
    door.says("sw-deploy-strategy apply --yes")
    door.until("strategy-step list", lambda steps: any(step["stage"] == "Apply" for step in steps))
    check(door.says("sw-deploy-strategy abort")["state"] == "abort requested", "aborted")
    door.until("sw-deploy-strategy show", lambda strategy: strategy["state"] == "aborted")
    states = [step["state"] for step in door.says("strategy-step list")]
    check({"complete", "aborted"} == set(states), states)
    door.says("strategy-step show subcloud1")
    door.says("sw-deploy-strategy delete --yes")
    door.refuses("sw-deploy-strategy create --release-id 9.9.9", "not found")


def _change(door: Dcmanager) -> None:
    made = door.says("subcloud-group add --name north --update_apply_type serial")
    check((made["id"], made["max parallel subclouds"]) == (2, 2), made)
    changed = door.says("subcloud update subcloud1 --location Oslo --group north --description", "first of all")
    check((changed["location"], changed["description"], changed["group_id"]) == ("Oslo", "first of all", 2), changed)
    check([one["name"] for one in door.says("subcloud-group list-subclouds north")] == ["subcloud1"], "members")
    door.refuses("subcloud delete subcloud1 --yes", "must be unmanaged")
    check(door.says("subcloud unmanage subcloud1")["management"] == "unmanaged", "unmanaged")
    door.refuses(f"subcloud prestage subcloud1 --sysadmin-password {PASSWORD}", "not managed")
    check(door.run("subcloud delete subcloud1 --yes").returncode == 0, "a subcloud is deleted")
    check(door.run("subcloud-group delete north --yes").returncode == 0, "a group is deleted")
    door.refuses(f"subcloud-backup create --subcloud subcloud2 --sysadmin-password {PASSWORD}", "not offered")


if __name__ == "__main__":
    sys.exit(main())
