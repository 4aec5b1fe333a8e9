"""Drivers are found by entry point, declare what they can, and are one to the engine."""

from pathlib import Path

import pytest

from services.deployer.drivers import OBLIGATORY, Verb
from services.deployer.drivers.process.driver import ProcessDriver
from services.deployer.drivers.registry import BadDriver, DriverRegistry
from services.deployer.drivers.simulated.driver import SimulatedDriver
from shared.components import specs
from shared.process.settings import Settings


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
