"""Restate's Python SDK: a service whose handler brings a site through four durable steps.

It says its port when it serves.
"""

import asyncio
import logging
import socket
import sys

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

UNBOUNDED = 2**31 - 1
"""Requests of a connection: as Restate's documentation advises for production."""

sites = restate.Service("sites")


@sites.handler()
async def upgrade(context: restate.Context, site: str) -> str:
    accepted = await context.run_typed("accepted", lambda: site)
    started = await context.run_typed("started", lambda: accepted)
    finished = await context.run_typed("finished", lambda: started)
    return await context.run_typed("recorded", lambda: finished)


async def main() -> None:
    config = Config()
    config.h2_max_concurrent_streams = config.keep_alive_max_requests = config.keep_alive_timeout = UNBOUNDED
    config.loglevel = "ERROR"
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        config.bind = [f"fd://{listening.fileno()}"]
        sys.stdout.write(f"{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        await serve(restate.app([sites]), config)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    asyncio.run(main())
