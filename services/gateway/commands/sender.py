"""Commands on their way out: noted, audited and put in the outbox in one transaction, many at a time."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.gateway.domain import Identity
from services.gateway.resources.audit import store as audit
from services.gateway.resources.audit.about import about
from services.gateway.resources.audit.store import AuditRow
from services.gateway.resources.commands import store as commands
from services.gateway.resources.commands.store import CommandRow, Noted
from shared.core.transaction import Ledger, Transaction
from shared.messages.base import Command

Also = Callable[[Transaction], Awaitable[None]]
"""Something to be written in the transaction that notes the command."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A command of somebody. `target` is the path of the request, `fingerprint` stands for the command's content."""

    command_id: str
    command: Command
    fingerprint: bytes
    who: Identity
    target: str
    also: Also | None = None

    @property
    def row(self) -> CommandRow:
        """As it is noted."""
        body = self.command.model_dump(mode="json")
        return CommandRow(self.command_id, self.command.TYPE, self.who.name, self.fingerprint, body)

    @property
    def audit(self) -> AuditRow:
        """`sent` until its answer takes that place."""
        who, command = self.who, self.command
        return AuditRow(who.name, who.role, command.TYPE, self.target, about(command), self.command_id, "sent")


async def post(ledger: Ledger, letters: Sequence[Letter]) -> list[Noted]:
    """Send those whose id was never used; how each of them is noted, which for a used id may be another command."""
    first: dict[str, Letter] = {}
    for letter in letters:
        first.setdefault(letter.command_id, letter)
    async with ledger.transaction() as tx:
        noted = await claim(tx, [(letter.row, letter.audit) for letter in first.values()])
        for letter in first.values():
            if noted[letter.command_id].fresh:
                tx.emit(letter.command, message_id=letter.command_id, actor=letter.who.name)
                if letter.also:
                    await letter.also(tx)
    return [noted[letter.command_id] for letter in letters]


async def claim(tx: Transaction, rows: Sequence[tuple[CommandRow, AuditRow]]) -> dict[str, Noted]:
    """Note and audit commands under their (different) ids; what was noted before under one of them stays.

    Returns by id what is noted now.
    """
    fresh = await commands.put(tx.conn, [command for command, _ in rows], tx.now)
    await audit.audit(tx.conn, [audit for command, audit in rows if command.command_id in fresh], tx.now)
    used = [command.command_id for command, _ in rows if command.command_id not in fresh]
    before = await commands.find_all(tx.conn, used) if used else ()
    new = (Noted(c.command_id, c.fingerprint, "sent", {}, [], fresh=True) for c, _ in rows if c.command_id in fresh)
    return {noted.command_id: noted for noted in (*new, *before)}
