"""Whether the hosts of sites answer: a login and one command each, with no run of Ansible."""

from __future__ import annotations

import asyncio
import platform
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncssh

from services.deployer.drivers import REACH_SECONDS, Broken, Reachable, Reached
from services.deployer.drivers.ansible.connection import Host, hosts_of
from services.deployer.drivers.ansible.delivery import HOME_FOLDER
from services.deployer.drivers.ansible.login import Cut, cut_told, logged_in
from services.deployer.drivers.failed import Failed

SECONDS = REACH_SECONDS - 1
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
"""As images call what `uname` says."""

ASK = """\
uname -sm
{python} --version 2>&1 | sed -n 's/^Python /python /p'
d={folder}; while [ ! -d "$d" ]; do d=$(dirname "$d"); done
df -Pk "$d" | awk 'END {{print "free", $4}}'
"""


async def reached(site: Reachable, here: Path) -> Reached | Broken:
    """What all hosts of a site say together, or why one does not answer. `here`: where content of this machine lies."""
    try:
        hosts = hosts_of(site.connection, site.site)
    except Failed as failed:
        return failed.broken
    answers = await asyncio.gather(*(_host(name, host, here) for name, host in hosts.items()))
    broken = next((answer for answer in answers if isinstance(answer, Broken)), None)
    return broken or together([answer for answer in answers if isinstance(answer, Reached)])


async def _host(name: str, host: Host, here: Path) -> Reached | Broken:
    try:
        async with asyncio.timeout(SECONDS):
            if host.local:
                return await asyncio.to_thread(_this_machine, Path(host.content_folder or here))
            async with logged_in(name, host, SECONDS) as session:
                with cut_told(name):
                    return await _asked(session, host)
    except Failed as failed:
        return failed.broken
    except Cut as cut:
        return Broken("unreachable", f"host {name} was cut off: {cut}")
    except TimeoutError:
        return Broken("unreachable", f"host {name} has not answered for {SECONDS:g} s")


async def _asked(session: asyncssh.SSHClientConnection, host: Host) -> Reached:
    """A host that runs no commands for this user has answered all the same."""
    folder = shlex.quote(host.content_folder) if host.content_folder else f'"$HOME/{HOME_FOLDER}"'
    said = await session.run(ASK.format(python=shlex.quote(host.python or "python3"), folder=folder))
    return told_by(str(said.stdout or "")) if said.exit_status == 0 else Reached()


def told_by(said: str) -> Reached:
    """What the answer to ASK means. Pure."""
    words = [line.split() for line in said.splitlines() if len(line.split()) == 2]
    named = dict(words[1:])
    facts = {"platform": _platform(*words[0])} if words else {}
    if "python" in named:
        facts["python"] = named["python"]
    free = named.get("free", "")
    return Reached(int(free) * 1024 if free.isdigit() else None, facts)


def _platform(system: str, machine: str) -> str:
    return f"{system.lower()}/{MACHINES.get(machine, machine)}"


def together(answers: Sequence[Reached]) -> Reached:
    """Of a site with these hosts: the least room that any has, and what they say of themselves. Pure."""
    known = [answer.free_bytes for answer in answers if answer.free_bytes is not None]
    facts: dict[str, Mapping[str, None]] = {}
    for answer in answers:
        for name, value in answer.facts.items():
            facts[name] = {**facts.get(name, {}), value: None}
    return Reached(min(known, default=None), {name: ", ".join(values) for name, values in facts.items()})


def _this_machine(folder: Path) -> Reached:
    there = next(each for each in (folder, *folder.parents) if each.is_dir())
    facts = {"platform": _platform(platform.system(), platform.machine()), "python": sys.version.partition(" ")[0]}
    return Reached(shutil.disk_usage(there).free, facts)
