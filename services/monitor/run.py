"""The frame of the monitor's process: until a signal, or until something breaks.

faust's own worker is not used: it opens a web server, takes over logging, and does not end by itself when a consumer
hangs. Any failure ends the process with status 1; the supervisor starts it anew and the changelogs bring it up to date.
"""

import asyncio
import os
import signal
import sys

import structlog

from services.monitor.app import Monitor
from services.monitor.settings import MonitorSettings
from shared import log as logs
from shared.settings import Settings

log = structlog.get_logger()


def main() -> None:
    """Until SIGTERM or SIGINT, exit status 0; anything that broke: status 1."""
    settings, knobs = Settings(), MonitorSettings()
    logs.configure(settings, "monitor")
    status = asyncio.run(_main(settings, knobs))
    log.info("stopped", action="stopped")
    sys.stderr.flush()
    os._exit(status)  # threads of a consumer that hangs would keep the process alive


async def _main(settings: Settings, knobs: MonitorSettings) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(Monitor(settings, knobs).run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        log.info("stops", action="stopping")
        running.cancel()
    broken = (await asyncio.gather(running, return_exceptions=True))[0]
    if stop.is_set():
        return 0
    log.error("the monitor broke", action="broke", exc_info=broken)
    return 1
