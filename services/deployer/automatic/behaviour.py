"""How the deployer treats an app by itself: what a person switched, over what its release says. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.messages.automatic import DeployedOn, Switch, Switches
from shared.messages.opening import IN_AN_EVENT
from shared.messages.rules import Behaviour, Trigger

NOTHING_SAID = Switches()
NOWHERE = DeployedOn()


@dataclass(frozen=True, slots=True)
class Effective:
    """How an app behaves where a release of it is deployed."""

    audit: bool = False
    """Whether drivers are asked again and again for what was deployed."""
    desired_state: str | None = None
    deployed_on: DeployedOn = NOWHERE
    reapply_on: tuple[Trigger, ...] = ()
    auto_update: bool = False
    auto_downgrade: bool = False
    prereleases: bool = False
    forbidden: tuple[str, ...] = ()

    @property
    def looked_at(self) -> bool:
        """Whether anything is to be looked at again and again."""
        return self.audit or self.desired_state is not None or self.auto_update or self.auto_downgrade


def effective(said: Switches, release: Behaviour) -> Effective:
    """What a person said counts; what nobody said is as the release has it."""
    desired = said.desired_state or release.desired_state
    reapply_on = release.reapply_on if said.reapply_on is None else said.reapply_on
    return Effective(
        audit=desired is not None if said.audit is None else said.audit,
        desired_state=desired if said.audit is not False else None,
        deployed_on=said.deployed_on or NOWHERE,
        reapply_on=() if said.reapply is False else reapply_on,
        auto_update=_switched(said.auto_update, release.auto_update),
        auto_downgrade=_switched(said.auto_downgrade, release.auto_downgrade),
        prereleases=bool(said.prereleases),
        forbidden=forbidden(said.forbidden, release.forbidden),
    )


def _switched(said: bool | None, released: bool) -> bool:
    return released if said is None else said


def forbidden(said: Iterable[str] | None, released: Iterable[str]) -> tuple[str, ...]:
    """Kinds of operations that people may not ask for."""
    return tuple(released if said is None else said)


def changed(before: Switches, said: Switches, as_released: Iterable[Switch]) -> Switches:
    """What people said in all, once this was said, too."""
    taken_back = set(as_released)
    kept = {name: value for name, value in before.model_dump(exclude_none=True).items() if name not in taken_back}
    return Switches.model_validate({**kept, **said.model_dump(exclude_none=True)}, context=IN_AN_EVENT)


def contradictions(said: Switches, as_released: Iterable[Switch]) -> list[str]:
    """Switches that are set and taken back by the same command."""
    named = said.model_dump(exclude_none=True)
    return sorted(name for name in set(as_released) if name in named)
