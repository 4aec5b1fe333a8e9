"""What a bundle brings beside its playbooks has no say in how Ansible runs, and what is secret stays so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.deployer.drivers import Broken, Done
from shared.components.ansible import AnsibleSpec
from shared.components.ansible_check import syntax_fault
from tests.support.ansible_sites import FILES, PLAYBOOKS, Lab, order, reach, running_folders, seen_in_files

pytestmark = [pytest.mark.service, pytest.mark.ansible]

REFRESHES = """
- hosts: all
  gather_facts: false
  tasks:
    - add_host: {name: another, ansible_connection: local, root: "{{ root }}"}
    - meta: refresh_inventory
    - copy: {dest: "{{ root }}/hosts", content: "{{ root }} {{ word }} {{ query('inventory_hostnames', 'all') | sort | join(' ') }}"}
"""  # noqa: E501


TELLS = """
- hosts: all
  gather_facts: false
  tasks:
    - set_fact: {dsn: {url: "pg://app:{{ word }}@db"}, schema: 4}
"""


@pytest.fixture
async def lab(deployer_database: str, tmp_path: Path) -> AsyncIterator[Lab]:
    made = Lab(tmp_path, deployer_database, {"at_once": 4})
    yield made
    await made.close()


def hostile(told: Path) -> dict[str, str]:
    """An ansible.cfg that has all that Ansible does, and is given, written to a file."""
    return {**FILES, "ansible.cfg": f"[defaults]\nlog_path = {told}\nlog_verbosity = 3\nkeep_remote_files = true\n"}


async def test_an_ansible_cfg_of_a_bundle_is_not_read(lab: Lab, tmp_path: Path) -> None:
    made = await lab.bundle(hostile(tmp_path / "told"))
    assert isinstance((await reach(lab.driver(), order("o1", made, lab.local("s1"))))[0], Done)
    assert not (tmp_path / "told").exists()


def test_an_ansible_cfg_of_a_bundle_is_not_read_when_it_is_checked(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for name, content in hostile(tmp_path / "told").items():
        (bundle / name).write_text(content)
    spec = AnsibleSpec.model_validate({"playbooks": PLAYBOOKS})
    assert syntax_fault("apply.yml", spec, bundle, 60) is None
    assert not (tmp_path / "told").exists()


async def test_a_playbook_may_have_the_inventory_read_again(lab: Lab) -> None:
    books = {"apply": "apply.yml", "remove": "remove.yml"}
    made = await lab.bundle({**FILES, "apply.yml": REFRESHES}, playbooks=books)
    one = order("o1", made, lab.local("s1", word="{{ no template }}"))
    [done] = await reach(lab.driver(), one)
    assert isinstance(done, Done), done
    root = lab.folder / "sites" / "s1"
    assert (root / "hosts").read_text() == f"{root} {{{{ no template }}}} another s1"


async def test_a_fact_that_holds_a_secret_is_refused_and_written_down_nowhere(lab: Lab) -> None:
    books = {"apply": "apply.yml", "remove": "remove.yml"}
    made = await lab.bundle({**FILES, "apply.yml": TELLS}, playbooks=books, revision_facts=["dsn", "schema"])
    [refused] = await reach(lab.driver(), order("o1", made, lab.local("s1", word=SecretStr("correct-horse"))))
    assert isinstance(refused, Broken)
    assert (refused.code, "`dsn`" in refused.message) == ("secret_in_fact", True)
    assert seen_in_files(["correct-horse"], lab.home, *running_folders(lab)) == []
