"""The frame of the monitor's process: until a signal, or until something breaks.

faust's own worker is not used: it opens a web server, takes over logging, and does not notice when a consumer hangs.
What breaks in faust is started anew inside of the process (app.py); only what that does not cure ends it with status 1.
"""

import asyncio
import os
import sys

import structlog

from services.monitor.app import Monitor
from services.monitor.settings import MonitorSettings
from shared.process import log as logs
from shared.process.runs import Runs
from shared.process.service import until_signal
from shared.process.settings import Settings

log = structlog.get_logger()


def main() -> None:
    """Until SIGTERM or SIGINT, exit status 0; anything that broke: status 1."""
    settings, own = Settings(), MonitorSettings()
    logs.configure(settings, "monitor")
    status = 0
    try:
        with Runs(settings.home, "monitor", settings.instance) as runs:
            asyncio.run(until_signal(Monitor(settings, own).run(), runs.end))
    except Exception:
        log.exception("the monitor broke", action="broke")
        status = 1
    sys.stderr.flush()
    os._exit(status)  # threads of a consumer that hangs would keep the process alive
