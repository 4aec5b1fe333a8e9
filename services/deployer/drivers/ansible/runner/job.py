"""What a runner is told on its stdin. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from shared.messages.base import Model


class Act(Model):
    """One playbook of a run."""

    name: str
    """A verb, `verify`, `again` (apply a second time), or a step."""
    playbook: str
    tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()
    vars: dict[str, Any] = Field(default_factory=dict)
    may_change: bool = True
    """False: a host that it changes has failed."""


class Job(Model):
    """A run: some playbooks of one bundle over the hosts of one or more sites, one after the other."""

    project: str
    """The folder of the unpacked bundle; nobody writes to it."""
    acts: tuple[Act, ...]
    sites: dict[str, tuple[str, ...]]
    """The hosts of each site, by their names in the inventory. A site goes on while none of its hosts has failed."""
    roles: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    """Names of facts that are told of."""
    over_ssh: bool
    forks: int
    seconds: float
    """Until it is stopped; killed when it has not stopped `grace_seconds` later."""
    grace_seconds: float
    task_seconds: int
    connect_seconds: int
    unattended_seconds: float
    """A run that no deployer has looked at for so long is stopped: another machine may begin it anew."""


class Secrets(Model):
    """What is known to the runner alone; never in a file."""

    hosts: dict[str, dict[str, Any]]
    """The variables of each host."""
    groups: dict[str, tuple[str, ...]]
    values: tuple[str, ...]
    """What must not stand in anything that is written down."""
    vars: dict[str, Any] = Field(default_factory=dict)
    """Extra vars that are, or hold, secrets."""


class Given(Model):
    """All that a runner reads from its stdin. One that was cut off cannot be read, so half a job is never run."""

    job: Job
    secrets: Secrets
