"""The spec of a component of the driver `simulated`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from shared.components import Spec
from shared.components.content import Content, Pretended
from shared.messages.words import SiteName

Duration = Annotated[float, Field(ge=0, le=24 * 3600)]


class SimulatedSpec(Spec):
    """A device that only pretends: for tests, benches and capacity planning."""

    values_field: ClassVar[str | None] = "values"
    secret_values: ClassVar[bool] = True

    seconds: tuple[Duration, Duration] = Field(default=(0, 0), description="shortest and longest time an effect takes")
    fail: float = Field(default=0, ge=0, le=1, description="chance that the effect fails")
    hang: float = Field(default=0, ge=0, le=1, description="chance that the effect never ends")
    crash: float = Field(default=0, ge=0, le=1, description="chance that the device dies half-way")
    seed: int = Field(default=0, description="same seed, site and operation: same fate")
    packages_bytes: int = Field(default=0, ge=0, le=2**50, description="packages that it pretends to bring to a site")
    images_bytes: int = Field(default=0, ge=0, le=2**50, description="images that it pretends to bring to a site")
    bytes_a_second: int | None = Field(
        default=None, ge=1, description="how fast they come; null = at once; a connection may say it as well"
    )
    values: dict[str, JsonValue] = Field(default_factory=dict, description="of no effect: what overrides go into")
    sites: dict[SiteName, Literal["succeed", "fail", "hang", "crash"]] = Field(
        default_factory=dict, description="fate by rule, before chance"
    )

    @model_validator(mode="after")
    def _shortest_first(self) -> Self:
        if self.seconds[0] > self.seconds[1]:
            raise ValueError("seconds: the shortest time comes first, then the longest")
        return self

    @property
    def content_bytes(self) -> int:
        """All that it pretends to bring."""
        return self.packages_bytes + self.images_bytes

    def content(self, folder: Path) -> Sequence[Content]:  # noqa: ARG002 - none of it lies in a file
        """What is sent to sites in pretence: another for each seed and size."""
        packages = Pretended("package", f"packages-{self.seed}-{self.packages_bytes}", self.packages_bytes)
        images = Pretended("image", f"images-{self.seed}-{self.images_bytes}", self.images_bytes)
        return [each for each in (packages, images) if each.bytes]
