"""Ports of a home are its own, stay the same, and never collide."""

import socket
from pathlib import Path

import pytest

from shared.embedded import ports
from shared.embedded.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


def test_a_port_is_kept_while_it_is_free(home: Home) -> None:
    ports.allocate(home, "kafka")
    first = ports.known(home, "kafka")
    ports.allocate(home, "kafka", "postgres")
    assert ports.known(home, "kafka") == first


def test_a_port_that_another_took_is_replaced(home: Home) -> None:
    ports.allocate(home, "kafka")
    taken = ports.known(home, "kafka")
    with socket.socket() as other:
        other.bind(("127.0.0.1", taken))
        other.listen()
        ports.allocate(home, "kafka")
    assert ports.known(home, "kafka") != taken


def test_names_of_one_home_get_different_ports(home: Home) -> None:
    names = [f"service-{number}" for number in range(20)]
    ports.allocate(home, *names)
    assert len({ports.known(home, name) for name in names}) == 20


def test_two_homes_search_in_different_places(home: Home, tmp_path: Path) -> None:
    other = Home.open(tmp_path / "other")
    ports.allocate(home, "kafka")
    ports.allocate(other, "kafka")
    assert ports.known(home, "kafka") != ports.known(other, "kafka")


def test_a_half_written_state_file_is_like_none(home: Home) -> None:
    (home.root / ports.STATE).write_text('{"kafka": 2')
    ports.allocate(home, "kafka")
    assert ports.LOWEST <= ports.known(home, "kafka") < ports.HIGHEST
