"""How each kind of fault is done to a running system: one table. What could not be done is not counted."""

from collections.abc import Awaitable, Callable

from tests.faults.field import Field
from tests.faults.plan import Planned
from tests.faults.strike_processes import (
    freeze_at_point,
    freeze_service,
    join_replica,
    kill_at_point,
    kill_service,
    skew_clock,
)
from tests.faults.strike_records import foreign_record, odd_record, replay_records, window
from tests.faults.strike_servers import cut_connections, full_disk, kill_kafka, stop_postgres

Strike = Callable[[Field, Planned], Awaitable[None]]
"""Returns when it is done, and what lasts has been taken back. Raises Missed."""

STRIKES: dict[str, Strike] = {
    "kill_service": kill_service,
    "kill_at_point": kill_at_point,
    "freeze_service": freeze_service,
    "freeze_at_point": freeze_at_point,
    "join_replica": join_replica,
    "skew_clock": skew_clock,
    "kill_kafka": kill_kafka,
    "stop_postgres": stop_postgres,
    "cut_connections": cut_connections,
    "unreadable_record": foreign_record,
    "hostile_record": foreign_record,
    "packed_record": odd_record,
    "sized_record": odd_record,
    "odd_headers": odd_record,
    "giant_refusal": odd_record,
    "replay_records": replay_records,
    "duplicate_records": window,
    "reorder_records": window,
    "stall_relay": window,
    "late_report": window,
    "full_disk": full_disk,
}
