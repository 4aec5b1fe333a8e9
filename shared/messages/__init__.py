"""Every command and event, one module an owner. Importing this package fills the registry of types."""

from shared.messages import base, catalog, deployer, monitor, notifier, strategy
from shared.messages.base import REGISTRY

__all__ = ["REGISTRY", "base", "catalog", "deployer", "monitor", "notifier", "strategy"]
