"""A command's way, whatever it came by: may this caller send it, stored once for its key, its answer waited for.

The key is the command's id on Kafka. It is not scoped to the caller: a command published by a Kafka client and the same
one that came here with the same id are the same command.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import orjson
from pydantic import StringConstraints

from services.gateway.commands.action import Action
from services.gateway.commands.batcher import Batcher
from services.gateway.commands.pending import PendingAnswers
from services.gateway.commands.read_your_writes import Created, ReadYourWrites
from services.gateway.commands.sender import Also, OutgoingCommand, beside, send_all
from services.gateway.domain import Identity, Role
from services.gateway.resources.commands.store import StoredCommand
from shared.core.errors import BelayError
from shared.core.transaction import Ledger, Transaction
from shared.messages.base import Command, ErrorCode, Fault
from shared.process.db import Pool
from shared.wire.codec import new_id
from shared.wire.topics import LIVE

NOT_DOTS = r"([!-~]*[!-,\-/-~][!-~]*|\.{3,})"
"""Printable ASCII, but neither `.` nor `..`: a path that ends so is another path, and the answer could not be read."""

Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=f"^{NOT_DOTS}$")]
"""What may be the id of a command."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command: `sent` while its owner has not answered, `faults` when it is `rejected`."""

    command_id: str
    state: Literal["sent", "accepted", "rejected"]
    result: dict[str, Any]
    faults: tuple[Fault, ...] = ()


class RoleNeeded(BelayError):
    """The caller's role does not suffice."""

    def __init__(self, needed: Role, who: Identity) -> None:
        self.needed, self.who = needed, who
        super().__init__(f"this needs a token with the role {needed}; {who.name!r} has the role {who.role}")


class KeyReused(BelayError):
    """The key belongs to a command with other content."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__("this key was used before for a command with other content; take a new one")


class CommandTooLarge(BelayError):
    """Its topic does not take it; `fault` names the field that most of it is in."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.message)


class Commands:
    """Sends the commands of people, each once for its key."""

    def __init__(
        self, ledger: Ledger, pool: Pool, pending: PendingAnswers, actions: Iterable[Action], answer_seconds: float
    ) -> None:
        self._sender: Batcher[OutgoingCommand, StoredCommand] = Batcher(partial(send_all, ledger))
        self._pending = pending
        self._actions = {action.command: action for action in actions}
        self._read_your_writes = ReadYourWrites(pool)
        self._answer_seconds = answer_seconds

    async def ask(
        self,
        command: Command,
        who: Identity,
        key: str = "",
        *,
        patience: float | None = None,
        target: str = "",
        fingerprint: bytes = b"",
        also: Also | None = None,
    ) -> Answer:
        """Send a command and wait for its owner's answer, at most `patience` seconds (None = the setting, 0 = not).

        `key`: its id, by which it has one effect however often it is asked; "" = a fresh one. `target`: where it was
        asked, for the audit. `fingerprint` stands for its content, where the command itself differs from one try to the
        next. `also` is written in the transaction that stores it.

        Raises RoleNeeded, KeyReused, CommandTooLarge; KeyError for a command that no resource offers.
        """
        outgoing, action = self._outgoing(command, who, key or new_id(), target, fingerprint, also)
        stored = await self._answered(outgoing, self._answer_seconds if patience is None else patience)
        if stored.state == "accepted" and action.readable:
            await self._read_your_writes.until_readable(Created(action.readable, outgoing.command_id, command))
        return _told(stored)

    async def ask_together(
        self, commands: Mapping[str, Command], who: Identity, *, target: str, also: Also
    ) -> list[Answer]:
        """Send commands, by key, that speak of each other, in one transaction and in this order; `also` is written with
        them.

        Whoever is killed meanwhile has sent all or none. Waits for all answers, as `ask` does, and raises what it does;
        nothing is sent then.
        """
        (key, first), *others = commands.items()
        rest = [self._outgoing(command, who, other, target)[0] for other, command in others]
        with ExitStack() as stack:
            answers = [stack.enter_context(self._pending.answer_to(other.command_id)) for other in rest]
            one, _ = self._outgoing(first, who, key, target, also=in_turn(beside(rest), also))
            stored = await self._answered(one, self._answer_seconds)
            await asyncio.wait(answers, timeout=self._answer_seconds)
            told = [_told(a.result()) if _is_there(a) else None for a in answers]
        return [_told(stored), *(t or Answer(o.command_id, "sent", {}) for o, t in zip(rest, told, strict=True))]

    def _outgoing(
        self, command: Command, who: Identity, key: str, target: str, fingerprint: bytes = b"", also: Also | None = None
    ) -> tuple[OutgoingCommand, Action]:
        action = self._actions[type(command)]
        allow(who, action.role)
        outgoing = OutgoingCommand(
            key, command, fingerprint or _fits(command), who, target, action.about(command), also
        )
        return outgoing, action

    async def _answered(self, outgoing: OutgoingCommand, patience: float) -> StoredCommand:
        """What is known of it when its answer is there, or when patience ends."""
        with self._pending.answer_to(outgoing.command_id) as answer:
            stored = same(await self._sender.submit(outgoing), outgoing.fingerprint)
            if stored.state == "sent" and patience:
                await asyncio.wait([answer], timeout=patience)
            return answer.result() if _is_there(answer) else stored


def _is_there(answer: "asyncio.Future[StoredCommand]") -> bool:
    return answer.done() and not answer.cancelled()


def _told(stored: StoredCommand) -> Answer:
    faults = tuple(Fault.model_validate(fault) for fault in stored.faults)
    return Answer(stored.command_id, stored.state, stored.result, faults)


def in_turn(*writes: Also) -> Also:
    """All of them, one after the other."""

    async def write(tx: Transaction) -> None:
        for each in writes:
            await each(tx)

    return write


def allow(who: Identity, role: Role) -> None:
    """Raises RoleNeeded."""
    if not who.role.may(role):
        raise RoleNeeded(role, who)


def same(stored: StoredCommand, fingerprint: bytes) -> StoredCommand:
    """What is stored, if it is a command with this content. Raises KeyReused."""
    if stored.fingerprint != fingerprint:
        raise KeyReused(stored.command_id)
    return stored


def fingerprint_of(command: Command) -> bytes:
    """Of its meaning."""
    return _digest(_content_of(command))


def _fits(command: Command) -> bytes:
    """The fingerprint of a command that its topic takes.

    Raises CommandTooLarge before it is stored: in its transaction it would take those of others with it.
    """
    content, most = _content_of(command), LIVE[command.TOPIC].max_body
    if len(content) > most:
        message = f"the command would have {len(content)} bytes, most of them here; {most} are taken"
        field = _largest_field(command.model_dump(mode="json", exclude_defaults=True))
        raise CommandTooLarge(Fault(code=ErrorCode.TOO_LARGE, field=field, message=message, value=len(content)))
    return _digest(content)


def _content_of(command: Command) -> bytes:
    """The meaning: another order of fields or white space is the same command, also when a version adds a field."""
    return (command.TYPE + command.model_dump_json(exclude_defaults=True)).encode()


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _largest_field(inner: Any) -> str:
    path: list[str] = []
    while isinstance(inner, dict) and inner:
        name = max(inner, key=lambda key: len(orjson.dumps(inner[key])))
        path.append(name)
        inner = inner[name]
    return ".".join(path)
