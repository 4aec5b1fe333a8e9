"""A database with everybody's tables, made once a run. Each test gets a copy of it, which PostgreSQL makes in half the
time that it takes to make the tables anew."""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from shared.process import provision
from shared.process.db import connect_pool, migrate
from tests.support.runtime import execute


class Template(NamedTuple):
    """Its name, which the roles of its copies bear too, and the home that their passwords come from."""

    name: str
    home: Path


@pytest.fixture(scope="session")
def template(postgres_admin: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """Dropped after the run; nobody is connected to it, or it could not be copied."""
    made = Template(f"template_{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("template"))
    asyncio.run(_make(postgres_admin, made))
    yield made
    asyncio.run(execute(postgres_admin, f"drop database {made.name} with (force)"))


async def _make(postgres_admin: str, made: Template) -> None:
    await execute(postgres_admin, f"create database {made.name} template template0")
    admin = urlsplit(postgres_admin)._replace(path=f"/{made.name}").geturl()
    await provision.create_schemas(admin, made.home, made.name)
    for service in provision.SERVICES:
        # For each copy, too: what is set for a role in one database is not copied with it.
        await execute(admin, f'alter role "{made.name}_{service}" set search_path = {service}')
        async with await connect_pool(provision.service_dsn(admin, service, made.home, made.name)) as pool:
            await migrate(pool, f"services.{service}")


async def copied(postgres_admin: str, template: Template) -> str:
    """DSN of a new database like the template, by PostgreSQL's superuser."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    await execute(postgres_admin, f"create database {name} template {template.name} strategy file_copy")
    return urlsplit(postgres_admin)._replace(path=f"/{name}").geturl()
