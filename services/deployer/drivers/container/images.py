"""Images on an engine: had by their digest, before anything is touched; and let go when no rollback needs them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from aiodocker import DockerError
from aiodocker.utils import compose_auth_header
from aiohttp import ClientTimeout

from services.deployer.drivers.container.connection import Connection, Login
from services.deployer.drivers.container.definition import Definition
from services.deployer.drivers.container.engine import CONFLICT, GONE, NOT_REACHED, Engine, Unreachable, translated
from services.deployer.drivers.container.faults import code_of_pull
from services.deployer.drivers.failed import Failed
from shared.components.images import Image


async def have(engine: Engine, wanted: Definition, connection: Connection, report: Callable[[str], None]) -> str:
    """Make sure that the image is on the engine; its id. Raises Failed with the reason why it cannot be had."""
    image, pull = wanted.image, wanted.spec.pull
    found = None if pull == "always" else await found_on(engine, image)
    if found is None and pull == "never":
        raise Failed("no_such_image", f"the engine does not have {image.by_digest}, and the spec says `pull: never`")
    if found is None:
        await _pull(engine, image, connection, wanted.spec.platform, report)
        found = await found_on(engine, image)
    if found is None:  # the stream ends without a word when the engine does
        raise Unreachable(f"the engine ended while it fetched {image.by_digest}")
    _refuse_other_platform(engine, wanted, found)
    return str(found["Id"])


async def found_on(engine: Engine, image: Image) -> Mapping[str, Any] | None:
    """What the engine knows of an image; None when it does not have it."""
    async with translated("the image could not be looked for"):
        try:
            return await engine.docker.images.inspect(image.by_digest)
        except DockerError as error:
            if error.status == GONE:
                return None
            raise


async def _pull(
    engine: Engine, image: Image, connection: Connection, platform: str | None, report: Callable[[str], None]
) -> None:
    login = connection.registries.get(image.registry or "")
    async with _pulling(image):
        done: dict[str, tuple[int, int]] = {}
        async with aclosing(_events(engine, image, login, platform)) as events:
            async for event in events:
                detail = event.get("progressDetail") or {}
                if detail.get("total"):
                    done[str(event.get("id", ""))] = int(detail.get("current", 0)), int(detail["total"])
                report(_told(image, done))


async def _events(
    engine: Engine, image: Image, login: Login | None, platform: str | None
) -> AsyncGenerator[Mapping[str, Any], None]:
    """As `aiodocker`'s own pull, which leaves its connection open when nobody reads on (a cancelled order)."""
    params = {"fromImage": image.by_digest} | ({"platform": platform} if platform else {})
    who = {"username": login.username, "password": login.password.get_secret_value()} if login else None
    headers = {"X-Registry-Auth": compose_auth_header(who, image.registry or "")} if who else {}
    asked = engine.docker._query("images/create", "POST", params=params, headers=headers, timeout=ClientTimeout())  # noqa: SLF001
    async with asked as answer:
        try:
            async for line in answer.content:
                event: Mapping[str, Any] = json.loads(line)
                if error := event.get("error"):
                    raise DockerError(200, str(error))
                yield event
        finally:
            answer.close()


def _told(image: Image, done: Mapping[str, tuple[int, int]]) -> str:
    current, total = (sum(column) for column in zip(*done.values(), strict=True)) if done else (0, 0)
    return f"fetches {image.name}" + (f", {current / 1e6:.0f} of {total / 1e6:.0f} MB" if total else "")


@asynccontextmanager
async def _pulling(image: Image) -> AsyncIterator[None]:
    """Podman tells of failures in the stream, Docker by the status; the sentences are those of the registry."""
    what = f"{image.by_digest} could not be fetched"
    async with translated(what):
        try:
            yield
        except DockerError as error:
            if error.status == NOT_REACHED:
                raise
            code = "no_such_image" if error.status == GONE else code_of_pull(error.message)
            raise Failed(code, f"{what}: {error.message}") from error


def _refuse_other_platform(engine: Engine, wanted: Definition, found: Mapping[str, Any]) -> None:
    has = f"{found.get('Os', '')}/{found.get('Architecture', '')}"
    if wanted.spec.platform is None and has != engine.platform:
        raise Failed("wrong_platform", f"{wanted.image.by_digest} is for {has}, the engine runs {engine.platform}")


async def let_go(engine: Engine, images: Sequence[str]) -> None:
    """Remove images that no rollback needs any more; one that another container needs stays."""
    for image in images:
        async with translated("an image could not be removed"):
            try:
                await engine.docker.images.delete(image)
            except DockerError as error:
                # Podman says 500 for an image in use, too. It is only about room on the disk.
                if error.status not in (GONE, CONFLICT, 500):
                    raise
