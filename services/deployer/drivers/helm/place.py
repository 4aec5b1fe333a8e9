"""Where a component lies in a cluster: namespace and name of its release, and the mark of an order on it. Pure."""

import hashlib
from dataclasses import dataclass

from services.deployer.drivers import Order
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm.connection import Connection
from shared.components.helm import HelmSpec

LONGEST_RELEASE = 53
"""Helm's own bound."""

LONGEST_NAMESPACE = 63

ORDER_LABEL = "belay-order"
"""On the record of a revision: the mark of the order that made it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A release of Helm."""

    namespace: str
    release: str


def place_of(order: Order, connection: Connection) -> Place:
    """Where the component of an order lies. Raises Failed when the names do not fit Kubernetes."""
    spec: HelmSpec = order.component.spec
    namespace = f"{connection.namespace_prefix}{spec.namespace}"
    if len(namespace) > LONGEST_NAMESPACE:
        message = f"the namespace {namespace} has {len(namespace)} characters; {LONGEST_NAMESPACE} are allowed"
        raise Failed("bad_connection", f"namespace_prefix: {message}")
    return Place(namespace, spec.release or _fitting(f"{order.app}-{order.component.name}"))


def _fitting(name: str) -> str:
    """As it is where Helm takes it; else made to fit, with a digest so that no two become one."""
    plain = name.replace("_", "-").strip(".-")
    if plain == name and len(name) <= LONGEST_RELEASE and ".." not in name and ".-" not in name and "-." not in name:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{plain.replace('.', '-')[: LONGEST_RELEASE - 9].rstrip('-')}-{digest}"


def mark_of(key: str) -> str:
    """The value of the order's label: a key may be longer than labels, and has characters that they may not have."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]
