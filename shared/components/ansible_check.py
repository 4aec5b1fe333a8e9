"""Playbooks of a bundle checked before anybody waits for them: by Ansible itself, offline, and in bounded time.

Ansible loads what lies beside a playbook (plugins, modules): checking runs code of the bundle, as each deployer will.
It gets none of our environment.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from shared.bundle.faults import MOST_FAULTS
from shared.components import ContentFault
from shared.components.ansible_included import Included

if TYPE_CHECKING:
    from shared.components.ansible import AnsibleSpec

SECONDS = 300
"""For all playbooks of a component; one takes less than a second."""
PROGRAM = Path(sys.executable).with_name("ansible-playbook")
CONFIG = "ansible.cfg"
"""An empty file: where the one that Ansible is told of is missing, it takes that of the bundle."""
LONGEST = 64 * 1024
"""Characters of a line that lie in memory at once."""

_ORIGIN = re.compile(r"^Origin: (.+)$", re.MULTILINE)

_ACROSS = re.compile(
    r"^\s*(?:-\s+)?(run_once|any_errors_fatal|max_fail_percentage|serial)\s*:"
    r"|\b(hostvars|ansible_play_hosts(?:_all)?|ansible_play_batch|play_hosts)\b"
    r"|\b(groups)\s*[\[.|]"
    r"|\bmeta\s*:\s*(end_play|end_batch|clear_host_errors)\b"
)
"""By these a play looks at, or stops, hosts other than the one at hand."""


def faults_of(spec: AnsibleSpec, folder: Path) -> list[ContentFault]:
    """What Ansible finds wrong with each playbook, and what in them forbids that sites share a run."""
    faults, until = [], time.monotonic() + SECONDS
    included = Included(folder, spec.roles, spec.collections)
    for playbook, where in spec.playbooks.named().items():
        if message := syntax_fault(playbook, spec, folder, until - time.monotonic()):
            faults.append(ContentFault(where, "bad_playbook", message, playbook))
        faults += [ContentFault(where, "bad_playbook", missing, playbook) for missing in included.missing(playbook)]
    return faults + (list(islice(faults_of_sharing(spec, folder), MOST_FAULTS)) if spec.together else [])


def syntax_fault(playbook: str, spec: AnsibleSpec, folder: Path, seconds: float) -> str | None:
    """Why Ansible does not take a playbook: its syntax, a role, module or imported file that is not there.

    `seconds`: for how long it may be looked at.
    """
    if not PROGRAM.exists():
        return "cannot be checked: ansible-core is not installed beside this Python"
    with tempfile.TemporaryDirectory(prefix="belay-verify-") as own:
        command = [str(PROGRAM), "--inventory", "localhost,", "--syntax-check", f"./{playbook}"]
        Path(own, CONFIG).touch()
        environment = _environment(spec, folder, own)
        try:
            done = subprocess.run(  # noqa: S603 - no shell
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=max(seconds, 1),
                check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"checking the playbooks took more than {SECONDS} s in all"
    told = _told(done.stderr, folder).replace(own, "(none)")
    return None if done.returncode == 0 else told or f"ansible-playbook ended with status {done.returncode}"


def _environment(spec: AnsibleSpec, folder: Path, own: str) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": own,
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_HOME": own,
        "ANSIBLE_CONFIG": f"{own}/{CONFIG}",
        "ANSIBLE_LOCAL_TEMP": own,
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_DISPLAY_FAILED_STDERR": "True",
        "ANSIBLE_ROLES_PATH": ":".join(str(folder / name) for name in spec.roles) or own,
        "ANSIBLE_COLLECTIONS_PATH": ":".join(str(folder / name) for name in spec.collections) or own,
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "False",
    }


def _told(said: str, folder: Path) -> str:
    """Ansible's first sentence and where it points to, with paths as they are in the bundle."""
    error = said[said.find("[ERROR]: ") :].removeprefix("[ERROR]: ")
    sentence = error.partition("\nOrigin: ")[0].partition("\n\n")[0]
    origin = _ORIGIN.search(error)
    whole = " ".join(sentence.split()) + (f" ({origin[1]})" if origin else "")
    return whole.replace(f"{folder}/", "").replace(str(folder), ".")[:1_000]


def faults_of_sharing(spec: AnsibleSpec, folder: Path) -> Iterator[ContentFault]:
    """Lines that look at other hosts than the one at hand: with sites that share a run, at those of other sites."""
    names = [*spec.playbooks.named(), *(_files_under(spec.roles, folder))]
    for name in names:
        for number, line in _lines(folder / name):
            if found := _ACROSS.search(line.split(" #")[0]):
                word = next(group for group in found.groups() if group)
                message = f"{name}:{number} says {word}, which reaches across hosts: sites must not share its run"
                yield ContentFault(("together",), "not_together", message, line.strip()[:200])


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, one after the other; of one that is too long to lie in memory, piece by piece."""
    number = 1
    with file.open(errors="replace") as lines:
        for piece in iter(partial(lines.readline, LONGEST), ""):
            yield number, piece
            number += piece.endswith("\n")


def _files_under(roles: tuple[str, ...], folder: Path) -> Iterator[str]:
    for role in roles:
        for path in sorted((folder / role).rglob("*")):
            if path.is_file() and path.suffix in (".yml", ".yaml", ".j2"):
                yield path.relative_to(folder).as_posix()
