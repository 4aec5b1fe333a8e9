"""Room for an image: the layers that an engine lacks, and what is said where they do not fit."""

import pytest

from services.deployer.drivers.container.room import MIB, compressed, too_little
from shared.components.image_manifests import Descriptor, ImageManifest

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
