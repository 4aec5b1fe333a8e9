"""Traffic while a container is replaced: by an alias nobody notices, and a port is not left for what may fail."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.container_lab import Lab
from tests.support.container_sites import broken, done, ids, order
from tests.support.patience import until_so
from tests.support.process_sites import free_port

pytestmark = [pytest.mark.service, pytest.mark.containers]

ASKS = r"""found() { nslookup $1 2>/dev/null | sed -n '/^Name/,$s/.*Address.*: //p'; }
while :; do
  said=deaf
  for attempt in 1 2 3; do
    steady=$(found steady); addresses=$(found web)
    [ -z "$addresses" ] && [ -n "$steady" ] && said=unresolved
    for address in $addresses; do
      said=$(printf 'GET /version HTTP/1.0\r\n\r\n' | nc -w 2 $address 8080 2>/dev/null | tail -n 1)
      [ -n "$said" ] && break 2
    done
    sleep 0.1
  done
  echo "${said:-nothing}"; sleep 0.05
done"""
"""A client as most are: it looks the name up for each request, again if need be, and tries each of its addresses.

`nothing`: it got addresses, and nobody answered at any. `unresolved`: it got none, while a name that never changes had
one in the same moment: ours is missing. `deaf`: that name had none either, each time: the engine's resolver gives no
answer now and then when any container joins or leaves a network (the driver's README has figures): no fault of ours.
"""


async def test_nobody_who_asks_by_an_alias_notices_an_update(containers: DurableDriver, container_lab: Lab) -> None:
    networks = [{"name": "front", "aliases": ["web"]}]
    await done(containers, order(container_lab, "o1", networks=networks))
    async with asking(container_lab) as said:
        await until_so(lambda: _has(said, "1.0"), seconds=60)
        for number in range(2, 5):
            version = f"{number}.0"
            await done(containers, order(container_lab, f"o{number}", version, networks=networks))
            await until_so(lambda version=version: _has(said, version), seconds=60)  # type: ignore[misc]
        answers = said()
    once_it_was_found = answers[answers.index("1.0") :]
    told = [(answer, len(list(run))) for answer, run in itertools.groupby(once_it_was_found)]
    assert {answer for answer, _ in told} - {"deaf"} == {f"{number}.0" for number in range(1, 5)}, told


async def _has(said: Callable[[], list[str]], word: str) -> bool:
    return word in said()


@asynccontextmanager
async def asking(lab: Lab) -> AsyncIterator[Callable[[], list[str]]]:
    """A client in the network of the app; what it got for each request."""
    (network,) = [name for name in lab.podman("network", "ls", "--format", "{{.Name}}").split() if "front" in name]
    image = next(iter(lab.digests.values()))
    run = ("run", "-d", "--network", network)
    steady = lab.podman(*run, "--network-alias", "steady", image, "/bin/sh", "-c", "while :; do sleep 1; done")
    client = lab.podman(*run, image, "/bin/sh", "-c", ASKS)
    try:
        yield lambda: lab.podman("logs", client).split()
    finally:
        lab.podman("rm", "--force", "--time=0", client, steady)


async def test_a_port_of_the_host_is_served_by_the_old_container_until_the_new_one_takes_it(
    containers: DurableDriver, container_lab: Lab
) -> None:
    port = free_port()
    ports = [{"container": 8080, "host": port, "address": "127.0.0.1"}]
    await done(containers, order(container_lab, "o1", ports=ports))
    assert await version_at(port) == "1.0"
    await done(containers, order(container_lab, "o2", "2.0", ports=ports))
    assert await version_at(port) == "2.0"
    missing = order(container_lab, "o3", ports=ports, image=f"{container_lab.registry}/app@sha256:{'0' * 64}")
    failed = asyncio.create_task(broken(containers, missing))
    while not failed.done():  # what cannot be had costs the old one nothing
        assert await version_at(port) == "2.0"
    await broken(containers, order(container_lab, "o4", "3.0", ports=ports, environment={"EXIT": "1"}))
    assert await version_at(port) == "2.0"


async def test_what_writes_to_one_volume_never_runs_twice(containers: DurableDriver, container_lab: Lab) -> None:
    volumes = [{"name": "data", "target": "/data"}]
    await done(containers, order(container_lab, "o1", volumes=volumes))
    slow = order(container_lab, "o2", "2.0", volumes=volumes, environment={"SLOW": "1"})
    update = asyncio.create_task(done(containers, slow))
    most = 0
    while not update.done():
        most = max(most, list(ids(container_lab).values()).count("running"))
        await asyncio.sleep(0.1)
    assert most == 1


async def version_at(port: int) -> str:
    """What answers at a port of the host."""
    async with httpx.AsyncClient(timeout=10) as client:
        return (await client.get(f"http://127.0.0.1:{port}/version")).text.strip()
