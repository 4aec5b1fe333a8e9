"""From orders to a job: which of them share a run, what it runs, over which hosts, with which variables. Pure."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.deployer.drivers import Order
from services.deployer.drivers.ansible.connection import Host, opened
from services.deployer.drivers.ansible.runner.job import Act, Given, Job, Secrets
from services.deployer.drivers.ansible.settings import AnsibleSettings
from services.deployer.drivers.failed import Failed
from services.deployer.secrets.values import secrets_of
from shared.components.ansible import AnsibleSpec
from shared.values.merging import secrets_in as named_in


def spec_of(order: Order) -> AnsibleSpec:
    """What the order's component is. Raises Failed(bad_order) when the order lacks what a run needs."""
    if not isinstance(order.component.spec, AnsibleSpec) or not order.bundle_sha256:
        raise Failed("bad_order", f"to {order.action} a component with ansible needs its playbooks and their bundle")
    return order.component.spec


def sharing(orders: Sequence[Order], most: int) -> list[list[int]]:
    """Which orders may share a run, by their positions: the same playbooks of one bundle, to the same end."""
    groups: dict[Any, list[list[int]]] = {}
    for position, order in enumerate(orders):
        chunks = groups.setdefault(_together(order), [[]])
        if len(chunks[-1]) >= most:
            chunks.append([])
        chunks[-1].append(position)
    return [chunk for chunks in groups.values() for chunk in chunks]


def _together(order: Order) -> Any:
    """The same for orders that may share a run."""
    spec = order.component.spec
    if isinstance(spec, AnsibleSpec) and spec.together and order.bundle_sha256 and not is_content_alone(order):
        return order.action, order.app, order.version, order.component.name, digest_of(order)
    return order.key


def is_content_alone(order: Order) -> bool:
    """Whether no playbook is run for an order: content is sent or let go, so each goes for itself."""
    spec = order.component.spec
    return order.action == "discard" or (
        order.action == "fetch" and isinstance(spec, AnsibleSpec) and not _fetches_by_playbook(order, spec)
    )


def _fetches_by_playbook(order: Order, spec: AnsibleSpec) -> bool:
    """Hosts that ran a release before have what its playbook loads: the way back is not to need it from elsewhere."""
    return spec.playbooks.fetch is not None and not order.revision


def digest_of(order: Order) -> str:
    """What stands for the files and the spec that the order brings; the same for every site."""
    component = order.component
    spec = component.spec.model_dump_json() if isinstance(component.spec, AnsibleSpec) else ""
    if component.named is not None:  # what is recorded must tell nothing of a value, not even whether it is another one
        spec = json.dumps(component.named, sort_keys=True)
    return hashlib.sha256(f"{order.bundle_sha256}{spec}".encode()).hexdigest()[:12]


def revision_of(order: Order, facts: Mapping[str, Any]) -> str:
    """What is recorded: the release, the digest of what brought it, and the facts that its playbooks set."""
    whole = f"{order.version}-{digest_of(order)}"
    return f"{whole} {json.dumps(facts, sort_keys=True, separators=(',', ':'))}" if facts else whole


def facts_in(revision: str | None) -> dict[str, Any]:
    """The facts of a recorded revision."""
    _, _, text = (revision or "").partition(" ")
    try:
        facts = json.loads(text) if text else {}
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def is_revision_of(order: Order) -> bool:
    """Whether the revision that the order names is what its own bundle and spec once made."""
    return (order.revision or "").partition(" ")[0] == f"{order.version}-{digest_of(order)}"


def acts_of(order: Order) -> tuple[Act, ...]:
    """The playbooks that an order is carried out by, one after the other."""
    spec = spec_of(order)
    books = spec.playbooks
    match order.action:
        case "remove":
            return (_act(order, "remove", books.remove, chosen=False),)
        case "fetch":
            return (_act(order, "fetch", books.fetch),) if books.fetch and not order.revision else ()
        case "tasks":
            return tuple(_act(order, step, book, belay_step=step) for step, book in books.tasks.items())
    change = books.rollback if order.action == "rollback" and books.rollback else books.apply
    acts = [_act(order, order.action, change)]
    if spec.check_idempotent:
        acts.append(_act(order, AGAIN, change))
    if books.verify:
        acts.append(_act(order, "verify", books.verify, chosen=False))
    return tuple(acts)


def acts_of_look(order: Order) -> tuple[Act, ...]:
    """The playbook that says whether what the order brought is still well, if there is one."""
    verify = spec_of(order).playbooks.verify
    return (_act(order, "verify", verify, chosen=False),) if verify else ()


AGAIN = "again"
"""The second run, which must change nothing."""


def _act(order: Order, name: str, playbook: str, *, chosen: bool = True, **more: str) -> Act:
    """`chosen`: by the tags of the component, which its removal and the proof of its health do not follow."""
    spec = spec_of(order)
    known = {"belay_app": order.app, "belay_component": order.component.name, "belay_version": order.version}
    return Act(
        name=name,
        playbook=playbook,
        tags=spec.tags if chosen else (),
        skip_tags=spec.skip_tags if chosen else (),
        vars={**_told_to_all(order), **known, "belay_action": order.action, **more},
        may_change=name != AGAIN,
    )


def _told_to_all(order: Order) -> dict[str, Any]:
    """The variables of the component that may lie in a file."""
    secret = secret_vars(order)
    return {name: value for name, value in spec_of(order).vars.items() if name not in secret}


def secret_vars(order: Order) -> dict[str, Any]:
    """The variables of the component that are, or hold, secrets: whole, for a secret deep in one is none of its own."""
    named = named_in(dict((order.component.named or {}).get("vars", {})))
    return {str(path[0]): spec_of(order).vars[str(path[0])] for path, _ in named}


def given_for(
    orders: Sequence[Order],
    hosts: Mapping[str, Mapping[str, Host]],
    project: str,
    settings: AnsibleSettings,
    content: Mapping[str, Mapping[str, str]] = {},
    acts: Sequence[Act] = (),
) -> Given:
    """The job of orders that share a run. `hosts`: those of each site, by site; `content`: by host, where files lie.

    `acts`: what is run, if it is not what carries the orders out.
    """
    first = orders[0]
    spec, everything = spec_of(first), [host for known in hosts.values() for host in known.values()]
    job = Job(
        project=project,
        acts=tuple(acts) or acts_of(first),
        sites={site: tuple(known) for site, known in hosts.items()},
        roles=spec.roles,
        collections=spec.collections,
        facts=spec.revision_facts,
        over_ssh=any(not host.local for host in everything),
        forks=settings.forks,
        seconds=spec.timeout_seconds,
        grace_seconds=settings.grace_seconds,
        task_seconds=spec.task_timeout_seconds,
        connect_seconds=settings.connect_seconds,
        unattended_seconds=settings.unattended_seconds,
    )
    return Given(job=job, secrets=_secrets(orders, hosts, content))


def _secrets(
    orders: Sequence[Order], hosts: Mapping[str, Mapping[str, Host]], content: Mapping[str, Mapping[str, str]]
) -> Secrets:
    variables: dict[str, dict[str, Any]] = {}
    groups: dict[str, list[str]] = {}
    for order in orders:
        for name, host in hosts[order.site].items():
            known = {"belay_content": dict(content.get(name, {}))}
            variables[name] = {**_variables(name, host, folder_of(order)), **_told(order), **known}
            for group in host.groups:
                groups.setdefault(group, []).append(name)
    values = {value for order in orders for value in secrets_of(order)}
    known = secret_vars(orders[0])
    return Secrets(hosts=variables, groups=_tuples(groups), values=tuple(sorted(values)), vars=known)


def folder_of(order: Order) -> str:
    """Where Ansible puts its temporary files on a host: one component's alone, so that it can be cleared blindly."""
    place = f"{order.site}/{order.app}/{order.component.name}"
    return f"belay-{hashlib.sha256(place.encode()).hexdigest()[:12]}"


def _tuples(groups: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(members) for name, members in groups.items()}


def _told(order: Order) -> dict[str, Any]:
    """What a playbook may want to know of its site and its order."""
    facts = {"belay_revision": order.revision, "belay_facts": facts_in(order.revision)} if order.revision else {}
    return {"belay_site": order.site, "belay_order": order.key, **facts}


def _variables(name: str, host: Host, place: str) -> dict[str, Any]:
    own = opened(host.vars)
    if host.local:
        given: dict[str, Any] = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    else:
        given = {
            "ansible_host": host.address,
            "ansible_port": host.port or 22,
            "ansible_user": host.user,
            "ansible_private_key": opened(host.key),
            "ansible_private_key_passphrase": opened(host.key_passphrase),
            "ansible_password": opened(host.password),
            "ansible_ssh_common_args": f"-o HostKeyAlias={name}",
            "ansible_remote_tmp": f"~/.ansible/tmp/{place}",
        }
    said = {"ansible_become_password": opened(host.become_password), "ansible_python_interpreter": host.python}
    return {**own, **{key: value for key, value in [*given.items(), *said.items()] if value is not None}}


def known_hosts(hosts: Iterable[tuple[str, Host]]) -> str:
    """The keys that each host must have, under its name in the inventory: two behind one address are kept apart."""
    lines = [f"{name.lower()} {key}" for name, host in hosts if not host.local for key in host.host_keys or ()]
    return "".join(f"{line}\n" for line in lines)
