"""`python -m tests.support.kubernetes.victim FILE`: a deployer that carries out one order, to be killed while it does.

The file, a pickle that the test has written, says which; it is the only place where the kubeconfig lies.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from services.deployer.drivers import Order
from tests.support.kubernetes import sites
from tests.support.kubernetes.lab import Lab

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Task:
    """What a victim is to do."""

    helm: Path
    dsn: str
    folder: Path
    order: Order


def begin(lab: Lab, dsn: str, folder: Path, order: Order, temporary: Path) -> subprocess.Popen[bytes]:
    """Start one; `temporary` is where it would leave its files."""
    task = folder / "task"
    folder.mkdir(parents=True, exist_ok=True)
    task.write_bytes(pickle.dumps(Task(lab.helm, dsn, folder, order)))
    command = [sys.executable, "-m", "tests.support.kubernetes.victim", str(task)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "TMPDIR": str(temporary)}, stdout=subprocess.PIPE)


def kill(victim: subprocess.Popen[bytes]) -> None:
    """As when the machine loses its power, for this process."""
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert victim.stdout
    victim.stdout.close()


def helms(lab: Lab) -> list[psutil.Process]:
    """Each helm of the lab that runs.

    While the processes are walked through, one may end and the next begin: what had ended by the end is not counted.
    """
    seen = [each for each in psutil.process_iter(["cmdline"]) if str(lab.helm) in (each.info["cmdline"] or ())]
    return [each for each in seen if _runs(each)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def main(task: Task) -> None:
    lab = Lab(task.folder, task.helm, None)  # type: ignore[arg-type]
    driver = sites.driver(lab, task.dsn, task.folder)
    told = ""
    await driver.start([task.order])
    while True:
        [progress] = await driver.poll([task.order])
        if (now := getattr(progress, "detail", "ended")) != told:
            sys.stdout.write(f"{now}\n")
            sys.stdout.flush()
            told = now
        await driver.wait(0.01)


if __name__ == "__main__":
    asyncio.run(main(pickle.loads(Path(sys.argv[1]).read_bytes())))  # noqa: S301 - the test's own
