"""Inside of what a bundle brings: drivers look into their charts, playbooks and values, which lie unpacked for them."""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from shared.components import ContentFault, Spec
from shared.messages.base import Fault
from shared.messages.manifest import MOST_IMAGES

from . import packed_charts
from .archive import read
from .faults import fault, printable

WHEELS = "wheels/"
SECONDS = 600
"""For all charts and components of a bundle together: each is bounded, and there may be a hundred."""

Told = Callable[[str, int, int], None]
"""Hears how far a check is: its name, how many are done, and of how many."""


def unheard(_name: str, _done: int, _total: int) -> None:
    """Nobody wants to hear it."""


Place = Callable[[tuple[str | int, ...]], str]
"""Where a fault is told that lies at a path in the spec of a component."""


@dataclass(slots=True)
class Inside:
    """What drivers found."""

    faults: list[Fault] = field(default_factory=list)
    images: tuple[str, ...] = ()
    notices: list[str] = field(default_factory=list)


def look_inside(
    path: Path,
    specs: Mapping[int, Spec],
    places: Mapping[int, Place],
    deployed: frozenset[str] | None = None,
    told: Told = unheard,
) -> Inside:
    """All that drivers find wrong inside of files, and the images that components name, each once, sorted.

    Of a tarball of StarlingX all charts are looked into: `deployed` are those that its components do not leave out.
    Raises OSError when the disk fails.
    """
    inside, until = Inside(), time.monotonic() + SECONDS
    images = {image for spec in specs.values() for image in spec.named_images}
    if deployed is not None or any(spec.reads_content for spec in specs.values()):
        with tempfile.TemporaryDirectory(prefix="belay-verify-") as name:
            folder = Path(name)
            read(path, keep={}, target=folder, look=(WHEELS, _pass_by), lenient=True)
            if deployed is not None:
                inside.faults, inside.notices = packed_charts.look_into_charts(folder, deployed, told, until)
            images |= _ask_drivers(folder, specs, places, inside, told, until)
    inside.images = tuple(sorted(printable(image, 500) for image in images)[:MOST_IMAGES])
    return inside


def _ask_drivers(
    folder: Path, specs: Mapping[int, Spec], places: Mapping[int, Place], inside: Inside, told: Told, until: float
) -> set[str]:
    """Each component's driver, as long as there is time; the images that they found."""
    images: set[str] = set()
    notices: dict[str, None] = {}
    for number, (position, spec) in enumerate(specs.items()):
        told("components", number, len(specs))
        if time.monotonic() > until:
            message = f"looking into the components took more than {SECONDS} s; this one was not looked into"
            if not any(other.code == "too_slow" for other in inside.faults):  # the charts' own
                inside.faults.append(fault("too_slow", places[position](()), message))
            break
        looked = spec.looked_into(folder)
        inside.faults += [_placed(found, places[position]) for found in looked.faults]
        images |= set(looked.images)
        notices |= dict.fromkeys(looked.notices)
    inside.notices += notices
    return images


def _pass_by(_name: str, _content: IO[bytes], _digest: str) -> None:
    """Nobody but the installer looks into wheels."""


def _placed(found: ContentFault, place: Place) -> Fault:
    return fault(found.code, found.place or place(found.where), found.message, found.value)
