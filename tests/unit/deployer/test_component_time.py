"""A component's own time is that of its driver, too: it neither gives up before nor waits beyond it."""

from typing import Any

import pytest

from services.deployer.engine.contents import content_of
from services.deployer.store import Published
from shared import components
from shared.messages.manifest import Component
from shared.messages.rules import PLAIN

SPECS: dict[str, dict[str, Any]] = {
    "process": {"requirements": "requirements.txt", "command": ["serve"], "health": {"path": "/well"}},
    "container": {"image": f"registry.example/app@sha256:{'0' * 64}"},
    "helm": {"chart": "chart", "namespace": "shop"},
    "ansible": {"playbooks": {"apply": "apply.yml", "remove": "remove.yml"}},
    "simulated": {},
}


def read(driver: str, seconds: int | None) -> Any:
    component = Component(driver=driver, name="web", spec=SPECS[driver], timeout_seconds=seconds)
    content = content_of(Published("1.0", "a" * 64, (component,), None, PLAIN))
    assert content.unreadable == ()
    assert content.timed == ({"web": seconds} if seconds else {})
    return content.components["web"].spec


def said(spec: Any, field: str) -> float:
    for name in field.split("."):
        spec = getattr(spec, name)
    return float(spec)


@pytest.mark.parametrize("driver", SPECS)
def test_the_driver_has_the_time_that_the_component_says(driver: str) -> None:
    model = components.specs()[driver]
    if model.ready_field is None:
        assert read(driver, 900) == read(driver, None)
        return
    assert said(read(driver, 900), model.ready_field) == 900
    assert said(read(driver, 30 * 86400), model.ready_field) == model.ready_most
    assert read(driver, None) == components.read(driver, SPECS[driver])


def test_what_else_the_spec_says_of_its_health_stays() -> None:
    assert read("process", 900).health.path == "/well"
