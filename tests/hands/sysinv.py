"""`python -m tests.hands.sysinv /path/to/system`: the command line of StarlingX's System Inventory drives a Belay of
its own through the door, with a simulated site. Each of its answers is looked at.

It is in no registry: build it from the source of StarlingX's cgts-client.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from tests.hands.command_line import CommandLine, check, console
from tests.support.bundles import bundle
from tests.support.system import System, running

APP, SITE = "shop", "site-1"
PATIENCE = 60.0
MANIFEST = """\
app: {app}
version: "{version}"
components:
  - {{driver: simulated, name: web, seconds: [{seconds}, {seconds}], sites: {fates}}}
"""


class SystemShell(CommandLine):
    """Their command line."""

    def tells(self, words: str, *more: str) -> Mapping[str, str]:
        """The table of properties that it prints."""
        return dict(re.findall(r"^\| (\w+) +\| (.*?) +\|$", self.prints(words, *more), re.MULTILINE))

    def until(self, wanted: Callable[[Mapping[str, str]], bool]) -> Mapping[str, str]:
        """What it shows of the app, once that is so."""
        until = time.monotonic() + PATIENCE
        while not wanted(found := yaml.safe_load(self.prints(f"application-show {APP} --format yaml"))):
            check(time.monotonic() < until, f"{APP} still says {found}")
            time.sleep(0.2)
        return found


def status(word: str, version: str | None = None) -> Callable[[Mapping[str, str]], bool]:
    """Whether the app stands so."""
    return lambda app: app["status"] == word and version in (None, app["app_version"])


def main() -> None:
    """Exit status 0 only if all is as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.hands.sysinv", description=__doc__)
    parser.add_argument("program", help="the command line to try")
    program = parser.parse_args().program
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"BELAY_DOOR_SYSINV_PORT": str(port), "BELAY_DOOR_SYSINV_SITE": SITE}
    with tempfile.TemporaryDirectory(prefix="belay-door-") as folder, running(Path(folder), **settings) as system:
        system.register(SITE)
        door = SystemShell("system", program, f"http://127.0.0.1:{port}", system.token)
        files = _files(Path(folder))
        _upload(door, files)
        _apply(door)
        _override(door, Path(folder))
        _update(door, system, files)
        _take_away(door)
    console.print("all is as it must be")


def _files(folder: Path) -> dict[str, Path]:
    """Tarballs by their versions; the third one takes long."""
    found = {}
    for version, seconds, fates in (("1.0.0", 0, {}), ("2.0.0", 0, {}), ("3.0.0", 8, {}), ("4.0.0", 0, {SITE: "fail"})):
        manifest = MANIFEST.format(app=APP, version=version, seconds=seconds, fates=json.dumps(fates))
        found[version] = folder / f"{APP}-{version}.tgz"
        found[version].write_bytes(bundle({"bundle.yaml": manifest.encode()}))
    (folder / "broken.tgz").write_bytes(b"no tarball")
    return {**found, "broken": folder / "broken.tgz"}


def _upload(door: SystemShell, files: Mapping[str, Path]) -> None:
    check(APP not in door.prints("application-list"), "nothing is there yet")
    door.refuses(f"application-show {APP}", "not found")
    door.refuses(f"application-upload {files['broken']}", "failed to extract tar file")
    made = door.tells(f"application-upload {files['1.0.0']}")
    check((made["name"], made["app_version"], made["status"]) == (APP, "1.0.0", "uploading"), made)
    door.until(status("uploaded"))
    door.refuses(f"application-upload {files['1.0.0']}", f"application {APP} already exists")


def _apply(door: SystemShell) -> None:
    door.refuses(f"application-abort {APP}", "current status is uploaded")
    check(door.tells(f"application-apply {APP}")["status"] == "applying", "applied")
    door.until(status("applied"))
    check(f"| {APP} " in door.prints("application-list"), "listed")
    door.refuses(f"application-delete {APP}", "current status is applied")
    door.refuses("application-apply nothing", "application not found")


def _override(door: SystemShell, folder: Path) -> None:
    check("web" in door.prints(f"helm-override-list {APP} --long"), "charts")
    values = folder / "values.yaml"
    values.write_text("image: {tag: two}\n")
    door.refuses(f"helm-override-update {APP} db default", "not found")
    door.refuses(f"helm-override-update {APP} web default --set a=1,b=2", "multiple values")
    door.prints(f"helm-override-update {APP} web default --values {values} --set replicas=3")
    door.prints(f"helm-override-update {APP} web default --reuse-values --set debug=true --reapply")
    shown = door.prints(f"helm-override-show {APP} web default")
    check(all(word in shown for word in ("tag: two", "replicas: 3", "debug: true")), shown)
    door.until(status("applied"))
    door.prints(f"helm-chart-attribute-modify {APP} web default --enabled true")
    door.prints(f"helm-override-delete {APP} web default")
    check("replicas" not in door.prints(f"helm-override-show {APP} web default"), "overrides are gone")


def _update(door: SystemShell, system: System, files: Mapping[str, Path]) -> None:
    """Their command line does not send the file with an update: a release that was published by its name is meant."""
    door.refuses(f"application-update {files['2.0.0']}", "does not exist here")
    with system.client() as client:
        for version in ("2.0.0", "3.0.0", "4.0.0"):
            client.upload(files[version])
            system.until_published(APP, version)
    made = door.tells(f"application-update {files['2.0.0']}")
    check((made["app_version"], made["status"]) == ("2.0.0", "updating"), made)
    done = door.until(status("applied", "2.0.0"))
    check("from version 1.0.0 to version 2.0.0 completed." in done["progress"], done)
    door.refuses(f"application-update {files['2.0.0']}", "the version 2.0.0 is already applied")
    door.prints(f"application-update {files['1.0.0']}")
    door.until(status("applied", "1.0.0"))
    door.prints(f"application-update {files['3.0.0']}")
    door.until(status("updating", "3.0.0"))
    door.prints(f"application-abort {APP}")
    aborted = door.until(status("applied", "1.0.0"))
    check("aborted. Application recover to version 1.0.0 completed." in aborted["progress"], aborted)
    door.prints(f"application-update {files['4.0.0']}")
    failed = door.until(status("applied", "1.0.0"))
    check("from version 1.0.0 to version 4.0.0 aborted." in failed["progress"], failed)


def _take_away(door: SystemShell) -> None:
    check(door.tells(f"application-remove {APP}")["status"] == "removing", "removed")
    door.until(status("uploaded"))
    door.prints(f"application-delete {APP}")
    door.refuses(f"application-show {APP}", "not found")


if __name__ == "__main__":
    sys.exit(main())
