"""Which orders take the places of which: what waits for registries keeps no way back waiting."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.deployer.drivers import Order, Verb
from services.deployer.drivers.helm.settings import HelmSettings
from services.deployer.drivers.helm.tool import HelmTool
from services.deployer.drivers.pulls.sharing import SharedPulls
from tests.support.components import for_driver, simulated
from tests.support.kubernetes.sites import unpack


@pytest.mark.parametrize(
    ("action", "beside"), [("fetch", True), ("apply", False), ("rollback", False), ("remove", False)]
)
def test_fetches_have_places_of_their_own(tmp_path: Path, action: Verb, beside: bool) -> None:
    tool = HelmTool(HelmSettings(at_once=7), tmp_path, unpack, SharedPulls("postgresql://nowhere"))
    order = Order("o1", "s1", {}, "shop", action, for_driver(simulated("web")), "1.0", "c" * 64)
    assert (tool.beside(order), tool.beside_at_once) == (beside, 7)
