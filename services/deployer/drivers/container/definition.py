"""What is wanted of a container: the component's spec, made whole by what the site's connection says. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.deployer.drivers import Order
from services.deployer.drivers.container.connection import BadConnection, Connection
from services.deployer.drivers.container.names import BEFORE, DEFINITION, Place, Seen
from shared.components.container import ContainerSpec, Network, Volume, filled
from shared.components.images import Image, image_of
from shared.values.merging import secrets_in


@dataclass(frozen=True, slots=True)
class Definition:
    """A container, as it is wanted on one site."""

    place: Place
    spec: ContainerSpec
    fields: Mapping[str, Any]
    """All that makes two containers differ, by the spec's names for it; no value that may be a secret."""
    site_environment: Mapping[str, str]
    """Variables whose values the connection says, or a secret that overrides name: they are in nothing that is kept."""
    words: Mapping[str, str]
    """What is filled in for {site}, {app}, {component} and {version}."""

    @property
    def image(self) -> Image:
        return image_of(self.spec.image)

    @property
    def revision(self) -> str:
        """The image, and a digest of all else that the release wants."""
        wanted = self.spec.model_dump_json(exclude={"image", "pull", "health"})
        return f"{self.image.digest}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"


def definition_of(order: Order, connection: Connection) -> Definition:
    """What an order wants. Raises BadConnection where that lacks what the spec asks of it, naming all of that."""
    spec, secret = _told_apart(order)
    place = Place.of(order)
    words = {"site": place.site, "app": place.app, "component": place.component, "version": order.version or ""}
    ports, missing = _ports(spec, connection)
    missing += [
        f"values.{key} (for {name})" for name, key in spec.site_environment.items() if key not in connection.values
    ]
    if missing:
        raise BadConnection(f"the connection does not say {', '.join(missing)}")
    fields = _fields(place, spec, words) | {"ports": ports}
    fields["environment"] = {name: text for name, text in fields["environment"].items() if name not in secret}
    fields["site_environment"] |= {name: spec.environment[name] for name in sorted(secret)}
    values = {name: connection.plain(key) for name, key in spec.site_environment.items()}
    return Definition(place, spec, fields, {**values, **secret}, words)


def _told_apart(order: Order) -> tuple[ContainerSpec, dict[str, str]]:
    """The spec with secrets by their names, of which labels and revisions are made; and their values by variable."""
    spec: ContainerSpec = order.component.spec
    wanted = dict((order.component.named or {}).get("environment", {}))
    named = {str(path[0]): name for path, name in secrets_in(wanted)}
    if not named:
        return spec, {}
    told = {**spec.environment, **{variable: f"secret {name}" for variable, name in named.items()}}
    return spec.model_copy(update={"environment": told}), {variable: spec.environment[variable] for variable in named}


def _ports(spec: ContainerSpec, connection: Connection) -> tuple[dict[str, str], list[str]]:
    """Where each port is reached, and what the connection should have said of it."""
    known, missing = {}, []
    for port in spec.ports:
        inner = f"{port.container}/{port.protocol}"
        host = connection.ports.get(inner) or (connection.ports.get(str(port.container)) or port.host)
        if host is None:
            missing.append(f"ports.{inner}")
        known[inner] = f"{port.address}:{host}"
    return known, missing


def _fields(place: Place, spec: ContainerSpec, words: Mapping[str, str]) -> dict[str, Any]:
    def fill(texts: Sequence[str] | None) -> list[str] | None:
        return None if texts is None else [filled(text, words) for text in texts]

    return {
        "image": image_of(spec.image).by_digest,
        "platform": spec.platform,
        "entrypoint": fill(spec.entrypoint),
        "command": fill(spec.command),
        "environment": {name: filled(text, words) for name, text in sorted(spec.environment.items())},
        "site_environment": dict(sorted(spec.site_environment.items())),
        "volumes": {volume.target: source_of(place, volume) for volume in spec.volumes},
        "networks": {network_name(place, network): _aliases(place, network) for network in spec.networks},
        "temporary": sorted(spec.temporary),
        "user": spec.user,
        "working_folder": spec.working_folder,
        "hostname": spec.hostname,
        "read_only": spec.read_only,
        "init": spec.init,
        "add_capabilities": sorted(spec.add_capabilities),
        "drop_capabilities": sorted(spec.drop_capabilities),
        "new_privileges": spec.new_privileges,
        "limits": spec.limits.model_dump(exclude_none=True),
        "health": fill(spec.health.command),
        "restart": f"{spec.restart.policy}:{spec.restart.most}" if spec.restart.most else spec.restart.policy,
        "stop_seconds": spec.stop_seconds,
        "stop_signal": spec.stop_signal,
    }


def source_of(place: Place, volume: Volume) -> str:
    """What is mounted: a folder, or the engine's name of a volume; `(ro)` behind it where nothing may be written."""
    source = volume.folder or volume_name(place, volume)
    return f"{source} (ro)" if volume.read_only else str(source)


def volume_name(place: Place, volume: Volume) -> str:
    """The engine's name of a named volume."""
    return str(volume.name) if volume.external else place.shared_name(str(volume.name))


def network_name(place: Place, network: Network) -> str:
    """The engine's name of a network."""
    return network.name if network.external else place.shared_name(network.name)


def _aliases(place: Place, network: Network) -> list[str]:
    return sorted(network.aliases) or [re.sub(r"[^a-z0-9_.-]", "-", place.component)]


def recorded_of(seen: Seen) -> dict[str, Any]:
    """What was wanted of a container when it was made; empty when it does not say."""
    try:
        return dict(json.loads(seen.labels[DEFINITION]))
    except (KeyError, ValueError):
        return {}


def before_of(seen: Seen | None) -> list[str]:
    """The images that a rollback from this container may return to, newest first."""
    return (seen.labels.get(BEFORE) or "").split() if seen else []


def revisions_of(current: Seen) -> set[str]:
    """The images of the place: of what runs, and of what ran before and is kept."""
    return {str(recorded_of(current).get("image")), *before_of(current)}


def images_before(current: Seen | None, wanted: Definition, keep: int) -> list[str]:
    """The images that a rollback may return to once the wanted one runs, newest first."""
    last = recorded_of(current).get("image") if current else None
    known = dict.fromkeys([*([last] if last else []), *before_of(current)])
    return [image for image in known if image != wanted.image.by_digest][:keep]
