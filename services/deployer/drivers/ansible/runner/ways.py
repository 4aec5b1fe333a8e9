"""How Ansible is set for a run: environment, known hosts, inventory. Pure.

No ansible.cfg of a user, a machine or a bundle is read: Ansible is given an empty one of the run.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from services.deployer.drivers.ansible.runner.job import Job, Secrets

MARK = "BELAY_ANSIBLE_RUN"
"""A variable that every process of a run on this machine inherits: by it they are found when they must be ended."""

STOP = "BELAY_ANSIBLE_STOP"
"""Names the file at whose sight our callback ends Ansible before the next task."""

CONFIG = "ansible.cfg"
"""An empty file in the run's folder: where the one that Ansible is told of is missing, it takes that of the bundle."""

PASSED_ON = ("HOME", "LANG", "TZ")
"""All that a run sees of our environment, which holds passwords."""

ALIVE_SECONDS, ALIVE_TIMES = 10, 3
"""A connection that says nothing for 30 s is cut: its host counts as unreachable."""

PERSIST_SECONDS = 60
"""A connection is kept for the next task for so long; all are ended with their run."""


def environment(
    job: Job, *, mark: str, own: Mapping[str, str], path: str, short: str, folder: str, callbacks: str
) -> dict[str, str]:
    """The variables of ansible-playbook. `short` is a folder whose path leaves room for the names of sockets."""
    inside = [f"{job.project}/{name}" for name in job.roles]
    collections = [f"{job.project}/{name}" for name in job.collections]
    return {
        **{name: own[name] for name in PASSED_ON if name in own},
        "PATH": path,
        "LC_ALL": "C.UTF-8",
        MARK: mark,
        STOP: f"{folder}/stop",
        "ANSIBLE_CONFIG": f"{folder}/{CONFIG}",
        "ANSIBLE_HOME": f"{short}/home",
        "ANSIBLE_LOCAL_TEMP": f"{short}/local",
        "ANSIBLE_CALLBACK_PLUGINS": callbacks,
        "ANSIBLE_ROLES_PATH": ":".join(inside) or f"{short}/none",
        "ANSIBLE_COLLECTIONS_PATH": ":".join(collections) or f"{short}/none",
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "False",
        "ANSIBLE_INVENTORY_ENABLED": "yaml",
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
        "ANSIBLE_CACHE_PLUGIN": "memory",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_DEVEL_WARNING": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_TASK_TIMEOUT": str(job.task_seconds),
        **(_of_ssh(job, short, folder) if job.over_ssh else {}),
    }


def _of_ssh(job: Job, short: str, folder: str) -> dict[str, str]:
    """Host keys are always checked, against what the connection says and nothing else. No pipelining, so that a
    terminal ties what runs on a host to its connection: who cuts one ends the other."""
    known = shlex.quote(f'UserKnownHostsFile="{folder}/known_hosts"')
    options = (
        "ControlMaster=auto",
        f"ControlPersist={PERSIST_SECONDS}s",
        f"ServerAliveInterval={ALIVE_SECONDS}",
        f"ServerAliveCountMax={ALIVE_TIMES}",
        "StrictHostKeyChecking=yes",
        "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=no",
        "ForwardAgent=no",
    )
    return {
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_SSH_AGENT": "auto",
        "ANSIBLE_SSH_ARGS": " ".join([f"-o {option}" for option in options] + [f"-o {known}"]),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{short}/cp",
        "ANSIBLE_PIPELINING": "False",
        "ANSIBLE_TIMEOUT": str(job.connect_seconds),
    }


class _Data(dict[str, Any]):
    """Variables that Ansible must not take for templates.

    Ansible marks what is tagged so, and all in it. A text tagged by itself would be read as if it had no quotes, and
    the password 0123 become a number.
    """


class _Dumper(yaml.SafeDumper):
    """Writes data so that it stays data."""


_Dumper.add_representer(_Data, lambda dumper, data: dumper.represent_mapping("!unsafe", data))


def inventory(secrets: Secrets, hosts: Iterable[str], short: str) -> str:
    """The inventory of these hosts. Whatever a connection says is data: `{{` in a password is no template."""
    here = set(hosts)
    of_groups = {
        name: {"hosts": {host: None for host in members if host in here}} for name, members in secrets.groups.items()
    }
    of_hosts = {name: _Data(_placed(secrets.hosts[name], short)) for name in sorted(here)}
    return yaml.dump({"all": {"hosts": of_hosts, "children": of_groups}}, Dumper=_Dumper, allow_unicode=True)


def extra_vars(secrets: Secrets) -> str:
    """What people set that names secrets, with their values: data, and no template, as in an inventory."""
    return yaml.dump(_Data(secrets.vars), Dumper=_Dumper, allow_unicode=True)


def _placed(variables: Mapping[str, Any], short: str) -> Mapping[str, Any]:
    """On this machine Ansible's temporary files lie in the run's own folder, and go with it."""
    return {**variables, "ansible_remote_tmp": f"{short}/host"} if is_local(variables) else variables


def is_local(variables: Mapping[str, Any]) -> bool:
    """Whether a host is this machine."""
    return variables.get("ansible_connection") == "local"
