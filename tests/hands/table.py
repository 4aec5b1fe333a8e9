"""The drivers that can be shown and attacked here, by name."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.hands.ansible import AnsibleHand
from tests.hands.container import ContainerHand
from tests.hands.hand import Hand
from tests.hands.helm import HelmHand
from tests.hands.process import ProcessHand
from tests.hands.ssh import SshHand

HANDS: dict[str, type[Hand]] = {kind.driver: kind for kind in (AnsibleHand, HelmHand, ContainerHand, ProcessHand)}


def chosen(names: str, *, ssh: bool = False) -> list[type[Hand]]:
    """The kinds of a comma-separated list. Ends the program, with all that is wrong, where one cannot be had.

    `ssh`: the hosts of ansible are reached by it, instead of being folders of this machine.
    """
    kinds = HANDS | ({SshHand.driver: SshHand} if ssh else {})
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in HANDS]:
        raise SystemExit(f"DRIVERS: {', '.join(unknown)}: there are {', '.join(HANDS)}")
    found = [kinds[name] for name in wanted or HANDS]
    if lacking := [f"{kind.driver}: {why}" for kind in found if (why := kind.missing())]:
        raise SystemExit("\n".join(lacking))
    return found


def opened(kinds: Sequence[type[Hand]], folder: Path, closing: ExitStack) -> list[Hand]:
    """Their labs, each in a folder of its own."""
    made = []
    for kind in kinds:
        (own := folder / kind.driver).mkdir(parents=True)
        made.append(kind(own, closing))
    return made
