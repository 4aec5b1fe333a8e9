"""What is wanted of a container: the component's spec, made whole by what the site's connection says. Pure."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.deployer.drivers import Order
from services.deployer.drivers.container.connection import Connection
from services.deployer.drivers.container.names import BEFORE, DEFINITION, ORDER, REVISION, Place, Seen
from shared.components.container import ContainerSpec, Network, Volume, filled
from shared.components.images import Image, image_of

SECOND = 1_000_000_000
"""The engine counts in nanoseconds."""

UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


@dataclass(frozen=True, slots=True)
class Definition:
    """A container, as it is wanted on one site."""

    place: Place
    spec: ContainerSpec
    fields: Mapping[str, Any]
    """All that makes two containers differ, by the spec's names for it; no value that may be a secret."""
    site_environment: Mapping[str, str]
    """Variables whose values the connection says."""
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
    """What an order wants. Raises ValueError when the connection lacks what the spec asks of it, naming all of that."""
    spec: ContainerSpec = order.component.spec
    place = Place.of(order)
    words = {"site": place.site, "app": place.app, "component": place.component, "version": order.version or ""}
    ports, missing = _ports(spec, connection)
    missing += [
        f"values.{key} (for {name})" for name, key in spec.site_environment.items() if key not in connection.values
    ]
    if missing:
        raise ValueError(f"the connection does not say {', '.join(missing)}")
    fields = _fields(place, spec, words) | {"ports": ports}
    values = {name: connection.plain(key) for name, key in spec.site_environment.items()}
    return Definition(place, spec, fields, values, words)


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


def size_of(text: str) -> int:
    """Bytes: `64m` is 67108864."""
    unit = text[-1] if text[-1].isalpha() else ""
    return int(text.removesuffix(unit)) * UNITS[unit]


def body_of(wanted: Definition, order: str, before: Sequence[str], *, found: bool, podman: bool) -> dict[str, Any]:
    """The request by which the engine makes the container.

    `order` is the key of the order that makes it, `before` are the images that a rollback may return to, `found` is
    whether it shall be found by its aliases from the start: not while another serves under them.
    """
    fields, spec = wanted.fields, wanted.spec
    environment = {**fields["environment"], **wanted.site_environment}
    first = next(iter(fields["networks"]), None)
    ends = {name: {"Aliases": aliases if found else []} for name, aliases in fields["networks"].items()}
    body: dict[str, Any] = {
        "Image": fields["image"],
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Labels": {**wanted.place.labels, **_own_labels(wanted, order, before)},
        "ExposedPorts": {inner: {} for inner in fields["ports"]},
        "StopTimeout": spec.stop_seconds,
        "HostConfig": _host_config(wanted, first),
        "NetworkingConfig": {"EndpointsConfig": {first: ends[first]} if first else {}},
    }
    optional = {
        "Entrypoint": fields["entrypoint"],
        "Cmd": fields["command"],
        "User": spec.user,
        "WorkingDir": spec.working_folder,
        "Hostname": spec.hostname,
        "StopSignal": spec.stop_signal,
        "Healthcheck": _health_check(wanted, podman),
    }
    return body | {name: value for name, value in optional.items() if value is not None}


def _own_labels(wanted: Definition, order: str, before: Sequence[str]) -> dict[str, str]:
    text = json.dumps(wanted.fields, sort_keys=True)
    return {ORDER: order, REVISION: wanted.revision, DEFINITION: text, BEFORE: " ".join(before)}


def _host_config(wanted: Definition, network: str | None) -> dict[str, Any]:
    spec, limits = wanted.spec, wanted.spec.limits
    config: dict[str, Any] = {
        "PortBindings": {inner: [_binding(outer)] for inner, outer in wanted.fields["ports"].items()},
        "Mounts": [_mount(wanted.place, volume) for volume in spec.volumes],
        "Tmpfs": dict.fromkeys(spec.temporary, ""),
        "RestartPolicy": {"Name": spec.restart.policy, "MaximumRetryCount": spec.restart.most},
        "ReadonlyRootfs": spec.read_only,
        "Init": spec.init,
        "CapAdd": list(spec.add_capabilities),
        "CapDrop": list(spec.drop_capabilities),
        "SecurityOpt": [] if spec.new_privileges else ["no-new-privileges"],
        "Memory": size_of(limits.memory) if limits.memory else 0,
        "NanoCpus": int((limits.cpus or 0) * SECOND),
    }
    if limits.pids:
        config["PidsLimit"] = limits.pids
    return config | ({"NetworkMode": network} if network else {})


def _binding(outer: str) -> dict[str, str]:
    address, _, port = outer.rpartition(":")
    return {"HostIp": address, "HostPort": port}


def _mount(place: Place, volume: Volume) -> dict[str, Any]:
    if volume.folder:
        return {"Type": "bind", "Source": volume.folder, "Target": volume.target, "ReadOnly": volume.read_only}
    name = volume_name(place, volume)
    return {"Type": "volume", "Source": name, "Target": volume.target, "ReadOnly": volume.read_only}


def _health_check(wanted: Definition, podman: bool) -> dict[str, Any] | None:
    command, health = wanted.fields["health"], wanted.spec.health
    if command is None:
        return None
    # Podman's Docker API takes words apart again at their spaces, so such commands go through the image's shell.
    words = ["CMD-SHELL", shlex.join(command)] if podman and any(" " in word for word in command) else ["CMD", *command]
    return {
        "Test": words,
        "Interval": int(health.interval_seconds * SECOND),
        "Timeout": int(health.timeout_seconds * SECOND),
        "Retries": health.retries,
    }


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
