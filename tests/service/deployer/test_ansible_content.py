"""Files of a bundle on the hosts before its playbooks run: sent once, from where it was cut off, at the site's pace."""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import random
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from services.deployer.drivers import Broken, Done, Item, Order
from shared.blobs import Blobs
from shared.process.settings import Settings
from tests.support.ansible_sites import FILES, PLAYBOOKS, Lab, ends, order, reach
from tests.support.metered_proxy import Link, port_link
from tests.support.sshd_lab import USER, Host, SshdLab

pytestmark = [pytest.mark.ssh, pytest.mark.service]

MIB = 1 << 20
FRAMING = 300_000
"""Far more than SSH says beside content of a few MiB, and less than a chunk."""
USES = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Take the content that lies here
      copy: {src: "{{ belay_content['files/shop.bin'] }}", dest: "{{ root }}/release", remote_src: true}
"""


def made_up(size: int, seed: str = "shop") -> bytes:
    """Bytes that nothing can compress."""
    return random.Random(seed).randbytes(size)  # noqa: S311


@dataclass
class Stage:
    """A host by SSH behind a link, and a component that brings one file."""

    lab: Lab
    ssh: SshdLab
    host: Host
    link: Link
    port: int
    content: Path

    @property
    def connection(self) -> dict[str, Any]:
        return self.ssh.connection(self.host, port=self.port, content_folder=str(self.content))

    async def order(self, key: str, content: bytes, action: Any = "apply", **more: Any) -> Order:
        files = {**FILES, "apply.yml": USES, "files/shop.bin": content}
        made = await self.lab.bundle(files, files=["files"], playbooks=WITHOUT_VERIFY)
        return order(key, made, self.connection, action=action, **more)

    async def item(self, content: bytes) -> Item:
        """As a catalog prepares it."""
        await Blobs.open(Settings(home=self.lab.home)).put(_once(content), len(content))
        return Item("web", "package", "files/shop.bin", hashlib.sha256(content).hexdigest(), len(content))

    async def done(self, one: Order, **driver: Any) -> tuple[Done, int]:
        """Carry an order out; how it ended, and what went over the link."""
        before = self.link.sent
        (found,) = await reach(self.lab.driver(**driver), one, seconds=120)
        assert isinstance(found, Done), found
        return found, self.link.sent - before

    async def broken(self, one: Order, **driver: Any) -> Broken:
        (found,) = await reach(self.lab.driver(**driver), one, seconds=120)
        assert isinstance(found, Broken), found
        return found

    def whole(self, under: Path | None = None) -> list[Path]:
        return [file for file in (under or self.content).rglob("*") if file.is_file() and len(file.name) == 64]


WITHOUT_VERIFY = {name: book for name, book in PLAYBOOKS.items() if name != "verify"}


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


@pytest.fixture
async def stage(deployer_database: str, tmp_path: Path, sshd_lab: SshdLab) -> AsyncIterator[Stage]:
    lab, host = Lab(tmp_path, deployer_database), sshd_lab.host()
    async with port_link(host.port) as (link, port):
        yield Stage(lab, sshd_lab, host, link, port, host.folder / "site" / "content")
    await lab.close()


async def test_content_is_sent_once_and_playbooks_know_where_it_lies(stage: Stage) -> None:
    content = made_up(3 * MIB)
    cold, over_link = await stage.done(await stage.order("cold", content, "fetch"))
    assert cold.fetched_bytes == len(content)
    assert len(content) < over_link < len(content) + FRAMING
    assert [file.read_bytes() == content for file in stage.whole()] == [True]
    warm, over_link = await stage.done(await stage.order("warm", content, "fetch"))
    assert (warm.fetched_bytes, over_link < FRAMING) == (0, True)
    applied, over_link = await stage.done(await stage.order("apply", content))
    assert (applied.fetched_bytes, over_link < FRAMING) == (0, True)
    assert (stage.host.root / "release").read_bytes() == content


async def test_an_apply_sends_what_was_not_sent_before(stage: Stage) -> None:
    content = made_up(2 * MIB)
    applied, _ = await stage.done(await stage.order("apply", content))
    assert applied.fetched_bytes == len(content)
    assert (stage.host.root / "release").read_bytes() == content


async def test_prepared_content_comes_from_the_blob_store(stage: Stage) -> None:
    content = made_up(MIB, "prepared")
    fetch = replace(await stage.order("cold", b"small", "fetch"), items=(await stage.item(content),))
    await stage.done(fetch)
    assert [file.read_bytes() == content for file in stage.whole()] == [True]


async def test_who_is_killed_has_at_most_a_chunk_sent_again(stage: Stage, tmp_path: Path) -> None:
    content = made_up(5 * MIB)
    fetch = await stage.order("killed", content, "fetch")
    (tmp_path / "order").write_bytes(pickle.dumps(fetch))
    words = [str(tmp_path / "order"), str(stage.lab.home), stage.lab.dsn, "never", "after", str(3 * MIB)]
    victim = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.support.ansible_victim", *words)
    stage.link.at, stage.link.then = int(2.5 * MIB), victim.kill
    await victim.wait()
    assert 2 * MIB < stage.link.sent < len(content)
    (found,) = await ends(stage.lab.driver(), fetch)
    assert isinstance(found, Done), found
    twice = stage.link.sent - len(content)
    assert twice < MIB + FRAMING, twice
    assert [file.read_bytes() == content for file in stage.whole()] == [True]


async def test_a_link_that_is_cut_again_and_again_costs_a_chunk_each_time(stage: Stage) -> None:
    content, cuts = made_up(5 * MIB), [int(1.5 * MIB), int(4.5 * MIB)]

    def cut() -> None:
        stage.host.cut()
        stage.link.at = cuts.pop(0) if cuts else -1

    stage.link.at, stage.link.then = cuts.pop(0), cut
    found, over_link = await stage.done(await stage.order("cut", content, "fetch"))
    assert cuts == []
    assert over_link < len(content) + 2 * MIB + FRAMING
    assert len(content) - 2 * MIB <= found.fetched_bytes <= len(content)  # of what was cut nobody says how far it came


async def test_what_is_damaged_on_its_way_ends_the_connection_and_is_sent_anew(stage: Stage) -> None:
    content = made_up(3 * MIB)
    stage.link.damage_at = 2 * MIB
    await stage.done(await stage.order("damaged", content, "fetch"))
    assert [file.read_bytes() == content for file in stage.whole()] == [True]


async def test_what_was_damaged_on_the_host_is_sent_anew(stage: Stage) -> None:
    content = made_up(2 * MIB)
    item = await stage.item(content)
    stage.link.at, stage.link.then = int(1.5 * MIB), stage.host.stop
    cut_off = replace(await stage.order("cut", b"small", "fetch"), items=(item,))
    assert (await stage.broken(cut_off, unreachable_seconds=1)).code == "unreachable"
    (part,) = stage.content.rglob(".*.part")
    assert MIB <= part.stat().st_size < 2 * MIB
    part.write_bytes(bytes(MIB))
    stage.host.start()
    await stage.done(replace(cut_off, key="anew"))
    assert [file.read_bytes() == content for file in stage.whole()] == [True]


async def test_content_that_is_not_what_its_digest_says_reaches_no_host(stage: Stage) -> None:
    item = await stage.item(made_up(MIB))
    (blob,) = (stage.lab.home / "blobs").rglob(item.sha256)
    blob.write_bytes(bytes(MIB))
    failed = await stage.broken(replace(await stage.order("damaged", b"small", "fetch"), items=(item,)))
    assert failed.code == "content_damaged", failed
    assert not stage.whole()
    blob.unlink()
    gone = await stage.broken(replace(await stage.order("gone", b"small", "fetch"), items=(item,)))
    assert gone.code == "content_missing", gone


async def test_a_host_gets_no_more_than_its_pace(stage: Stage) -> None:
    content, begun = made_up(3 * MIB), time.monotonic()
    await stage.done(await stage.order("paced", content, "fetch"), site_bytes=MIB)
    assert time.monotonic() - begun > 1.7


async def test_a_disk_that_is_full_is_told_and_what_came_stays(stage: Stage) -> None:
    content = made_up(6 * MIB)
    with small_disk(stage.content, 4):
        failed = await stage.broken(await stage.order("full", content, "fetch"))
        assert failed.code == "disk_full", failed
    with small_disk(stage.content, 16):
        await stage.done(await stage.order("room", content, "fetch"))


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "belay", str(folder)], check=True)
    shutil.chown(folder, USER)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_discarded_content_goes_and_nothing_else(stage: Stage) -> None:
    first, second = await stage.item(made_up(MIB, "first")), await stage.item(made_up(MIB, "second"))
    await stage.done(replace(await stage.order("fetch", b"small", "fetch"), items=(first, second)))
    assert len(stage.whole()) == 2
    gone, _ = await stage.done(replace(await stage.order("discard", b"small", "discard"), items=(first,)))
    assert gone.detail == "1 files let go on 1 host"
    assert [file.name for file in stage.whole()] == [second.sha256]
    assert not [link for link in stage.content.rglob("*") if first.sha256 in str(link)]


async def test_every_host_of_a_site_gets_the_content_and_one_that_is_away_fails_the_site(stage: Stage) -> None:
    other, content = stage.ssh.host(), made_up(MIB)
    one = await stage.order("both", content, "fetch")
    there = {"content_folder": str(other.root / "content"), "vars": {"root": str(other.root)}}
    hosts = {"a": {}, "b": {"port": other.port, "host_keys": [other.public_key], **there}}
    both = replace(one, connection={**stage.connection, "hosts": hosts})
    found, _ = await stage.done(both)
    assert found.fetched_bytes == 2 * len(content)
    assert len([*stage.whole(), *stage.whole(other.root)]) == 2
    other.stop()
    failed = await stage.broken(replace(both, key="away"))
    assert (failed.code, ".b " in failed.message) == ("unreachable", True)


async def test_a_host_that_is_this_machine_has_its_content_in_a_folder(stage: Stage) -> None:
    content = made_up(MIB)
    made = replace(await stage.order("here", content), connection=stage.lab.local("s1"))
    applied, _ = await stage.done(made)
    assert applied.fetched_bytes == len(content)
    assert (stage.lab.folder / "sites/s1/release").read_bytes() == content
    again, _ = await stage.done(replace(made, key="again"))
    assert again.fetched_bytes == 0
