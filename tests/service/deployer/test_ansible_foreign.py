"""A role and modules that nobody here wrote, as the package ansible ships them: community.sops, community.general.

They put a real package of Debian onto a real host, by sudo.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.deployer.drivers import Done
from shared.downloads import surroundings
from tests.support.ansible_sites import Lab, order, reach, remove
from tests.support.lacking import left_out
from tests.support.sshd_lab import PASSWORD, SshdLab

pytestmark = [pytest.mark.ssh, pytest.mark.service]

WHEEL = "ansible-12.3.0-py3-none-any.whl"
LOCK = "ansible==12.3.0 --hash=sha256:cd156f82fa87f7a899212b0efa9f7ca3a24d609212de9f78428a572eb01e5414\n"
COLLECTIONS = ("ansible_collections/community/sops/", "ansible_collections/community/general/")
LEFT_OUT = ("tests", "docs", "changelogs")
APPLY = """
- hosts: all
  become: true
  tasks:
    - apt: {update_cache: true, cache_valid_time: 86400}
      changed_when: false
- hosts: all
  roles: [community.sops._install_age]
  post_tasks:
    - name: A setting
      community.general.ini_file:
        {path: "{{ root }}/app.ini", section: web, option: version, value: "{{ belay_version }}", mode: "0644"}
    - name: A key
      command: {cmd: "age-keygen -o {{ root }}/key.txt", creates: "{{ root }}/key.txt"}
"""
VERIFY = """
- hosts: all
  gather_facts: false
  tasks:
    - command: age --version
      changed_when: false
"""
REMOVE = """
- hosts: all
  become: true
  tasks:
    - apt: {name: age, state: absent}
"""


def collections() -> dict[str, str]:
    """Their files, from the package, which is downloaded once and kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "belay" / "ansible"
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / WHEEL).exists():
        (cache / "lock.txt").write_text(LOCK)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        words = ["-r", str(cache / "lock.txt"), "-d", str(cache)]
        subprocess.run([*command, *words], env=surroundings.for_pip(os.environ), check=True)
    with zipfile.ZipFile(cache / WHEEL) as wheel:
        names = [name for name in wheel.namelist() if name.startswith(COLLECTIONS) and not name.endswith("/")]
        chosen = [name for name in names if not {*LEFT_OUT} & {*Path(name).parts} and "/." not in name]
        return {f"collections/{name}": wheel.read(name).decode(errors="replace") for name in chosen}


@pytest.fixture
async def lab(deployer_database: str, tmp_path: Path) -> AsyncIterator[Lab]:
    made = Lab(tmp_path, deployer_database)
    yield made
    await made.close()


async def test_a_role_of_others_puts_a_package_onto_a_host_changes_nothing_twice_and_goes_again(
    lab: Lab, sshd_lab: SshdLab
) -> None:
    if shutil.which("age"):
        left_out("age is installed here, and would be removed")
    books = {"apply": "apply.yml", "verify": "verify.yml", "remove": "remove.yml"}
    files = {"apply.yml": APPLY, "verify.yml": VERIFY, "remove.yml": REMOVE, **collections()}
    made = await lab.bundle(files, playbooks=books, collections=["collections"], check_idempotent=True)
    host, driver = sshd_lab.host(), lab.driver()
    one = order("o1", made, sshd_lab.connection(host, become_password=SecretStr(PASSWORD)))
    [done] = await reach(driver, one, seconds=300)
    assert isinstance(done, Done), done
    assert shutil.which("age")
    assert (host.root / "app.ini").read_text().split("\n")[-3:-1] == ["[web]", "version = 1.0"]
    assert (host.root / "key.txt").read_text().startswith("# created:")
    assert isinstance((await reach(driver, remove("o2", one), seconds=300))[0], Done)
    assert not shutil.which("age")
