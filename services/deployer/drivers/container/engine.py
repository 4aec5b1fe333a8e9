"""The engine of one site: containers made, looked at and removed by the Docker Engine API, of Docker or of Podman."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import aiohttp
from aiodocker import Docker, DockerError
from aiodocker.containers import DockerContainer

from services.deployer.drivers.container.faults import code_of_engine, passes, under_way
from services.deployer.drivers.container.names import Place, Seen
from services.deployer.drivers.failed import Failed
from shared.core.retrying import back_offs, pause

T = TypeVar("T")

NOT_REACHED = 900
"""What aiodocker says in place of a status when there was no answer."""

GONE, CONFLICT = 404, 409

START_SECONDS = 5.0
"""What a busy engine may need to begin a check, beside the check's own time."""

SETTLE_SECONDS = 5.0
"""What a killed deployer asked for last is carried out by then, or tells by its words that it goes on."""
REMOVAL_SECONDS = 300.0
"""A large container on a slow disk."""

AT_REST = frozenset({"created", "configured", "initialized", "exited", "stopped", "dead", "removing"})
"""States in which a container holds no port and writes nothing, and its engine does not start it by itself."""

LAST_LINES = 50
MOST_IMAGES = 200
"""So many are looked at for layers that another image has, too: the newest, as engines list them."""


FreeIn = Callable[[str], Awaitable[int | None]]
"""Bytes that are left where a folder of the engine's host lies."""


class Unreachable(Exception):
    """The engine did not answer; the same may be asked again."""


class Passing(Unreachable):
    """The engine answers, but not this, for a reason that should be gone in a moment."""


@asynccontextmanager
async def translated(what: str) -> AsyncIterator[None]:
    """An engine's refusal as Failed, its silence as Unreachable. `what` was to be done, for people."""
    try:
        yield
    except DockerError as error:
        if isinstance(error.__context__, aiohttp.ClientConnectorCertificateError):
            raise Failed("certificate_refused", f"{what}: {error.message}") from error
        if error.status == NOT_REACHED:
            raise Unreachable(error.message) from error
        if passes(error.message):
            raise Passing(error.message) from error
        raise Failed(code_of_engine(error.message), f"{what}: {error.message}") from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unreachable(f"{what}: {error!r}") from error


async def settled(step: Callable[[], Awaitable[T]]) -> T:
    """Do what looks before it acts, and again where the engine refuses it.

    An engine goes on with what a killed deployer asked it for: that may come between the look and the act.
    """
    refused = None
    for seconds in back_offs():
        try:
            return await step()
        except DockerError as error:
            refused = refused or time.monotonic()
            patience = REMOVAL_SECONDS if under_way(error.message) else SETTLE_SECONDS
            if error.status == NOT_REACHED or time.monotonic() - refused >= patience:
                raise
        await pause(seconds)
    raise AssertionError("the tries have no end")


class Engine:
    """A connection to an engine that has answered. Made by `opening.opened`."""

    def __init__(self, docker: Docker, version: Mapping[str, Any], free_in: FreeIn) -> None:
        self.docker = docker
        self.podman = any("podman" in part.get("Name", "").lower() for part in version.get("Components") or ())
        self.platform = f"{version.get('Os', 'linux')}/{version.get('Arch', '')}"
        self.version = str(version.get("Version", ""))
        self._free_in = free_in

    async def free_bytes(self) -> int | None:
        """What is left for images; None where neither the engine nor the way to it can say. Podman says it itself."""
        async with translated("the engine does not tell of its storage"):
            if not self.podman:
                return await self._free_in((await self.docker.system.info())["DockerRootDir"])
            store = (await self.docker._query_json("v4.0.0/libpod/info", versioned_api=False)).get("store") or {}  # noqa: SLF001
        if "graphRootAllocated" not in store:
            return await self._free_in(str(store.get("graphRoot", "/")))
        return int(store["graphRootAllocated"]) - int(store.get("graphRootUsed", 0))

    async def stacks(self) -> list[list[str]]:
        """The layers of each of its images, the lowest first, by the digests that engines know them by."""
        async with translated("the images could not be listed"):
            listed = await self.docker.images.list()
            found = [await _unless_gone(self.docker.images.inspect(each["Id"])) for each in listed[:MOST_IMAGES]]
        stacks = (((each or {}).get("RootFS") or {}).get("Layers") or () for each in found)
        return [[str(layer).removeprefix("sha256:") for layer in stack] for stack in stacks]

    async def at(self, place: Place) -> list[Seen]:
        """The containers of a place, whatever their state."""
        return [seen_in(found) for found in await self.listed({"label": [f"{k}={v}" for k, v in place.labels.items()]})]

    async def listed(self, filters: Mapping[str, Sequence[str]] | None = None) -> list[Mapping[str, Any]]:
        """Containers as the engine lists them, those that do not run as well."""
        listing = partial(self.docker.containers.list, all=True, filters=json.dumps(filters or {}))
        async with translated("the containers could not be listed"):
            found = await settled(listing)
        return [one._container for one in found]  # noqa: SLF001 - aiodocker shows it by key only

    async def show(self, container: str) -> Mapping[str, Any] | None:
        """All that the engine knows of a container; None when it is gone."""
        async with translated("the container could not be looked at"):
            return await settled(lambda: self._shown(container))

    async def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Make a container that does not run yet; its id."""
        async with translated("the container could not be made"):
            return (await self.docker.containers.create(dict(body), name=name)).id

    async def start(self, container: str) -> None:
        """Start it, or let it go on where it is paused; nothing to do when it runs."""
        one = self._of(container)
        async with translated("the container could not be started"):
            try:
                await one.start()
            except DockerError as error:
                if error.status == NOT_REACHED or state_of(await self._shown(container)) != "paused":
                    raise
                await one.unpause()

    async def stop(self, container: str) -> None:
        """Stop it, within the time that it was made with; nothing to do when it is stopped or gone."""
        async with translated("the container could not be stopped"):
            await settled(lambda: self._stopped(container))

    async def delete(self, container: str) -> None:
        """Remove it and the nameless volumes that came with it; return once it is gone, whoever removed it."""
        async with translated("the container could not be removed"):
            await settled(lambda: self._done_or_gone(container, partial(DockerContainer.delete, force=True, v=True)))

    async def rename(self, container: str, name: str) -> None:
        """Give it another name; nothing to do when it has it."""
        async with translated("the container could not be renamed"):
            await settled(lambda: self._renamed(container, name))

    async def last_lines(self, container: str) -> tuple[str, ...]:
        """Its last words; none when it is gone or its log cannot be read, since they only explain a failure."""
        try:
            text = "".join(await self._of(container).log(stdout=True, stderr=True, tail=LAST_LINES))
        except (DockerError, aiohttp.ClientError, OSError, TimeoutError):
            return ()
        return tuple(line.rstrip() for line in text.splitlines()[-LAST_LINES:])

    async def checked(self, container: str, seconds: float) -> str:
        """Run its health check now, where the engine does not do so by itself (Podman without systemd): the status.

        Podman waits for ever for a check that does not end within `seconds`, as it should; the next one may.
        """
        path = f"v4.0.0/libpod/containers/{container}/healthcheck"
        async with translated("the health check could not be run"):
            try:
                async with asyncio.timeout(seconds + START_SECONDS):
                    # Not of Docker's API, so aiodocker has no method for it.
                    found = await self.docker._query_json(path, timeout=None, versioned_api=False)  # noqa: SLF001
            except TimeoutError:
                return f"nothing within {seconds:g} s"
            except DockerError as error:
                if error.status == NOT_REACHED:
                    raise
                return f"that it could not be run: {error.message}"  # it may have ended, or be gone, just now
        return str(found.get("Status", ""))

    async def run(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command in a container: its exit status, and what it wrote."""
        async with translated("the command could not be run in the container"):
            run = await self._of(container).exec(list(command))
            async with run.start(detach=False) as stream:
                pieces = []
                while piece := await stream.read_out():
                    pieces.append(piece.data)
            status = (await run.inspect())["ExitCode"]
        return int(status or 0), b"".join(pieces).decode(errors="replace")

    async def _stopped(self, container: str) -> None:
        """Podman says no to one at rest, too: `removing`, where it stays for good if podman is killed meanwhile.

        One that is `stopping` is another matter: removed by force, Podman (4.3) forgets it, and its processes go on.
        """
        try:
            await self._done_or_gone(container, DockerContainer.stop)
        except DockerError as error:
            if error.status == NOT_REACHED or state_of(await self._shown(container)) not in AT_REST:
                raise

    async def _done_or_gone(self, container: str, act: Callable[[DockerContainer], Awaitable[None]]) -> None:
        """Nothing is wrong where it is gone by then; engines say that by other words than 404, too.

        One that is paused goes on, so that it can be stopped at the next try: Podman refuses that until then.
        """
        one = self._of(container)
        try:
            await act(one)
        except DockerError as error:
            if error.status == NOT_REACHED:
                raise
            if (shown := await self._shown(container)) is None:
                return
            if state_of(shown) == "paused":
                await one.unpause()
            raise

    async def _renamed(self, container: str, name: str) -> None:
        try:
            await self._of(container).rename(name)
        except DockerError as error:
            if error.status == NOT_REACHED:
                raise
            shown = await self._shown(container) or {}
            if str(shown.get("Name")).removeprefix("/") != name:
                raise

    async def _shown(self, container: str) -> Mapping[str, Any] | None:
        shown: Mapping[str, Any] | None = await _unless_gone(self._of(container).show())
        return shown

    def _of(self, container: str) -> DockerContainer:
        return self.docker.containers.container(container)


async def _unless_gone(call: Any) -> Any | None:
    try:
        return await call
    except DockerError as error:
        if error.status != GONE:
            raise
    return None


def seen_in(found: Mapping[str, Any]) -> Seen:
    """A container as the engine lists it."""
    names = found.get("Names") or [found.get("Name", "")]
    return Seen(
        id=found["Id"],
        name=str(names[0]).removeprefix("/"),
        image_id=found.get("ImageID", ""),
        active=is_active(found),
        labels=found.get("Labels") or {},
    )


def is_active(found: Mapping[str, Any]) -> bool:
    """Whether a container that is listed runs, stands still with all that it holds, or will be started again."""
    return found.get("State") not in AT_REST


def state_of(shown: Mapping[str, Any] | None) -> str:
    """The state of a container that is shown in full; empty when it is gone."""
    return str(((shown or {}).get("State") or {}).get("Status", ""))
