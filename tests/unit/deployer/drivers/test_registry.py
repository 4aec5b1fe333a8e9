"""Drivers are found by entry point, declare what they can, and are one to the engine."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from services.deployer.drivers import OBLIGATORY, Broken, Order, Verb
from services.deployer.drivers.process.driver import ProcessDriver
from services.deployer.drivers.registry import BadDriver, DriverRegistry
from services.deployer.drivers.simulated.driver import SimulatedDriver
from shared.components import specs
from shared.process.settings import Settings
from tests.support.components import for_driver, simulated


def test_our_own_drivers_are_found_as_anybodys_each_with_the_model_of_its_specs(tmp_path: Path) -> None:
    registry = DriverRegistry.installed(Settings(home=tmp_path))
    assert {"ansible", "container", "helm", "process", "simulated"} <= {name for name in specs() if name in registry}
    assert ProcessDriver in {type(driver) for driver in registry.tended}


@pytest.mark.parametrize("verbs", [OBLIGATORY - {"remove"}, OBLIGATORY | {"fly"}])
def test_a_driver_that_declares_wrongly_is_refused_by_name(tmp_path: Path, verbs: frozenset[Verb]) -> None:
    class Wrong(SimulatedDriver):
        capabilities = verbs

    with pytest.raises(BadDriver, match=r"helm.*(remove|fly)"):
        DriverRegistry({"helm": Wrong(tmp_path)})


class Breaks(SimulatedDriver):
    """Over a batch with one site whose answer nobody expected."""

    async def look(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        self._break_over(orders)
        return [Broken("fallen", each.site) for each in orders]

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool]:
        self._break_over(orders)
        return [True for _ in orders]

    async def foresee(self, orders: Sequence[Order]) -> Sequence[Sequence[str]]:
        self._break_over(orders)
        return [(each.site,) for each in orders]

    def _break_over(self, orders: Sequence[Order]) -> None:
        if any(each.site == "bad" for each in orders):
            raise RuntimeError("an odd answer")


async def test_of_a_driver_that_is_not_here_nobody_knows_anything_and_the_others_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.deployer.drivers.registry.FORESEE_SECONDS", 60)  # a busy machine is none of this
    registry = DriverRegistry({"simulated": Breaks(tmp_path)})
    here = for_driver(simulated("bulb"))
    orders = [
        Order("old", "oslo", {}, "lamp", "rollback", replace(here, driver="gone"), "1.0", None),
        Order("new", "oslo", {}, "lamp", "rollback", here, "1.0", None),
    ]
    assert await registry.has_revision(orders) == [None, True]
    assert await registry.look(orders) == [None, Broken("fallen", "oslo")]
    assert [list(lines) for lines in await registry.foresee(orders)] == [[], ["oslo"]]


async def test_one_site_that_breaks_its_driver_takes_the_answers_of_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.deployer.drivers.registry.FORESEE_SECONDS", 60)  # a busy machine is none of this
    registry = DriverRegistry({"simulated": Breaks(tmp_path)})
    component = for_driver(simulated("bulb"))
    orders = [Order(s, s, {}, "lamp", "rollback", component, "1.0", None) for s in ("oslo", "bad", "bergen")]
    assert await registry.look(orders) == [Broken("fallen", "oslo"), None, Broken("fallen", "bergen")]
    assert await registry.has_revision(orders) == [True, None, True]
    assert await registry.foresee(orders) == [("oslo",), ("what would change could not be found out",), ("bergen",)]
