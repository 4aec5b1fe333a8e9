"""What the answers of hosts mean."""

from __future__ import annotations

from services.deployer.drivers import Reached
from services.deployer.drivers.ansible.reaching import together, told_by

SAID = """Linux x86_64
python 3.11.2
free 1024
"""


def test_a_host_says_its_platform_its_python_and_its_room() -> None:
    assert told_by(SAID) == Reached(1 << 20, {"platform": "linux/amd64", "python": "3.11.2"})
    assert told_by("Linux aarch64\n") == Reached(None, {"platform": "linux/arm64"})


def test_what_is_no_answer_is_an_answer_without_facts() -> None:
    assert told_by("") == Reached()
    assert told_by("Welcome to this host\nwhich talks a lot\n") == Reached()


def test_a_site_has_the_room_of_its_fullest_host_and_says_where_its_hosts_differ() -> None:
    one, other = told_by(SAID), Reached(512, {"platform": "linux/amd64", "python": "3.13.0"})
    assert together([one, other]) == Reached(512, {"platform": "linux/amd64", "python": "3.11.2, 3.13.0"})
    assert together([Reached(), one]).free_bytes == 1 << 20
