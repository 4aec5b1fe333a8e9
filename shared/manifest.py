"""The manifest by its short name. It is defined among the messages, because releases carry parts of it."""

from shared.messages.manifest import (
    PLACEHOLDERS,
    Component,
    Health,
    Manifest,
    ProcessComponent,
    Requires,
    SimulatedComponent,
)

__all__ = ["PLACEHOLDERS", "Component", "Health", "Manifest", "ProcessComponent", "Requires", "SimulatedComponent"]
