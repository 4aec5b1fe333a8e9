"""What the client's calls return and raise: apart from the client, so that who only names these needs no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.messages.base import Fault


class ProblemError(Exception):
    """The gateway refused a request; the text says why, `faults` lists every reason with its field."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code: str = problem.get("code", "http_error")
        self.title: str = problem.get("title", f"HTTP {status}")
        self.detail: str = problem.get("detail", "")
        faults = problem.get("faults")
        self._faults = faults if isinstance(faults, list | tuple) else ()  # it may be another system that refuses
        self.count: int = problem.get("faults_count") or len(self._faults)  # in all; not more than 100 are listed
        super().__init__(self.detail or self.title)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Every reason; their class is imported when somebody wants to know."""
        from shared.messages.base import Fault

        return tuple(Fault.model_validate(fault) for fault in self._faults)


class Unreachable(Exception):
    """No gateway answers at the address, also after several tries."""

    def __init__(self, url: str, reason: BaseException) -> None:
        self.url = url
        super().__init__(f"no gateway answers at {url}: {reason or type(reason).__name__}")


class Unsendable(ValueError):
    """What no header, URL or JSON has, such as a date of YAML, or half a character."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of the stream. `type` is the short one ("stage_progressed"); "reset" means: read all anew."""

    type: str
    position: str
    id: str = ""
    time: str = ""
    subject: str = ""
    data: dict[str, Any] | None = field(default=None)


def paged(get: Callable[..., dict[str, Any]], path: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every item of a paged resource, read with `get(path, **params)`."""
    cursor: str | None = None
    while True:
        page = get(path, **{"limit": 1000, **params, "cursor": cursor})
        yield from page["items"]
        if not (cursor := page.get("next")):
            return
