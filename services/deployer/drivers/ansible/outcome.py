"""What a run told, taken together: how far it is, and how each of its sites has fared. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.deployer.drivers import Broken
from services.deployer.drivers.ansible.runner.job import Job

_CAUSES = (
    ("Could not resolve hostname", "unknown_host"),
    ("Host key verification failed", "host_key"),
    ("No ED25519 host key is known", "host_key"),
    ("Permission denied", "access_denied"),
    ("Too many authentication failures", "access_denied"),
)
"""OpenSSH's own words, which no locale changes; it has no other way to tell why it did not connect."""

_PREFIX = "Task failed: Failed to connect to the host via ssh: "
_BECOME = ("Incorrect sudo password", "Missing sudo password", "Incorrect su password", "Incorrect password")

STOPS = {
    "stopped": ("cancelled", "the order was cancelled"),
    "timeout": ("timeout", "the run was ended after its {seconds:g} s (timeout_seconds)"),
    "unattended": ("unattended", "no deployer looked after the run any more"),
}


@dataclass(slots=True)
class Story:
    """All that was told of a run so far."""

    job: Job
    act: int = 0
    task: str = ""
    tasks: int = 0
    why: str | None = None
    """How the whole run ended; None = it has not."""
    broken: dict[str, Broken] = field(default_factory=dict)
    """The first failure of each site."""
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By host."""
    reached: set[str] = field(default_factory=set)
    """Hosts that did something."""
    lost: set[str] = field(default_factory=set)
    """Hosts whose connection was lost or never came about, or that did not take the become password."""
    _hurt: dict[str, Broken] = field(default_factory=dict)
    _told: dict[str, str] = field(default_factory=dict)
    """Of each host that was hurt in the act at hand, how: failed or unreachable."""
    _changed: dict[str, list[str]] = field(default_factory=dict)
    _ended: bool = False
    """Whether the act at hand told how each of its hosts fared."""
    _site: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._site = {host: site for site, hosts in self.job.sites.items() for host in hosts}

    def take(self, line: Mapping[str, Any]) -> None:
        """The next line that was told."""
        if line["act"] != self.act:
            self.act, self._ended = line["act"], False
            self._hurt, self._told, self._changed = {}, {}, {}
        match line["told"]:
            case "task":
                self.task = line["task"]
                self.tasks += 1
            case "ok":
                self._take_ok(line)
            case "failed" | "unreachable":
                self._take_hurt(line)
            case "stats":
                self._take_stats(line)
            case "ended":
                self._take_end(line)
            case "end":
                self.why = line["why"]

    def sound(self) -> list[str]:
        """The sites none of whose hosts has failed."""
        return [site for site in self.job.sites if site not in self.broken]

    def result(self, site: str) -> Broken | None:
        """What is wrong with a site at the end of the run; None = nothing."""
        if found := self.broken.get(site):
            return found
        if self.why in STOPS:
            code, message = STOPS[self.why]
            return Broken(code, message.format(seconds=self.job.seconds))
        return None

    def progress(self, tasks: int | None) -> tuple[str, int]:
        """What it does, and how far it is in per cent, reckoned by the number of tasks that such a run has."""
        counts = {"changed": len(self._changed), **Counter(self._told.values())}
        said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        about = f"{self.job.acts[self.act].name}: {self.task or 'begins'}" + (f" ({said})" if said else "")
        return about, min(99, 100 * self.tasks // tasks) if tasks else 0

    def facts_of(self, site: str) -> dict[str, Any]:
        """The facts that its playbooks set; where hosts differ, by host."""
        known: dict[str, dict[str, Any]] = {}
        for host in self.job.sites[site]:
            for name, value in self.facts.get(host, {}).items():
                known.setdefault(name, {})[host] = value
        return {name: _one(values) for name, values in sorted(known.items())}

    def _take_hurt(self, line: Mapping[str, Any]) -> None:
        host, broken = line["host"], _broken(line)
        self._hurt[host], self._told[host] = broken, line["told"]
        if broken.code != "failed":
            self.lost.add(host)
        if line["told"] == "failed":
            self.reached.add(host)

    def _take_ok(self, line: Mapping[str, Any]) -> None:
        self.reached.add(line["host"])
        if line["changed"]:
            self._changed.setdefault(line["host"], []).append(line["task"])
        if facts := line.get("facts"):
            self.facts.setdefault(line["host"], {}).update(facts)
        if told := line.get("secret_facts"):
            self._break(line["host"], _secret_in(line, told))

    def _take_stats(self, line: Mapping[str, Any]) -> None:
        """Ansible's own count: a task that a rescue has made good is no failure."""
        self._ended = True
        for host in [*line["unreachable"], *line["failed"]]:
            self._break(host, self._hurt.get(host) or Broken("failed", f"host {host}: it failed"))
        if not self.job.acts[self.act].may_change:
            for host, tasks in self._changed.items():
                self._break(host, _not_idempotent(host, tasks))
        processed = set(line["processed"])
        for site in self.sound():
            if not processed & set(self.job.sites[site]):
                self.broken[site] = self._no_hosts()

    def _take_end(self, line: Mapping[str, Any]) -> None:
        """An act that told nothing of its hosts could not be run, or was stopped: then the run's end says why."""
        if self._ended or line["status"] == "canceled" or line["rc"] == STOPPED:
            return
        lines = tuple(line["lines"])
        message = lines[0] if lines else f"ansible-playbook ended with status {line['rc']} and told nothing"
        for site in self.sound():
            self.broken[site] = Broken("playbook_error", f"{self._playbook()}: {message}", lines)

    def _break(self, host: str, broken: Broken) -> None:
        """A host that a playbook brought in itself (`localhost`, `add_host`) is of every site."""
        for site in [self._site[host]] if host in self._site else self.sound():
            self.broken.setdefault(site, broken)

    def _no_hosts(self) -> Broken:
        return Broken("no_hosts", f"{self._playbook()} is for none of the site's hosts; see its `hosts:`")

    def _playbook(self) -> str:
        return self.job.acts[self.act].playbook


STOPPED = 75
"""The exit status of ansible-playbook when it was stopped between two tasks."""


def _one(values: Mapping[str, Any]) -> Any:
    different = list(values.values())
    return different[0] if all(value == different[0] for value in different) else dict(values)


def _broken(line: Mapping[str, Any]) -> Broken:
    lines = tuple(line["lines"]) or (line["message"],)
    if line["told"] == "unreachable":
        code = next((code for words, code in _CAUSES if any(words in each for each in lines)), "unreachable")
        return Broken(code, f"host {line['host']}: {lines[-1].removeprefix(_PREFIX)}", lines)
    code = "become_denied" if any(words in line["message"] for words in _BECOME) else "failed"
    return Broken(code, f"host {line['host']}, task '{line['task']}': {line['message']}", lines)


def _secret_in(line: Mapping[str, Any], facts: Iterable[str]) -> Broken:
    about = f"host {line['host']}, task '{line['task']}': of revision_facts {', '.join(f'`{name}`' for name in facts)}"
    return Broken("secret_in_fact", f"{about} holds the value of a secret, and revisions are read by others")


def _not_idempotent(host: str, tasks: Iterable[str]) -> Broken:
    named = tuple(dict.fromkeys(tasks))
    said = ", ".join(f"'{name}'" for name in named[:5]) + (" …" if len(named) > 5 else "")
    return Broken("not_idempotent", f"host {host}: a second run changed something again: {said}", named)
