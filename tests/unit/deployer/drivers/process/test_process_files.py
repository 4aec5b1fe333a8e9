"""What the process driver keeps in files: revisions, orders, marks of processes, locks."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.deployer.drivers import Broken, Done, Order, Running
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.locks import try_lock
from services.deployer.drivers.process import release
from services.deployer.drivers.process.keeper.mark import Mark
from services.deployer.drivers.process.order_file import FORGET_EVERY_SECONDS, OrderFile, forget_old
from services.deployer.drivers.process.place import BadConnection, Place, place_of
from services.deployer.drivers.process.release import RevisionSpec
from tests.support.process_sites import component, order


@pytest.fixture
def one() -> Order:
    return order("op-1:forward:web", "1.0", "a" * 64, 8101)


@pytest.fixture
def place(tmp_path: Path, one: Order) -> Place:
    return place_of(tmp_path, one)[0]


def spec(**more: object) -> RevisionSpec:
    return RevisionSpec(app="a", version="1.0", bundle_sha256="a" * 64, component=component(**more).spec)


def test_the_same_content_is_the_same_revision_and_any_other_is_not() -> None:
    assert spec().revision == spec().revision
    assert spec(stop_seconds=6).revision != spec().revision


def test_a_revision_is_read_as_it_was_recorded(place: Place) -> None:
    release.record(place, spec())
    assert release.read(place, spec().revision) == spec()


@pytest.mark.parametrize("name", ["", "..", "../x", "/etc", "unknown"])
def test_what_is_no_revision_of_the_site_is_not_found(place: Place, name: str) -> None:
    assert release.read(place, name) is None


def test_a_revision_of_a_form_that_is_no_longer_understood_counts_as_gone(place: Place) -> None:
    release.record(place, spec())
    file = place.releases / spec().revision / "spec.json"
    file.write_text(file.read_text().replace("stop_seconds", "stop_after"))
    assert release.read(place, spec().revision) is None


def test_placeholders_are_filled_and_other_braces_left_alone(place: Place, tmp_path: Path) -> None:
    env = tmp_path / "env"
    (env / "bin").mkdir(parents=True)
    (env / "bin/answering").touch(mode=0o755)
    words = ("{port}", "{site}", "{data}/x", "{release}", '{"json": 1}')
    launch = release.launch_of(place, spec_of_words(words), "o1", 8101, env.parent, env)
    assert launch.argv[3:] == ("8101", "s1", f"{place.folder.data}/x", str(env.parent), '{"json": 1}')


def spec_of_words(words: tuple[str, ...]) -> RevisionSpec:
    return RevisionSpec(app="a", version="1.0", bundle_sha256="a" * 64, component=component(*words).spec)


@pytest.mark.parametrize(
    ("seed", "says"),
    [({"link/db": "seed.db"}, "outside of the data folder"), ({"db": "absent.db"}, "no file absent.db")],
)
def test_a_seed_that_cannot_be_is_refused(place: Place, tmp_path: Path, seed: dict[str, str], says: str) -> None:
    (tmp_path / "seed.db").touch()
    place.folder.data.mkdir(parents=True)
    (place.folder.data / "link").symlink_to(tmp_path)
    with pytest.raises(Failed, match=says):
        release.switch(place, spec(seed=seed), tmp_path)


def test_all_faults_of_params_are_named_with_their_values(tmp_path: Path, one: Order) -> None:
    with pytest.raises(BadConnection) as caught:
        place_of(tmp_path, replace(one, connection={"host": "a/b", "port": "many"}))
    assert "host: " in str(caught.value)
    assert "'a/b'" in str(caught.value)
    assert "'many'" in str(caught.value)


def test_a_missing_port_is_named(tmp_path: Path, one: Order) -> None:
    with pytest.raises(BadConnection, match="port: Field required"):
        place_of(tmp_path, replace(one, connection={}))


def test_each_app_and_each_component_may_have_a_port_of_its_own(tmp_path: Path, one: Order) -> None:
    def port(connection: dict[str, Any]) -> int:
        return place_of(tmp_path, replace(one, connection=connection))[1]

    own = f"{one.app}/{one.component.name}"
    assert port({"port": 80, "ports": {"other": 81}}) == 80
    assert port({"port": 80, "ports": {one.app: 82}}) == 82
    assert port({"ports": {one.app: 82, own: 83}}) == 83
    for wrong in ({"ports": {one.app: 0}}, {"ports": {"other": 81}}, {"ports": ["81"]}):
        with pytest.raises(BadConnection, match=r"ports"):
            port(wrong)


def test_an_order_is_known_after_it_began_and_keeps_its_result(place: Place, one: Order) -> None:
    assert isinstance(OrderFile(place, one).progress(), Broken)
    OrderFile(place, one).begin()
    assert OrderFile(place, one).progress() == Running("waits for its transaction", 0)
    OrderFile(place, one).finish(Done("1.0-abc", "well"))
    OrderFile(place, one).begin()
    assert OrderFile(place, one).progress() == Done("1.0-abc", "well")


def test_the_newest_order_of_a_component_supersedes_the_others(place: Place, one: Order) -> None:
    first, second = OrderFile(place, one), OrderFile(place, replace(one, key="op-2"))
    first.begin()
    second.begin()
    first.begin()
    assert (first.superseded, second.superseded) == (True, False)


def test_cancelling_an_order_that_never_began_ends_it_and_supersedes_nothing(place: Place, one: Order) -> None:
    first, second = OrderFile(place, one), OrderFile(place, replace(one, key="op-2"))
    first.begin()
    second.cancel()
    second.begin()
    assert not first.superseded
    found = second.progress()
    assert isinstance(found, Broken)
    assert found.code == "cancelled"


def test_the_last_words_survive_in_the_journal(place: Place, one: Order) -> None:
    broken = Broken("exited", "its process exited with status 3", ("one", "two"))
    OrderFile(place, one).begin()
    OrderFile(place, one).finish(broken)
    assert OrderFile(place, one).progress() == broken


def test_a_mark_tells_a_process_from_another_of_the_same_pid() -> None:
    own = Mark.of_this_process()
    assert own.alive()
    stranger = replace(own, born=own.born - 60)
    assert not stranger.alive()
    assert stranger.group() == []


def test_a_dead_child_that_is_not_buried_yet_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    mark = Mark(child.pid, psutil.Process(child.pid).create_time())
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not mark.alive()
    assert mark.group() == []
    child.wait()


def test_a_lock_is_held_by_the_child_it_was_handed_to(tmp_path: Path) -> None:
    lock = try_lock(tmp_path / "lock")
    assert lock is not None
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock,))
    os.close(lock)
    assert try_lock(tmp_path / "lock") is None
    child.communicate(b"\n")
    again = try_lock(tmp_path / "lock")
    assert again is not None
    os.close(again)


def aged(file: Path, seconds: float) -> Path:
    file.touch()
    os.utime(file, (time.time() - seconds,) * 2)
    return file


def test_orders_of_long_ago_are_forgotten_and_looked_for_once_an_hour(tmp_path: Path) -> None:
    old, young = aged(tmp_path / "old.json", 200), aged(tmp_path / "young.json", 50)
    forget_old(tmp_path, seconds=100)
    assert (old.exists(), young.exists()) == (False, True)
    late = aged(tmp_path / "late.json", 200)
    forget_old(tmp_path, seconds=100)
    assert late.exists()
    aged(tmp_path / ".looked", FORGET_EVERY_SECONDS + 1)
    forget_old(tmp_path, seconds=100)
    assert (late.exists(), young.exists()) == (False, True)
