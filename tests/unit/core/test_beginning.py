"""A service that starts while connections are cut goes on starting."""

import asyncio
from contextlib import suppress
from pathlib import Path

from shared.process.service import Service, build
from shared.process.settings import Settings
from tests.support.patience import patience


async def test_a_connection_cut_while_it_is_made_is_made_again(tmp_path: Path) -> None:
    tries, again = 0, asyncio.Event()

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        if tries > 1:
            again.set()
        await reader.read(100)
        writer.close()

    async def wire(_: Service) -> None:
        """Nothing."""

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Settings(home=tmp_path, postgres=f"postgresql://belay@127.0.0.1:{port}/belay?sslmode=disable")
    starting = asyncio.create_task(build("catalog", wire, settings))
    try:
        async with patience(20):
            await asyncio.wait([starting, asyncio.create_task(again.wait())], return_when=asyncio.FIRST_COMPLETED)
        assert not starting.done(), starting.exception()
    finally:
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting
        server.close()
