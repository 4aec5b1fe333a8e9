"""Errors that carry facts, and a property callers can branch on."""

from functools import cache

from shared.messages.base import ErrorCode, Fault


class BelayError(Exception):
    """Root of our own errors."""


class Unreadable(BelayError):
    """A record that cannot be taken for a message; `fault` says what is wrong with it."""

    def __init__(self, fault: Fault, *more: Fault) -> None:
        self.faults = (fault, *more)
        super().__init__("; ".join(fault.in_words for fault in self.faults))

    @property
    def code(self) -> str:
        """Machine-readable reason, that of the first fault."""
        return self.faults[0].code


class TooLarge(BelayError):
    """A message that its topic does not take. What was to be told by it is undone, as its cause is told."""

    def __init__(self, kind: str, subject: str, size: int, limit: int) -> None:
        self.kind, self.subject, self.size, self.limit = kind, subject, size, limit
        super().__init__(f"{kind} of {subject[:100]!r} would have {size} bytes; its topic takes {limit}")

    @property
    def fault(self) -> Fault:
        """What the sender of its cause learns."""
        return Fault(code=ErrorCode.TOO_LARGE, field="", message=f"{self}; ask for less at once", value=self.size)


class Fenced(BelayError):
    """Somebody else owns these partitions or jobs by now; the transaction must not commit."""


class SessionTimeoutRefused(BelayError):
    """Kafka's brokers take another range of session timeouts."""

    def __init__(self, milliseconds: int) -> None:
        super().__init__(
            f"Kafka refuses BELAY_SESSION_TIMEOUT_MS={milliseconds}: its brokers take what lies between their"
            " group.min.session.timeout.ms and group.max.session.timeout.ms"
        )


class HandleAgain(BelayError):
    """What broke is known to the service by now: the same messages or timers, handled again, do not break over it."""


def fault_of(error: BaseException) -> Fault:
    """What the sender of a message learns when its handler broke."""
    return error.fault if isinstance(error, TooLarge) else internal_fault(error)


def internal_fault(error: BaseException) -> Fault:
    """What the sender of a message learns of a defect of ours: the kind, never the inside."""
    return Fault(
        code=ErrorCode.INTERNAL, field="", message=f"Belay could not handle this message ({type(error).__name__})"
    )


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later without any change: connection lost, deadlock, restart, fence."""
    return isinstance(error, _transient())


@cache
def _transient() -> tuple[type[BaseException], ...]:
    """PostgreSQL's client is imported when it is asked for: who only checks a bundle or a file of YAML has none."""
    import asyncpg  # noqa: PLC0415

    return (
        OSError,
        TimeoutError,
        Fenced,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,  # a connection cut in the middle of an answer
        asyncpg.PostgresConnectionError,
        asyncpg.OperatorInterventionError,
        asyncpg.InsufficientResourcesError,
        asyncpg.TransactionRollbackError,
        asyncpg.ObjectInUseError,
        asyncpg.LockNotAvailableError,  # a migration of a newer version changes the table just now
        asyncpg.InvalidCachedStatementError,  # … and has changed it: the statement is prepared anew
    )
