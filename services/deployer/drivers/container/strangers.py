"""A container under our name that Belay did not make: left alone, but for one that is ours, made anew by hand.

Nothing of a stranger is ever removed. One of the very image that is wanted was made in place of ours, without labels by
which ours are known (`docker run`, or a program that makes containers anew): it is stopped and given another name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.deployer.drivers.container import images
from services.deployer.drivers.container.engine import AT_REST, Engine, state_of
from services.deployer.drivers.container.names import Place
from services.deployer.drivers.durable.run import Run
from shared.components.images import Image

ASIDE = "aside"
"""In what is written down of an order: the stranger that it stopped and renamed; it runs again if the order fails."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A container that has the name of ours."""

    id: str
    name: str
    image: str
    active: bool
    remade: bool
    """It runs the very image that is wanted."""

    @property
    def told(self) -> str:
        """For people: what is there, and what they can do about it."""
        return (
            f"a container that Belay did not make is called {self.name} (image {self.image}); it is left alone, for "
            f"nobody knows whose it is: remove it, or rename it (`docker rename {self.name} NAME`), and try again"
        )


async def under_name(engine: Engine, place: Place, wanted: Image) -> Stranger | None:
    """Who has the name of ours without being of the place; None = nobody."""
    shown = await engine.show(place.name)
    if shown is None or _is_of(shown, place):
        return None
    found = await images.found_on(engine, wanted)
    same = found is not None and images.plain(found.shown["Id"]) == images.plain(str(shown.get("Image", "")))
    active = state_of(shown) not in AT_REST
    image = str((shown.get("Config") or {}).get("Image", "?"))
    return Stranger(str(shown["Id"]), place.name, image, active, remade=same)


def _is_of(shown: Mapping[str, Any], place: Place) -> bool:
    labels = (shown.get("Config") or {}).get("Labels") or {}
    return all(labels.get(label) == value for label, value in place.labels.items())


async def set_aside(run: Run, engine: Engine, place: Place, stranger: Stranger) -> None:
    """Stop it and give it another name, under which it stays. What is done is written down before."""
    if ASIDE not in run.note:
        await run.write_down(**{ASIDE: {"id": stranger.id, "ran": stranger.active}})
    run.report(f"sets aside what was made by hand under the name {place.name}", 20)
    await engine.stop(stranger.id)
    await engine.rename(stranger.id, place.aside_name(stranger.id))


async def put_back(run: Run, engine: Engine, place: Place) -> None:
    """The one that was set aside has its name again, and runs again if it did."""
    aside = run.note.get(ASIDE)
    shown = await engine.show(aside["id"]) if aside else None
    if not aside or shown is None:
        return
    if str(shown.get("Name", "")).removeprefix("/") != place.name:
        await engine.rename(aside["id"], place.name)
    if aside["ran"]:
        await engine.start(aside["id"])
