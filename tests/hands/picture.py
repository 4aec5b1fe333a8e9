"""`python -m tests.hands.picture`: the README's picture of the page, taken anew during a roll-out over 216 sites.

Belay runs in a folder of its own with simulated sites; four of them fail and go back. The picture is taken once about
half of the sites have begun, with one that failed looked at.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from services.cli.client import Client
from shared.embedded.home import Home
from tests.hands.fleet import Fleet
from tests.support.browser import Page, browsing
from tests.support.bundles import bundle
from tests.support.reaping import reaped
from tests.support.system import System, running

PICTURE = Path(__file__).parents[2] / "services" / "web" / "screenshot.png"
WIDTH, HEIGHT = 1400, 900
TOWNS = {"north": ("bergen", "oslo", "tromso", "umea"), "south": ("athens", "bari", "malaga", "split")}
SITES = {f"{town}-{number}": group for group, towns in TOWNS.items() for number in range(1, 28) for town in towns}
BAD = ("umea-5", "oslo-19", "bari-9", "split-16")
SEEN = "oslo-19"
BEGUN = 96
"""The picture is taken when so many sites are complete."""
REASON = "Tax rules of December, everywhere by the 28th"
STAGES: list[dict[str, Any]] = [
    {"name": "canary", "take": 22, "max_parallel": 10, "soak_seconds": 2},
    {"name": "north", "groups": ["north"], "take": "30%", "max_parallel": 20},
    {"name": "everyone", "max_parallel": 26},
]
MANIFEST = """
app: shop
version: {version}
components:
  - {{name: web, driver: simulated, seconds: [{least}, {most}], sites: {{{bad}}}}}
"""


def main() -> None:
    """Overwrite the picture."""
    with tempfile.TemporaryDirectory(prefix="belay-picture-") as name, reaped(Path(name)):
        folder = Path(name)
        with running(folder / "home") as system, system.client() as client, browsing(folder / "browser") as page:
            _furnish(client, system.home)
            _take(system, client, page)


def _furnish(client: Client, home: Home) -> None:
    fleet = Fleet(client, home, [], 0)
    for group in TOWNS:
        client.command("POST", "/v1/groups", {"name": group, "max_parallel": "50%"})
    sites = [{"name": name, "group": group, "driver": "simulated"} for name, group in SITES.items()]
    client.command("POST", "/v1/sites", {"sites": sites})
    for version, least, most, bad in (("1.6.1", 0, 0, ()), ("1.6.2", 4, 9, BAD)):
        told = ", ".join(f"{site}: fail" for site in bad)
        text = MANIFEST.format(version=version, least=least, most=most, bad=told)
        file = home.root / f"shop-{version}.tar.gz"
        file.write_bytes(bundle({"bundle.yaml": text.encode()}))
        fleet.take(file)
    first = _plan(client, "shop-1.6.1", "apply", "1.6.1", max_parallel=200)
    _apply(client, first, "")
    fleet.end(first)


def _take(system: System, client: Client, page: Page) -> None:
    page.prefer("light")
    size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    page.go(f"{system.url}/#token={system.token}")
    page.see(".connection", "Live")
    policy = {"on_failure": {"threshold": "20%"}, "stages": STAGES}
    strategy = _plan(client, "shop-1.6.2-autumn", "update", "1.6.2", **policy)
    page.run("location.hash = arguments[0]", f"#/strategies/{strategy}")
    page.press("[data-name=list]")
    page.press(".link", SEEN)
    page.press("[data-name=board]")
    _apply(client, strategy, REASON)
    page.until(lambda _: page.figure("complete") >= BEGUN, f"{BEGUN} sites complete", patience=120)
    page.run("scrollTo(0, 0)")
    PICTURE.write_bytes(page.driver.get_screenshot_as_png())


def _plan(client: Client, name: str, kind: str, version: str, **more: Any) -> str:
    spec = {"name": name, "type": kind, "app": "shop", "version": version, "selection": {"all": True}}
    return str(client.command("POST", "/v1/strategies", {**spec, **more})["command_id"])


def _apply(client: Client, strategy: str, reason: str) -> None:
    client.command("POST", f"/v1/strategies/{strategy}/apply", {"reason": reason})


if __name__ == "__main__":
    main()
