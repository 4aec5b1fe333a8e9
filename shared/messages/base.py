"""What every message is made of: the base classes, faults, answers and the registry of types.

A message class is declared once, in the module of its owner, and everything else is derived from that place:
`catalog.PublishRelease` has the type `belay.catalog.publish_release.v1` and travels on `catalog.commands`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.messages.words import IN_WORDS, Identifier

T = TypeVar("T")

REGISTRY: dict[str, type["Message"]] = {}
"""Every message class by its CloudEvents type. Filled when the owner's module is imported."""


class Model(BaseModel):
    """A frozen value that refuses fields it does not know, so that a misspelt field is never silently lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(BaseModel):
    """A versioned message. Subclass `Command` or `Event`, never this class.

    `OWNER` is the module's name, but where a base class says another: then its owner's module names the message, too.
    `SUBJECT` names the field that holds the aggregate the message speaks of, `KEY` the field whose value is the
    Kafka key (messages of one key keep their order); the key is the subject unless said otherwise. A version that is
    read and no longer said names the class that it is read as (`NEWER`), and the name that both share (`NAME`).
    """

    VERSION: ClassVar[int] = 1
    NAME: ClassVar[str] = ""
    NEWER: ClassVar["type[Message] | None"] = None
    SUBJECT: ClassVar[str] = ""
    KEY: ClassVar[str] = ""
    TOPIC: ClassVar[str] = ""
    TYPE: ClassVar[str] = ""
    OWNER: ClassVar[str] = ""
    IS_COMMAND: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Derive owner, type and topic from where the class stands, and register it."""
        if "SUBJECT" not in cls.__dict__:
            return  # a base class: it has no aggregate yet
        cls.OWNER = cls.OWNER or cls.__module__.rsplit(".", 1)[-1]
        cls.TYPE = f"belay.{cls.OWNER}.{cls.NAME or _snake(cls.__name__)}.v{cls.VERSION}"
        if "TOPIC" not in cls.__dict__:
            cls.TOPIC = f"{cls.OWNER}.{'commands' if issubclass(cls, Command) else 'events'}"
        REGISTRY[cls.TYPE] = cls

    @classmethod
    def read_as(cls) -> "type[Message]":
        """The class that handlers get a message of this class as."""
        return cls.NEWER or cls

    def newest(self) -> "Message":
        """The same in the words of today: itself, unless it is of a version that is no longer said. Pure."""
        return self

    @property
    def subject(self) -> str:
        """The aggregate this message speaks of."""
        return str(getattr(self, self.SUBJECT))

    @property
    def key(self) -> str:
        """The Kafka key: records of one key stay in order."""
        return str(getattr(self, self.KEY or self.SUBJECT))


class Command(Message):
    """A request to one owner, in the imperative. Unknown fields are faults: the sender meant something by them."""

    IS_COMMAND = True

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def told_when_refused(cls, command_id: str, faults: "tuple[Fault, ...]") -> "Event | None":  # noqa: ARG003
        """What its rejection is told with beside the answer, for those who wait for an event; most have nothing."""
        return None


class Event(Message):
    """A fact from one owner, in the past tense. Unknown fields are ignored, so that producers may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Cause(Model):
    """Why something failed: a code for machines, a line for people."""

    code: str
    message: str


class Fault(Model):
    """One thing that is wrong with a request: where, what was found, and what would be right."""

    code: str = Field(examples=["unknown_site"])
    field: str = Field(examples=["selection.sites.0"], description="path of the field, empty for the whole")
    message: str = Field(examples=["there is no site 'oslo-9'; register it first"])
    value: Any = Field(default=None, examples=["oslo-9"])

    @property
    def in_words(self) -> str:
        """For people, where it is told without its field: the place, if it has one, and what is wrong there."""
        return f"{self.field}: {self.message}" if self.field else self.message


MOST_FAULTS = 100
"""The most that an answer lists; a person mends no more at once, and an answer must fit its topic."""

_LONGEST = {"code": 100, "field": 500, "message": 1_000, "value": 200}
"""Characters of a listed fault: with three bytes a character 100 of them are half of what a topic takes."""


def listed(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """As an answer lists them: the first MOST_FAULTS, none of them long, and how many more there are as a last one."""
    known = (fault for fault in faults if not _stands_for_more(fault))
    shown = tuple(map(_shortened, islice(known, MOST_FAULTS)))
    more = count_of(faults) - len(shown)
    return (*shown, more_faults(more)) if more > 0 else shown


def some_of(places: Sequence[T], fault: Callable[[T], Fault]) -> list[Fault]:
    """A fault for each place, but no more of them than an answer lists; the others are counted in a last one.

    A hundred thousand sites that do not exist need no object each.
    """
    found = [fault(place) for place in places[:MOST_FAULTS]]
    return [*found, more_faults(len(places) - MOST_FAULTS)] if len(places) > MOST_FAULTS else found


def count_of(faults: Sequence[Fault]) -> int:
    """How many faults these are, also when `listed` or `some_of` left some out."""
    return sum(int(fault.value) if _stands_for_more(fault) else 1 for fault in faults)


def _stands_for_more(fault: Fault) -> bool:
    return fault.code == ErrorCode.MORE_FAULTS and isinstance(fault.value, int)


def more_faults(count: int) -> Fault:
    """The last of a list of faults: so many more are not in it."""
    return Fault(code=ErrorCode.MORE_FAULTS, field="", message=f"and {count} more", value=count)


def _shortened(fault: Fault) -> Fault:
    texts = {name: _cut(getattr(fault, name), _LONGEST[name]) for name in ("code", "field", "message")}
    small = isinstance(fault.value, dict) and len(repr(fault.value)) <= _LONGEST["value"]
    return Fault(**texts, value=fault.value if small else _short(fault.value))


class CommandAccepted(Event):
    """The owner took the command and will act on it. The only answer besides `CommandRejected`."""

    command_id: Identifier
    command_type: str
    about: str = Field(description="what the command speaks of; also the Kafka key of the answer")
    result: dict[str, Any] = Field(default_factory=dict, description="ids of what the command created")


class CommandRejected(Event):
    """The owner refused the command; nothing was changed."""

    command_id: Identifier
    command_type: str
    about: str
    code: str = Field(description="machine-readable reason, that of the first fault")
    faults: tuple[Fault, ...] = Field(description="at most 100; a last one of code `more_faults` says how many more")
    faults_count: int = Field(default=0, description="how many there are in all; 0 = all are listed")


class ErrorCode(StrEnum):
    """Reasons every service gives in the same words."""

    INVALID_FIELD = "invalid_field"
    UNKNOWN_FIELD = "unknown_field"
    MISSING_FIELD = "missing_field"
    UNREADABLE = "unreadable"
    UNKNOWN_TYPE = "unknown_type"
    COMMAND_ID_REUSED = "command_id_reused"
    TOO_LARGE = "too_large"
    MORE_FAULTS = "more_faults"
    INTERNAL = "internal"
    ENDED_THE_PROCESS = "ended_the_process"


_PYDANTIC_CODES = {"extra_forbidden": ErrorCode.UNKNOWN_FIELD, "missing": ErrorCode.MISSING_FIELD}


def faults_of(error: ValidationError) -> tuple[Fault, ...]:
    """The faults of a pydantic error in our own words: field path, value found, what would be right.

    As many as an answer lists; the others are counted.
    """
    return tuple(some_of(details_of(error), fault_in))


def details_of(error: ValidationError) -> list[Any]:
    """pydantic's own account of each fault, but for lists it calls too short only because their items are faulty."""
    details = error.errors(include_url=False)
    parents = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    return [detail for detail in details if detail["type"] != "too_short" or detail["loc"] not in parents]


def fault_in(detail: Any) -> Fault:
    """One of them."""
    field = ".".join(str(part) for part in detail["loc"])
    code = _PYDANTIC_CODES.get(detail["type"], ErrorCode.INVALID_FIELD)
    message = IN_WORDS.get(_pattern(detail), detail["msg"].removeprefix("Value error, "))
    if code is ErrorCode.UNKNOWN_FIELD:
        message = "this field does not exist; remove it or correct its spelling"
    if code is ErrorCode.MISSING_FIELD:  # pydantic's input is then all that stands around the gap
        return Fault(code=code, field=field, message="this field is required")
    return Fault(code=code, field=field, message=message, value=_short(detail.get("input")))


def _pattern(detail: Any) -> str:
    """The pattern that a text does not match; empty for any other fault."""
    context: Mapping[str, Any] = detail.get("ctx") or {}
    return str(context.get("pattern", ""))


def _short(value: Any) -> Any:
    """A value fit for an answer: plain and short, so that a 100 MB field does not travel back."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return _cut(value if isinstance(value, str) else repr(value), _LONGEST["value"])


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "…"


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
