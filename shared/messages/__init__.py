"""Every command and event, one module an owner. Asking for REGISTRY imports them all, so that every type is in it.

Only then: who needs a fault or a word alone, as the command line does, does not wait for three hundred models.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.messages.base import REGISTRY

__all__ = ["REGISTRY"]

OWNERS = ("catalog", "deployer", "monitor", "notifier", "strategy")


def __getattr__(name: str) -> Any:
    """The registry, filled."""
    if name != "REGISTRY":
        raise AttributeError(f"module {__name__} has no attribute {name}")
    for owner in OWNERS:
        import_module(f"{__name__}.{owner}")
    return import_module(f"{__name__}.base").REGISTRY
