"""The spec of a component of the driver `simulated`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.components import Spec
from shared.messages.words import SiteName

Duration = Annotated[float, Field(ge=0, le=24 * 3600)]


class SimulatedSpec(Spec):
    """A device that only pretends: for tests, benches and capacity planning."""

    seconds: tuple[Duration, Duration] = Field(default=(0, 0), description="shortest and longest time an effect takes")
    fail: float = Field(default=0, ge=0, le=1, description="chance that the effect fails")
    hang: float = Field(default=0, ge=0, le=1, description="chance that the effect never ends")
    crash: float = Field(default=0, ge=0, le=1, description="chance that the device dies half-way")
    seed: int = Field(default=0, description="same seed, site and operation: same fate")
    sites: dict[SiteName, Literal["succeed", "fail", "hang", "crash"]] = Field(
        default_factory=dict, description="fate by rule, before chance"
    )

    @model_validator(mode="after")
    def _shortest_first(self) -> Self:
        if self.seconds[0] > self.seconds[1]:
            raise ValueError("seconds: the shortest time comes first, then the longest")
        return self
