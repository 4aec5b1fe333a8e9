"""Room for an image: the layers that an engine lacks, and what is said where they do not fit."""

import asyncio
from typing import Any

import pytest

from services.deployer.drivers.container import room
from services.deployer.drivers.container.connection import Connection
from services.deployer.drivers.container.room import MIB, Registries, compressed, too_little
from shared.components.image_manifests import Descriptor, ImageManifest
from shared.components.images import image_of
from tests.support.metered_proxy import silent_port

LAYERS = tuple(Descriptor(str(n) * 64, size, "") for n, size in enumerate((100, 20, 3)))
IMAGE = ImageManifest(Descriptor("c" * 64, 1, ""), LAYERS)
STACK = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("there", "lacks"),
    [
        ([], 123),
        ([["a"]], 23),
        ([["x", "b", "c"], ["a", "b", "x", "y"]], 3),
        ([["b", "c"]], 123),
        ([STACK], 0),
    ],
)
def test_an_engine_has_the_layers_below_which_it_has_the_same_ones(there: list[list[str]], lacks: int) -> None:
    assert compressed(IMAGE, STACK, there) == lacks


def test_a_configuration_that_does_not_fit_its_manifest_shares_nothing() -> None:
    assert compressed(IMAGE, ["a"], [["a"]]) == 123


def test_the_refusal_names_what_is_free_what_is_lacking_and_what_must_stay() -> None:
    assert too_little(100 * MIB, 10 * MIB, 3, 70 * MIB) == ""
    assert too_little(99 * MIB, 10 * MIB, 3, 70 * MIB) == (
        "99 MiB are left on the engine's disk; the layers that it lacks have 10 MiB compressed, for which 3 times that "
        "is needed, and 70 MiB must stay free"
    )
    assert too_little(70 * MIB, None, 3, 70 * MIB) == ""
    assert "less than the 70 that must be free" in too_little(69 * MIB, None, 3, 70 * MIB)


NO_ENGINE: Any = None
"""It is asked for its layers once the registry has said its own."""


async def test_a_registry_that_never_answers_keeps_no_thread_from_all_else_and_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "SECONDS", 1.0)
    monkeypatch.setattr(room, "SILENT_SECONDS", 0.5)
    registries = Registries()
    async with silent_port() as port:
        image = image_of(f"127.0.0.1:{port}/app@sha256:{'a' * 64}")

        def lacks() -> asyncio.Task[int | None]:
            return asyncio.create_task(registries.lacking(NO_ENGINE, image, "linux/amd64", Connection()))

        asked = [lacks() for _ in range(100)]
        await asyncio.sleep(0)  # they have begun
        await asyncio.to_thread(str)
        assert not any(task.done() for task in asked)
        assert await asyncio.gather(*asked) == [None] * 100
        monkeypatch.setattr(room, "_described", None)
        assert await lacks() is None
