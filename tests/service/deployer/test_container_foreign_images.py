"""Programs that nobody here wrote, Redis and nginx as Debian packages them: replaced with their data and traffic."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.deployer.drivers import Component, Order
from services.deployer.drivers.durable.driver import DurableDriver
from shared.components.container import ContainerSpec
from tests.support import compose_images
from tests.support.container_lab import Lab
from tests.support.container_sites import broken, done, ids
from tests.support.lacking import left_out
from tests.support.process_sites import free_port

pytestmark = [pytest.mark.service, pytest.mark.containers]

PACKAGES = ("redis-server", "redis-tools", "nginx-light", "bash", "dash", "coreutils", "libc-bin", "base-files")
#: What the scripts of the packages do: users and folders. Nothing of the programs, or of their settings, is changed.
USERS = """cd "$1"; mkdir -p root tmp run var/log/nginx var/lib/nginx var/lib/redis; chmod 1777 tmp
echo "root:x:0:0::/root:/bin/sh" > etc/passwd; echo "root:x:0:" > etc/group
echo "www-data:x:33:33::/var/www:/bin/false" >> etc/passwd; echo "www-data:x:33:" >> etc/group
mkdir -p var/www/html; echo "as Debian has it" > var/www/html/index.html
ln -sf /etc/nginx/sites-available/default etc/nginx/sites-enabled/default"""
ASK = "exec 3<>/dev/tcp/127.0.0.1/80 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3"
ANSWERS = f"{ASK} && read -r line <&3 && [[ $line == *200* ]]"


@pytest.fixture
async def image(container_lab: Lab) -> str:
    if reason := compose_images.missing():
        left_out(reason)
    if "foreign" not in container_lab.digests:
        tar = await asyncio.to_thread(compose_images.debian, "redis-nginx", PACKAGES, USERS)
        container_lab.podman("import", "-q", str(tar), "localhost/foreign")
        container_lab.digests["foreign"] = container_lab.push("debian:1", "FROM localhost/foreign\n")
    return container_lab.digests["foreign"]


def order(lab: Lab, key: str, **spec: Any) -> Order:
    component = Component("store", "container", ContainerSpec.model_validate(spec))
    return Order(key, "s1", {"url": lab.url}, f"debian-{lab.net}", "apply", component, "1.0", "a" * 64)


async def test_redis_keeps_its_data_when_it_is_replaced(
    containers: DurableDriver, container_lab: Lab, image: str
) -> None:
    spec: dict[str, Any] = {
        "image": image,
        "command": ["redis-server", "--dir", "/data", "--appendonly", "yes", "--protected-mode", "no"],
        "volumes": [{"name": "data", "target": "/data"}],
        "health": {"command": ["redis-cli", "ping"], "interval_seconds": 0.2, "stable_seconds": 0.5},
    }
    await done(containers, order(container_lab, "o1", **spec))
    (first,) = ids(container_lab)
    container_lab.podman("exec", first, "redis-cli", "set", "colour", "red")
    smaller = {**spec, "command": [*spec["command"], "--maxmemory", "32mb"], "limits": {"memory": "128m"}}
    await done(containers, order(container_lab, "o2", **smaller))
    (second,) = ids(container_lab)
    assert second != first
    assert container_lab.podman("exec", second, "redis-cli", "get", "colour") == "red"
    wrong = {**spec, "command": ["redis-server", "--no-such-option", "1"], "restart": {"policy": "no"}}
    failed = await broken(containers, order(container_lab, "o3", **wrong))
    assert failed.code == "exited"
    assert any("no-such-option" in line for line in failed.last_lines)
    assert ids(container_lab) == {second: "running"}
    assert container_lab.podman("exec", second, "redis-cli", "get", "colour") == "red"


async def test_nginx_serves_its_page_and_what_the_new_one_brings(
    containers: DurableDriver, container_lab: Lab, image: str, tmp_path: Path
) -> None:
    port = free_port()
    spec: dict[str, Any] = {
        "image": image,
        "command": ["nginx", "-g", "daemon off;"],
        "ports": [{"container": 80, "host": port, "address": "127.0.0.1"}],
        "health": {"command": ["bash", "-c", ANSWERS], "interval_seconds": 0.2, "stable_seconds": 0.5},
        "stop_signal": "SIGQUIT",
    }
    first = order(container_lab, "o1", **spec)
    revision = (await done(containers, first)).revision
    async with httpx.AsyncClient(timeout=10) as http:
        page = f"http://127.0.0.1:{port}/index.html"
        assert (await http.get(page)).text == "as Debian has it\n"
        (tmp_path / "index.html").write_text("as we have it\n")
        tmp_path.chmod(0o755)  # noqa: ASYNC240
        ours = [{"folder": str(tmp_path), "target": "/var/www/html", "read_only": True}]
        await done(containers, order(container_lab, "o2", **spec, volumes=ours))
        assert (await http.get(page)).text == "as we have it\n"
        await done(containers, replace(first, key="o3", action="rollback", revision=revision))
        assert (await http.get(page)).text == "as Debian has it\n"
