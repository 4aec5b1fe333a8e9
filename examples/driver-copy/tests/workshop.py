"""What the driver contract of Belay asks of a driver (tests/contract/test_driver_contract.py): orders of each kind."""

import asyncio
from dataclasses import replace
from pathlib import Path

from belay_driver_copy.driver import CopyDriver
from belay_driver_copy.place import Refused
from belay_driver_copy.spec import CopySpec

from services.deployer.drivers import Component, Driver, Order
from tests.support.workshop import Workshop

NEVER, MISSING = "f" * 64, "0" * 64


async def unpack(sha256: str, target: Path) -> None:
    """Bundles without a store: one never comes, one is missing, any other holds a page that names it."""
    if sha256 == NEVER:
        await asyncio.Event().wait()
    if sha256 == MISSING:
        raise Refused("bundle_missing", "there is no such bundle")
    (target / "site").mkdir(parents=True)
    (target / "site/index.html").write_text(sha256)


class CopyWorkshop(Workshop):
    """Orders for a page that is copied."""

    def driver(self) -> Driver:
        return CopyDriver(unpack)

    def good(self, key: str, version: str = "1.0", site: str = "s1") -> Order:
        page = Component("page", "copy", CopySpec(source="site", target="www"))
        bundle = version.encode().hex().rjust(64, "0")
        return Order(key, site, {"root": str(self.folder / site)}, "pages", "apply", page, version, bundle)

    def answers(self, site: str) -> str:
        """Each page names its bundle, which stands for a version."""
        page = (self.folder / site / "www" / "index.html").read_text()
        return bytes.fromhex(page.lstrip("0")).decode()

    def failing(self, key: str, site: str = "s1") -> Order:
        return replace(self.good(key, site=site), version="9.0", bundle_sha256=MISSING)

    def endless(self, key: str, site: str = "s1") -> Order:
        return replace(self.good(key, site=site), version="8.0", bundle_sha256=NEVER)
