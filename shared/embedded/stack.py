"""All of Belay on one machine: up, down, and how it is.

Order: PostgreSQL and Kafka, provisioning once both answer, then the services; down the other way round.
"""

from __future__ import annotations

import asyncio
import fcntl
import math
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import psutil

from shared.embedded import jars, kafka, launch, postgres, process, supervisor, watching
from shared.embedded.home import Home
from shared.embedded.programs import Wish, addresses, allocate_ports, services
from shared.embedded.starting import Ends, Progress, last_lines, worked
from shared.embedded.supervisor import SupervisorClient, SupervisorUnreachable

Say = Callable[[str], None]
Daemon = subprocess.Popen[bytes]

#: A server that neither answers nor has used a processor for so long will not.
START_SECONDS = 60
LOOK_SECONDS = 0.5
#: Making tables and topics is bounded by what the servers do: a hang must end some day.
PROVISION_SECONDS = 1_800
STOP_SECONDS = 120
DETACHED = "run/detached"
#: What may be left of a dead supervisor ends in this order; everything else before them.
LAST = ("kafka", "postgres")
TITLES = {"kafka": "Kafka", "postgres": "PostgreSQL"}


class StackError(RuntimeError):
    """The stack cannot be started or stopped; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Status:
    """One process: state in supervisord's words (RUNNING, BACKOFF, ...), uptime in s, memory in bytes."""

    name: str
    state: str
    pid: int | None
    uptime: float
    memory: int
    port: int | None


def silent(_: str) -> None:
    """Say nothing."""


def start(home: Home, wish: Wish, say: Say, doing: Say = silent, *, detached: bool = False) -> Daemon:
    """Start everything and return the supervisor as soon as all services were started.

    `say` gets a sentence for each part that is there, `doing` what is under way.

    Clears away what an earlier, killed supervisor left. Raises StackError if Kafka or PostgreSQL does not
    answer, provisioning fails, or one runs detached. In the first two cases nothing is left running.
    The caller holds `alone(home)`.
    """
    refuse_detached(home)
    stop(home)
    allocate_ports(home, wish)
    watching.forget_earlier(home, wish)
    _prepare_servers(home, wish, say, doing)
    supervisor.write_config(home, wish)
    (home.root / DETACHED).write_text("1" if detached else "")
    daemon = supervisor.spawn(home, detached=detached)
    try:
        _bring_up(home, wish, daemon, say, doing)
    except BaseException:  # Ctrl-C too: half a stack helps nobody
        stop(home)
        daemon.wait()
        raise
    return daemon


def _prepare_servers(home: Home, wish: Wish, say: Say, doing: Say) -> None:
    """What each start of a server does anyway, once before: what cannot be had is said here and now."""
    doing(f"preparing {' and '.join(TITLES[name] for name in wish.servers())}")
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(_prepare, home, name, say, doing) for name in wish.servers()]:
            done.result()


def _prepare(home: Home, name: str, say: Say, doing: Say) -> None:
    if name == "kafka" and (missing := jars.missing(home.jars)):
        say(f"fetching Kafka's Java packages, once: {len(missing)} of {len(jars.pinned())}, 45 MB in all")
        jars.ensure(home.jars, doing)
    launch.SERVERS[name](home)


def _bring_up(home: Home, wish: Wish, daemon: Daemon, say: Say, doing: Say) -> None:
    try:
        SupervisorClient(home).wait(daemon)
    except SupervisorUnreachable as error:
        raise StackError(f"{error}: {supervisor.output(home).read_text().strip()}") from error
    for name in wish.missing():
        say(f"service {name} is not here (no package services.{name}): left out")
    doing("waiting for PostgreSQL and Kafka")
    asyncio.run(_servers_answer(home, wish, daemon, say))
    doing("making tables, roles and topics")
    _provision(home, wish)
    say("tables, roles and topics are ready")
    SupervisorClient(home).start_services()
    doing(f"{len(services(home, wish))} services start")


async def _servers_answer(home: Home, wish: Wish, daemon: Daemon, say: Say) -> None:
    """Of our own as long as they get anywhere; others, which nobody here can look at, within START_SECONDS."""
    known, missing = addresses(home, wish), dict.fromkeys(TITLES, float(START_SECONDS))
    missing |= dict.fromkeys(wish.servers(), math.inf)

    async def told(name: str, ready: Awaitable[None]) -> None:
        await ready
        del missing[name]
        say(f"{TITLES[name]} is ready")

    waits = (
        told("postgres", postgres.ready(known["BELAY_POSTGRES_ADMIN"], missing["postgres"])),
        told("kafka", kafka.ready(known["BELAY_KAFKA"], missing["kafka"])),
    )
    try:
        async with asyncio.TaskGroup() as group:
            guards = [group.create_task(guard) for guard in (_alive(daemon), _going_on(home, missing, say))]
            await asyncio.gather(*waits)
            for guard in guards:
                guard.cancel()
    except* TimeoutError as faults:
        raise StackError(f"{faults.exceptions[0]}; see the logs in {home.logs}") from faults
    except* StackError as faults:
        raise faults.exceptions[0] from None


async def _alive(daemon: Daemon) -> None:
    """Fail as soon as the supervisor is gone, by `down` or a kill: nothing will answer any more."""
    while daemon.poll() is None:  # noqa: ASYNC110  no event tells of a process's end everywhere
        await asyncio.sleep(0.1)
    raise StackError("the supervisor was stopped while everything was starting")


async def _going_on(home: Home, missing: Mapping[str, float], say: Say) -> None:
    """Tell at once of a server that ended. Fail once none of those that are missing has moved for START_SECONDS."""
    ends, progress = Ends(home), Progress(START_SECONDS)
    while True:
        with suppress(SupervisorUnreachable):
            for _, line in ends.look(await asyncio.to_thread(SupervisorClient(home).processes)):
                say(line)
        progress.note({name: 0 if ends.times[name] else worked(ends.pid(name)) for name in missing})
        if progress.stalled and all(math.isinf(missing[name]) for name in missing):
            names = " and ".join(TITLES[name] for name in missing)
            last = "\n".join(f"    {line}" for name in missing for line in last_lines(home, name))
            silent = f"no answer, and nothing has moved for {START_SECONDS} s"
            raise StackError(f"{names}: {silent}; logs in {home.logs}\n{last}")
        await asyncio.sleep(LOOK_SECONDS)


def _provision(home: Home, wish: Wish) -> None:
    environment = {**os.environ, **addresses(home, wish)}
    done = subprocess.run(  # noqa: S603
        wish.provision, env=environment, capture_output=True, text=True, timeout=PROVISION_SECONDS, check=False
    )
    if done.returncode:
        raise StackError(f"provisioning failed:\n{done.stderr.strip()}")


def stop(home: Home) -> None:
    """Stop all in order. Nothing of this home runs afterwards, even if its supervisor was killed before."""
    daemon = process.recorded(home).get(supervisor.NAME)
    if daemon:
        process.end(daemon, _ask_to_stop(home), STOP_SECONDS)
    _end_rest(home)


def _ask_to_stop(home: Home) -> signal.Signals | None:
    """The signal to send instead if the supervisor does not take orders.

    None if it has taken this one: a signal on top may meet it at its very end and look like a kill.
    """
    try:
        SupervisorClient(home).shut_down()
    except SupervisorUnreachable:
        return signal.SIGTERM
    return None


def refuse_detached(home: Home) -> None:
    """Raise StackError if a stack runs on its own here; what any other left behind is fair to clear away."""
    if is_detached(home):
        raise StackError(f"Belay already runs in {home.root}: `status` shows it, `down` stops it")


def is_detached(home: Home) -> bool:
    """Whether a supervisor runs that was meant to run on its own."""
    mark = home.root / DETACHED
    meant = mark.exists() and mark.read_text() == "1"
    return meant and supervisor.NAME in process.recorded(home)


def _end_rest(home: Home) -> None:
    """End recorded processes that outlived their supervisor: services first, PostgreSQL last."""
    left = process.recorded(home)
    for name in sorted(left, key=lambda name: LAST.index(name) if name in LAST else -1):
        number = signal.SIGINT if name == "postgres" else signal.SIGTERM
        process.end(left[name], number, seconds=20)


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Hold a home for one `up`. Raises StackError if another one has it; falls with the process."""
    descriptor = os.open(home.run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise StackError(f"another `up` holds {home.root}: stop it there, or choose another BELAY_HOME") from error
    finally:
        os.close(descriptor)


def statuses(home: Home) -> list[Status]:
    """Every process of the home, the supervisor first; empty if nothing runs."""
    daemon = process.recorded(home).get(supervisor.NAME)
    if daemon is None:
        return []
    ports = home.read_json("ports.json")
    try:
        known = SupervisorClient(home).processes()
    except SupervisorUnreachable:
        known = []
    found = [(one["name"], one["statename"], one["pid"]) for one in known]
    all_of_them = [(supervisor.NAME, "RUNNING", daemon.pid), *found]
    return [_status(*one, ports.get(f"{one[0]}-page", ports.get(one[0]))) for one in all_of_them]


def _status(name: str, state: str, pid: int, port: int | None) -> Status:
    down = Status(name, state, None, 0, 0, port)
    if pid == 0:
        return down
    try:
        running = psutil.Process(pid)
        family = (running, *running.children(recursive=True)) if name == "postgres" else (running,)
        memory = sum(one.memory_info().rss for one in family)
        return Status(name, state, pid, time.time() - running.create_time(), memory, port)
    except psutil.Error:  # gone, and the supervisor has not noticed yet
        return replace(down, state="EXITED")
