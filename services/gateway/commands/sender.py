"""Commands on their way out: stored, audited and put in the outbox in one transaction, many at a time."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.gateway.domain import Identity
from services.gateway.resources.audit import store as audit
from services.gateway.resources.audit.store import AuditRow
from services.gateway.resources.commands import store as commands
from services.gateway.resources.commands.store import CommandRow, StoredCommand
from shared.core.transaction import Ledger, Transaction
from shared.messages.base import Command

Also = Callable[[Transaction], Awaitable[None]]
"""Something to be written in the transaction that stores the command."""


LONGEST = 400
"""Characters of what a command is about: the audit is kept for long, and one line is enough to find it by."""


@dataclass(frozen=True, slots=True)
class OutgoingCommand:
    """A command of somebody.

    `target` is where it was asked, `about` what it speaks of; `fingerprint` stands for the command's content.
    """

    command_id: str
    command: Command
    fingerprint: bytes
    who: Identity
    target: str
    about: str
    also: Also | None = None

    @property
    def row(self) -> CommandRow:
        """As it is stored."""
        body = self.command.model_dump(mode="json")
        return CommandRow(self.command_id, self.command.TYPE, self.who.name, self.fingerprint, body)

    @property
    def audit(self) -> AuditRow:
        """`sent` until its answer takes that place."""
        who, command = self.who, self.command
        return AuditRow(who.name, who.role, command.TYPE, self.target, self.about[:LONGEST], self.command_id, "sent")


async def send_all(ledger: Ledger, batch: Sequence[OutgoingCommand]) -> list[StoredCommand]:
    """Send those whose id was never used; how each of them is stored, which for a used id may be another command."""
    first: dict[str, OutgoingCommand] = {}
    for each in batch:
        first.setdefault(each.command_id, each)
    async with ledger.transaction() as tx:
        stored = await _put_out(tx, list(first.values()))
    return [stored[each.command_id] for each in batch]


def beside(others: Sequence[OutgoingCommand]) -> Also:
    """What sends other commands in the transaction of the first: all are under way, or none."""

    async def write(tx: Transaction) -> None:
        await _put_out(tx, others)

    return write


async def _put_out(tx: Transaction, commands: Sequence[OutgoingCommand]) -> dict[str, StoredCommand]:
    stored = await claim(tx, [(each.row, each.audit) for each in commands])
    for each in commands:
        if stored[each.command_id].fresh:
            tx.emit(each.command, message_id=each.command_id, actor=each.who.name)
            if each.also:
                await each.also(tx)
    return stored


async def claim(tx: Transaction, rows: Sequence[tuple[CommandRow, AuditRow]]) -> dict[str, StoredCommand]:
    """Store and audit commands under their (different) ids; what was stored before under one of them stays.

    Returns by id what is stored now.
    """
    fresh = await commands.put(tx.conn, [command for command, _ in rows], tx.now)
    await audit.put(tx.conn, [entry for command, entry in rows if command.command_id in fresh], tx.now)
    used = [command.command_id for command, _ in rows if command.command_id not in fresh]
    before = await commands.find_all(tx.conn, used) if used else ()
    new = (command for command, _ in rows if command.command_id in fresh)
    sent = (StoredCommand(c.command_id, c.fingerprint, "sent", {}, [], fresh=True) for c in new)
    return {stored.command_id: stored for stored in (*sent, *before)}
