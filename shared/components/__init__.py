"""What components are, as their drivers want it told: one module a driver, with the pydantic model of its spec.

A driver's model is found by the entry point group `belay.components`, under the driver's name, whoever brings it. The
catalog validates by it what is published, the deployer hands it to the driver.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from shared.components.content import Content
from shared.core.errors import BelayError
from shared.entry_points import registered
from shared.messages.base import Model

GROUP = "belay.components"


class ContentFault(NamedTuple):
    """Something wrong with the content of a file that a spec names."""

    where: tuple[str | int, ...]
    """The field of the spec that names it."""
    code: str
    message: str
    value: Any = None
    place: str = ""
    """File and line of the bundle where it stands; empty = it is told where the spec names the file."""


class Looked(NamedTuple):
    """What looking into the files of a component brought."""

    faults: tuple[ContentFault, ...] = ()
    images: tuple[str, ...] = ()
    """Images of containers that it names, as it names them."""
    notices: tuple[str, ...] = ()
    """What could not be looked into, and why."""


class Spec(Model):
    """What a driver must know of a component; its model subclasses this one. All of it must have a form in JSON."""

    values_field: ClassVar[str | None] = None
    """The field that overrides go into, a mapping; None = the driver takes none."""

    namespace_field: ClassVar[str | None] = None
    """The field that says in which namespace the component lies; None = it knows no namespaces."""

    ready_field: ClassVar[str | None] = None
    """The field, with dots between names, that says how many seconds the component has until it is ready."""

    ready_most: ClassVar[int] = 3600
    """The most that it may say."""

    nulls_travel: ClassVar[bool] = False
    """Whether a value that overrides take away is handed on as null: the tool has defaults of its own."""

    secret_values: ClassVar[bool] = False
    """Whether values may be secrets: the driver writes none of its values down where others read them."""

    secrets_seen: ClassVar[str] = ""
    """Who can read values that are secrets where they are used; plans say so. Empty = nobody but what uses them."""

    image_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that name images of containers: `belay bundle pin` gives them their digests."""

    @property
    def named_images(self) -> tuple[str, ...]:
        """Images of containers that the spec itself names."""
        named = (getattr(self, name, None) for name in self.image_fields)
        return tuple(image for image in named if isinstance(image, str))

    def reached_by(self, path: str) -> bool:  # noqa: ARG002 - by nothing of most drivers
        """Whether what a site's connection says at this path (`values.password`) comes to lie in what is deployed: then
        a secret that is named there and set again is a change of the component, not only of the way to its site."""
        return False

    @property
    def made_of(self) -> tuple[str, ...] | None:
        """All files and folders of the bundle that the component is made of; None = that is not known.

        Where it is known, a release in which neither they nor the spec have changed leaves the component as it is.
        """
        return None

    @property
    def requirement_files(self) -> tuple[str, ...]:
        """Files of the bundle by which wheels are installed: the bundle must hold every wheel that they lock."""
        return ()

    @property
    def reads_content(self) -> bool:
        """Whether `faults_in` looks into files: only then is a bundle unpacked to be verified."""
        return False

    def faults_in(self, folder: Path) -> Iterable[ContentFault]:  # noqa: ARG002 - of those that look
        """What is wrong with the content of the bundle's files, which lie unpacked in a folder (without its wheels).

        For what would fail on every site alike. In bounded time; the folder is gone afterwards.
        """
        return ()

    def looked_into(self, folder: Path) -> Looked:
        """All that looking into those files brings; `faults_in` is part of it."""
        return Looked(tuple(self.faults_in(folder)) if self.reads_content else ())

    def content(self, folder: Path) -> Sequence[Content]:  # noqa: ARG002 - of those that bring something
        """What is to lie on sites before the component is changed, and what it does not bring by itself.

        The bundle's files lie unpacked in `folder`, all of them. In bounded time; the folder is gone afterwards.
        """
        return ()


class UnknownDriver(BelayError):
    """No distribution that is installed here brings the driver."""

    def __init__(self, driver: str) -> None:
        self.driver = driver
        super().__init__(f"no driver of this name is installed here; there are: {', '.join(specs())}")


@cache
def specs() -> Mapping[str, type[Spec]]:
    """The models by the names of their drivers, as installed when this process first asked. Raises BadEntryPoint."""
    return registered(GROUP)


def in_time(driver: str, spec: Mapping[str, Any], seconds: int | None) -> Mapping[str, Any]:
    """A spec that gives a component so many seconds until it is ready; the same where its driver knows none."""
    model = specs().get(driver)
    if seconds is None or model is None or model.ready_field is None:
        return spec
    first, _, rest = model.ready_field.partition(".")
    most = min(seconds, model.ready_most)
    return {**spec, first: {**(spec.get(first) or {}), rest: most} if rest else most}


def read(driver: str, spec: Mapping[str, Any], files: set[str] | None = None) -> Spec:
    """A spec as its driver takes it; with `files`, the names it uses must be among them.

    Raises UnknownDriver, and pydantic's ValidationError with every fault.
    """
    model = specs().get(driver)
    if model is None:
        raise UnknownDriver(driver)
    return model.model_validate(spec, context=None if files is None else {"files": files})
