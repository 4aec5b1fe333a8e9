"""Images on an engine: had by their digest, before anything is touched; and let go when no rollback needs them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiodocker import DockerError
from aiodocker.utils import compose_auth_header
from aiohttp import ClientTimeout

from services.deployer.drivers import Item
from services.deployer.drivers.container.archive import Whole, tag_of
from services.deployer.drivers.container.connection import Connection, Login
from services.deployer.drivers.container.definition import Definition, revisions_of
from services.deployer.drivers.container.engine import GONE, NOT_REACHED, Engine, Unreachable, seen_in, translated
from services.deployer.drivers.container.sending import Sending, Store, forget, forget_parts
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.pulls.refusals import code_of_pull
from shared.components.images import Image, image_of


@dataclass(frozen=True, slots=True)
class Source:
    """Where an order's image comes from when its engine lacks it: what was prepared of it, or else a registry."""

    connection: Connection
    store: Store
    site: str
    items: Sequence[Item]
    report: Callable[[str, int], None]
    """Told how far it is, and in per cent."""
    sent: Callable[[int], None]
    """Told of each piece that was sent to the engine; what it pulls by itself is not."""
    arrived: Callable[[], Awaitable[None]]
    """Told when some layers have arrived, and need not be sent again."""

    async def prepared(self, engine: Engine, wanted: Definition) -> Whole | None:
        """The image as it was prepared for the engine's platform; None = it was not. Raises Failed."""
        platform = "/".join((wanted.spec.platform or engine.platform).split("/")[:2])
        others = []
        for item in self.items:
            if item.kind == "image" and image_of(item.name).by_digest == wanted.image.by_digest:
                whole = await self.store.whole(item)
                if whole is None or whole.platform == platform:
                    return whole
                others.append(whole.platform)
        if others:
            told = f"{wanted.image.by_digest} was prepared for {', '.join(others)}, the engine runs {platform}"
            raise Failed("wrong_platform", told)
        return None


@dataclass(frozen=True, slots=True)
class Had:
    """An image that is on its engine."""

    id: str
    name: str
    """By which the engine finds it."""


async def have(engine: Engine, wanted: Definition, source: Source) -> Had:
    """Make sure that the image is on the engine. Raises Failed with the reason why it cannot be had."""
    image, pull = wanted.image, wanted.spec.pull
    found = await found_on(engine, image)
    if found is None or pull == "always":
        if whole := await source.prepared(engine, wanted):
            if found is None:
                await _send(engine, image, whole, source)
        elif found is None and pull == "never":
            told = f"the engine does not have {image.by_digest}, and the spec says `pull: never`"
            raise Failed("no_such_image", told)
        elif pull != "never":
            await _pull(engine, image, source, wanted.spec.platform)
        found = await found_on(engine, image)
    if found is None:  # the stream ends without a word when the engine does
        raise Unreachable(f"the engine ended while it fetched {image.by_digest}")
    _refuse_other_platform(engine, wanted, found.shown)
    return Had(str(found.shown["Id"]), found.name)


@dataclass(frozen=True, slots=True)
class Found:
    """What an engine knows of an image."""

    name: str
    shown: Mapping[str, Any]


async def found_on(engine: Engine, image: Image) -> Found | None:
    """The image by its digest, or by the name that it got when it was sent; None when the engine does not have it."""
    for name in names_of(image):
        async with translated("the image could not be looked for"):
            try:
                return Found(name, await engine.docker.images.inspect(name))
            except DockerError as error:
                if error.status != GONE:
                    raise
    return None


def names_of(image: Image) -> tuple[str, str]:
    """What an engine may know an image by."""
    return image.by_digest, tag_of(image)


async def _send(engine: Engine, image: Image, whole: Whole, source: Source) -> None:
    gone = 0

    def sent(count: int) -> None:
        nonlocal gone
        gone += count
        source.sent(count)
        told = f"sends {image.name}, {gone / 1e6:.0f} of at most {whole.size / 1e6:.0f} MB"
        source.report(told, min(99, 100 * gone // whole.size))

    await Sending(engine, source.store, source.site, image, whole, sent, source.arrived).send()


async def _pull(engine: Engine, image: Image, source: Source, platform: str | None) -> None:
    login = source.connection.registries.get(image.registry or "")
    async with _pulling(image):
        done: dict[str, tuple[int, int]] = {}
        async with aclosing(_events(engine, image, login, platform)) as events:
            async for event in events:
                detail = event.get("progressDetail") or {}
                if detail.get("total"):
                    done[str(event.get("id", ""))] = int(detail.get("current", 0)), int(detail["total"])
                source.report(_told(image, done), 50)


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


async def let_go(engine: Engine, names: Collection[str]) -> list[str]:
    """Remove images, by their names with digest, but for those that a container of anybody on the engine has, or a
    rollback of it may return to; those gone."""
    if not names:
        return []
    containers = [seen_in(each) for each in await engine.listed()]
    kept = {name for seen in containers for name in revisions_of(seen)}
    running = {plain(seen.image_id) for seen in containers}
    gone = []
    for name in sorted(set(names) - kept):
        found = await found_on(engine, image_of(name))
        if found and plain(found.shown["Id"]) not in running:
            await _forget(engine, name)
            gone.append(name)
    return gone


async def _forget(engine: Engine, name: str) -> None:
    for known in names_of(image_of(name)):
        await forget(engine, known)


async def discard(engine: Engine, items: Sequence[Item]) -> list[str]:
    """Remove images that were sent or pulled ahead, and nothing on the engine needs; those gone."""
    await forget_parts(engine, {item.sha256 for item in items})
    return await let_go(engine, {image_of(item.name).by_digest for item in items if item.kind == "image"})


def plain(image_id: object) -> str:
    """An image's id as all engines tell it."""
    return str(image_id).removeprefix("sha256:")
