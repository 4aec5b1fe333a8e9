"""What the recorded run does beside its strategies: overrides, publications, what goes by itself, a run over a site."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from services.cli.client import Client
from tests.faults.devices import Devices
from tests.support.bundles import bundle

AT_ONCE = 1
SETTINGS = {
    "BELAY_DEPLOYER_AUDIT_SECONDS": "1",
    "BELAY_DEPLOYER_AUTOMATIC_AT_ONCE": str(AT_ONCE),
    "BELAY_DEPLOYER_AUTOMATIC_PAUSE_SECONDS": "0.2",
    "BELAY_DEPLOYER_AUTOMATIC_AGAIN_SECONDS": "0.2",
    "BELAY_DEPLOYER_DELETION_SECONDS": "0.2",
    "BELAY_CATALOG_ALLOW_PRIVATE_SOURCES": "true",
    "BELAY_CATALOG_IMPORT_PATIENCE_SECONDS": "0",
}
SITES = ("own-1", "own-2")
APP, SET_AT = "cart", "site-2"
MANIFEST = """\
app: cart
version: "{version}"
components:
  - {{driver: simulated, name: web, seconds: [0.1, 0.2], fail: {fail}, values: {{port: 80, log: {{level: info}}}}}}
"""
NOWHERE = "https://127.0.0.1:1/cart.tar.gz"


class Strands:
    """The same each time. `heard` is what `Run` wants to know of commands."""

    def __init__(self, client: Client, home: Path, wait: Callable[[Callable[[], bool]], None]) -> None:
        self.client = client
        self.home = home
        self.wait = wait
        self.heard: dict[str, tuple[float, float]] = {}

    def play(self) -> dict[str, tuple[float, float]]:
        self.override()
        self.publications()
        self.by_itself()
        self.run_over_a_site()
        return self.heard

    def override(self) -> None:
        """Set and deployed, and set once more."""
        level = {"level": "site", "target": SET_AT}
        self.command("POST", "/v1/apps/shop/overrides/web", {**level, "values": {"log": {"level": "debug"}}}, "set-1")
        self.operation("reapply", app="shop", site=SET_AT, kind="apply", only_changes=True)
        self.command("POST", "/v1/apps/shop/overrides/web", {**level, "values": {"log": None}}, "set-2")

    def publications(self) -> None:
        """Two operations wait: one for an upload, the other in vain; a release is deleted that nobody has."""
        sites = [{"name": name, "connections": {"simulated": {}}} for name in SITES]
        self.command("POST", "/v1/sites", {"sites": sites}, "own-sites")
        for operation, publication in (("waits", "upload-cart"), ("in-vain", "import-cart")):
            body = {"site": SITES[operation == "in-vain"], "app": APP, "kind": "apply", "publication": publication}
            self.command("POST", "/v1/operations", body, operation)
        self.publish("1.0.0", key="upload-cart")
        self.command("POST", "/v1/publications", {"source": NOWHERE}, "import-cart")
        self.ended("waits", "succeeded")
        self.ended("in-vain", "failed")
        self.publish("0.9.0")
        self.command("DELETE", f"/v1/releases/{APP}/0.9.0", {}, "delete-cart")
        self.wait(lambda: "0.9.0" not in self.versions())

    def by_itself(self) -> None:
        """It is deployed everywhere; one device falls and is put right; a bad release is tried once, and again."""
        path = f"/v1/behaviours/{APP}"
        wanted = {"desired_state": "deployed", "deployed_on": {"sites": list(SITES)}}
        self.publish("1.1.0")
        self.command("PATCH", path, {"switches": {**wanted, "auto_update": True}}, "behave")
        self.wait(lambda: self.all_run("1.1.0"))
        asyncio.run(Devices(self.home).take_away([SITES[0]], APP))
        self.wait(lambda: self.own_operations("drift_found") == ["succeeded"])
        self.wait(lambda: not self.client.get("/v1/drift")["items"])
        self.publish("2.0.0", fail=1)
        self.wait(lambda: self.failures() == 1)
        self.command("POST", f"/v1/failed-releases/{APP}/2.0.0/clear", {}, "clear")
        self.wait(lambda: self.own_operations("newer_release").count("failed") == 2 and self.failures() == 1)
        self.command("PATCH", path, {"as_released": ["desired_state", "deployed_on", "auto_update"]}, "leave-alone")

    def run_over_a_site(self) -> None:
        self.publish("3.0.0")
        self.command("POST", f"/v1/sites/{SITES[1]}/run-all", {"kind": "update"}, "run")
        self.wait(lambda: self.client.get("/v1/site-runs/run")["state"] == "done")

    # -- how ---------------------------------------------------------------------------------------------------

    def command(self, method: str, path: str, body: Any, key: str) -> None:
        asked = time.time()
        self.client.command(method, path, body, key=key)
        self.heard[key] = asked, time.time()

    def operation(self, key: str, **body: Any) -> None:
        self.command("POST", "/v1/operations", body, key)
        self.ended(key, "succeeded")

    def ended(self, operation: str, state: str) -> None:
        self.wait(lambda: self.client.get(f"/v1/operations/{operation}")["state"] == state)

    def publish(self, version: str, *, fail: int = 0, key: str | None = None) -> None:
        path = self.home / f"{APP}-{version}.tar.gz"
        path.write_bytes(bundle({"bundle.yaml": MANIFEST.format(version=version, fail=fail).encode()}))
        self.client.upload(path, key=key or f"upload-{APP}-{version}")
        self.wait(lambda: version in self.versions())

    def versions(self) -> Sequence[str]:
        return [release["version"] for release in self.client.get("/v1/releases")["items"] if release["app"] == APP]

    def all_run(self, version: str) -> bool:
        found = {row["site"]: row["version"] for row in self.client.get("/v1/deployments", app=APP)["items"]}
        return all(found.get(site) == version for site in SITES)

    def own_operations(self, cause: str) -> list[str]:
        """The states of those that go by themselves for this."""
        rows = self.client.get("/v1/operations", app=APP)["items"]
        return [row["state"] for row in rows if (row["because"] or {}).get("code") == cause]

    def failures(self) -> int:
        return sum(row["failures"] for row in self.client.get("/v1/failed-releases", app=APP)["items"])
