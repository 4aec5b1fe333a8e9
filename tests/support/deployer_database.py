"""A database with the deployer's tables alone, for drivers that keep their orders there."""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shared.process import provision
from shared.process.db import connect_pool, migrate
from tests.support.runtime import execute


@pytest.fixture
def deployer_database(postgres_admin: str, tmp_path: Path) -> Iterator[str]:
    """Its DSN, with the deployer's own role. Not of the test's event loop, so that any fixture may ask for it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    asyncio.run(execute(postgres_admin, f"create database {name} template template0"))
    yield asyncio.run(_made(urlsplit(postgres_admin)._replace(path=f"/{name}").geturl(), tmp_path, name))
    asyncio.run(execute(postgres_admin, f"drop database {name} with (force)"))


async def _made(admin: str, home: Path, name: str) -> str:
    await provision.create_schemas(admin, home, name)
    dsn = provision.service_dsn(admin, "deployer", home, name)
    async with await connect_pool(dsn) as pool:
        await migrate(pool, "services.deployer")
    return dsn
