"""The request by which an engine makes a container. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from services.deployer.drivers.container.definition import Definition, volume_name
from services.deployer.drivers.container.names import BEFORE, DEFINITION, ORDER, REVISION, Place
from shared.components.container import Volume

SECOND = 1_000_000_000
"""The engine counts in nanoseconds."""

UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def size_of(text: str) -> int:
    """Bytes: `64m` is 67108864."""
    unit = text[-1] if text[-1].isalpha() else ""
    return int(text.removesuffix(unit)) * UNITS[unit]


def body_of(
    wanted: Definition, order: str, before: Sequence[str], image: str, *, found: bool, podman: bool
) -> dict[str, Any]:
    """The request by which the engine makes the container.

    `order` is the key of the order that makes it, `before` are the images that a rollback may return to, `image` is
    what the engine calls the image, `found` is whether it shall be found by its aliases from the start: not while
    another serves under them.
    """
    fields, spec = wanted.fields, wanted.spec
    environment = {**fields["environment"], **wanted.site_environment}
    first = next(iter(fields["networks"]), None)
    ends = {name: {"Aliases": aliases if found else []} for name, aliases in fields["networks"].items()}
    body: dict[str, Any] = {
        "Image": image,
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
