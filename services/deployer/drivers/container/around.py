"""What lies around a container on its engine: named volumes and networks of its app, and strangers that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from functools import partial
from typing import Any

from aiodocker import DockerError

from services.deployer.drivers.container.definition import Definition, volume_name
from services.deployer.drivers.container.engine import GONE, Engine, is_active, settled, translated
from services.deployer.drivers.container.names import APP, COMPONENT, SITE, Place
from services.deployer.drivers.failed import Failed


async def prepare(engine: Engine, wanted: Definition) -> None:
    """Make the volumes and networks that the container needs and nobody made yet. Raises Failed."""
    labels = {SITE: wanted.place.site, APP: wanted.place.app}
    for volume in wanted.spec.volumes:
        if volume.name and not await _has_volume(engine, name := volume_name(wanted.place, volume)):
            if volume.external:
                raise Failed("no_such_volume", f"the engine has no volume {name}, which the spec calls external")
            async with translated(f"the volume {name} could not be made"):
                await engine.docker.volumes.create({"Name": name, "Labels": labels})
    external = {network.name for network in wanted.spec.networks if network.external}
    for name in wanted.fields["networks"]:
        if not await _has_network(engine, name):
            if name in external:
                raise Failed("no_such_network", f"the engine has no network {name}, which the spec calls external")
            await _make_network(engine, name, labels)


async def _make_network(engine: Engine, name: str, labels: Mapping[str, str]) -> None:
    async with translated(f"the network {name} could not be made"):
        try:
            await engine.docker.networks.create({"Name": name, "Labels": dict(labels), "CheckDuplicate": True})
        except DockerError:
            if not await _has_network(engine, name):  # else a neighbour of the app was faster
                raise


async def _has_volume(engine: Engine, name: str) -> bool:
    async with translated("the volumes could not be listed"):
        found = await settled(partial(engine.docker.volumes.list, filters={"name": [name]}))
    return any(volume["Name"] == name for volume in found.get("Volumes") or ())


async def _has_network(engine: Engine, name: str) -> bool:
    async with translated("the networks could not be listed"):
        found = await settled(partial(engine.docker.networks.list, filters={"name": [name]}))
    return any(network["Name"] == name for network in found)


async def refuse_strangers(engine: Engine, wanted: Definition) -> None:
    """Raise Failed when a container that is none of the place holds a port that is wanted, or writes to its volume."""
    ports = {(outer.rpartition(":")[2], inner.rpartition("/")[2]) for inner, outer in wanted.fields["ports"].items()}
    volumes = {volume_name(wanted.place, volume) for volume in wanted.spec.volumes if volume.name and not volume.shared}
    for found in await engine.listed():
        labels = found.get("Labels") or {}
        if not _of(labels, wanted.place) and is_active(found):
            _refuse_holder(found, _name(found), ports, set() if _of_app(labels, wanted.place) else volumes)


def _refuse_holder(found: Mapping[str, Any], name: str, ports: Set[tuple[str, str]], volumes: Set[str]) -> None:
    for port in found.get("Ports") or ():
        if (str(port.get("PublicPort")), port.get("Type")) in ports:
            raise Failed("port_taken", f"port {port['PublicPort']} of the host is held by the container {name}")
    for mount in found.get("Mounts") or ():
        if mount.get("Name") in volumes and mount.get("RW"):
            raise Failed("volume_in_use", f"the container {name} writes to the volume {mount['Name']}")


def _of(labels: Mapping[str, str], place: Place) -> bool:
    return all(labels.get(label) == value for label, value in place.labels.items())


def _of_app(labels: Mapping[str, str], place: Place) -> bool:
    return labels.get(SITE) == place.site and labels.get(APP) == place.app and COMPONENT in labels


async def join(engine: Engine, container: str, networks: Mapping[str, Sequence[str]]) -> None:
    """Let the container be found by its aliases in its networks; it leaves each for a moment."""
    for name, aliases in networks.items():
        async with translated(f"the container could not join the network {name}"):
            await settled(partial(_join, engine, container, name, aliases))


async def _join(engine: Engine, container: str, name: str, aliases: Sequence[str]) -> None:
    shown = await engine.show(container)
    joined = (shown or {}).get("NetworkSettings", {}).get("Networks") or {}
    if name in joined and set(aliases) <= set(joined[name].get("Aliases") or ()):
        return
    network = await engine.docker.networks.get(name)
    if name in joined:
        # Podman may break off in the midst, and shows and lists no container any more until this one has joined again.
        with suppress(DockerError):
            await network.disconnect({"Container": container, "Force": False})
    await network.connect({"Container": container, "EndpointConfig": {"Aliases": aliases}})


async def clear_networks(engine: Engine, place: Place) -> None:
    """Remove networks of the app on this site that no container uses any more."""
    async with translated("the networks could not be removed"):
        await settled(partial(_clear_networks, engine, {"label": [f"{SITE}={place.site}", f"{APP}={place.app}"]}))


async def _clear_networks(engine: Engine, filters: Mapping[str, Sequence[str]]) -> None:
    networks = await engine.docker.networks.list(filters=filters)
    used = {name for found in await engine.listed() for name in _networks(found)}
    for network in networks:
        if network["Name"] not in used and network["Id"] not in used:
            await _remove_network(engine, network)


async def _remove_network(engine: Engine, network: Mapping[str, Any]) -> None:
    try:
        await (await engine.docker.networks.get(network["Id"])).delete()
    except DockerError:
        if await _has_network(engine, network["Name"]):  # else a killed deployer's request was faster
            raise


def _networks(found: Mapping[str, Any]) -> list[str]:
    joined = (found.get("NetworkSettings") or {}).get("Networks") or {}
    return [*joined, *(str(each.get("NetworkID")) for each in joined.values())]


async def remove_volumes(engine: Engine, wanted: Definition) -> tuple[list[str], list[str]]:
    """Remove the named volumes that the component brought; the names of those, and of those that others still use.

    One that components of the app share goes with the last of them. Raises Failed where a stranger uses one.
    """
    removed: list[str] = []
    used: list[str] = []
    users = await _users(engine)
    for volume in wanted.spec.volumes:
        name = volume_name(wanted.place, volume) if volume.name and not volume.external else ""
        others = users.get(name, {})
        strangers = [each for each, labels in others.items() if not (volume.shared or _of_app(labels, wanted.place))]
        if strangers:
            raise Failed("volume_in_use", f"the container {strangers[0]} uses the volume {name}")
        if name in users:
            used.append(name)
        elif name and await _removed(engine, name):
            removed.append(name)
    return removed, used


async def _users(engine: Engine) -> dict[str, dict[str, Mapping[str, str]]]:
    """By volume, the containers that have it, running or not, with their labels."""
    users: dict[str, dict[str, Mapping[str, str]]] = {}
    for found in await engine.listed():
        for mount in found.get("Mounts") or ():
            users.setdefault(str(mount.get("Name") or "-"), {})[_name(found)] = found.get("Labels") or {}
    return users


async def _removed(engine: Engine, volume: str) -> bool:
    """Whether it is gone by us: a neighbour of the app may have been faster."""
    async with translated(f"the volume {volume} could not be removed"):
        return await settled(partial(_remove_volume, engine, volume))  # Docker lets it go after its container


async def _remove_volume(engine: Engine, volume: str) -> bool:
    try:
        await (await engine.docker.volumes.get(volume)).delete()
    except DockerError as error:
        if error.status != GONE:
            raise
        return False
    return True


def _name(found: Mapping[str, Any]) -> str:
    return str((found.get("Names") or ["?"])[0]).removeprefix("/")


def named_volumes(wanted: Definition) -> list[str]:
    """The named volumes that a removal leaves."""
    return [volume_name(wanted.place, volume) for volume in wanted.spec.volumes if volume.name]
