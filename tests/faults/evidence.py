"""What is left of a run for the checker: everything raw, in one folder, that no service has interpreted.

    run.json            what was asked for (`Run`)
    faults.jsonl        what was done to it (`Fault`), in order of time
    ends.jsonl          every process that ended before it was told to stop for good (`End`)
    topics/<topic>.jsonl            every record, prefix taken off: partition, offset, timestamp_ms, key, headers, value
    tables/<schema>.<table>.jsonl   every row of every table, all as of one moment
    journal.jsonl       what the simulated devices say happened to them
    logs/<process>.log  what the processes said
    secrets.json        fingerprints of what must not be read anywhere

Text stays text; bytes that are no UTF-8 are `{"base64": …}`.
"""

import asyncio
import base64
import hashlib
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import BaseModel, ConfigDict, Field

READ_SECONDS = 120.0
"""A log that is not read to its end by then is an error, not a short evidence."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. `recovers`: the time to the next finished step is measured and bounded. `disturbs`: work may
    stand still from its begin to its end, so other faults meanwhile are not measured."""

    what: str
    recovers: bool = False
    disturbs: bool = False


KINDS: dict[str, Kind] = {
    "kill_service": Kind("SIGKILL of a replica at any time", True, True),
    "kill_at_point": Kind("SIGKILL of a replica at a named point of its cycle", True, True),
    "kill_kafka": Kind("SIGKILL of Kafka, then a start", True, True),
    "stop_postgres": Kind("immediate stop of PostgreSQL, then a start", True, True),
    "cut_connections": Kind("connections to PostgreSQL ended under load", disturbs=True),
    "freeze_service": Kind("SIGSTOP for longer than every lease and session, then SIGCONT", disturbs=True),
    "freeze_at_point": Kind("the same, at a named point of its cycle", disturbs=True),
    "join_replica": Kind("one more replica joins", disturbs=True),
    "leave_replica": Kind("a replica leaves in good order", disturbs=True),
    "stall_relay": Kind("the outbox relay sends nothing for a while", disturbs=True),
    "full_disk": Kind("no space in the blob store", disturbs=True),
    "skew_clock": Kind("the clock of a replica is wrong", disturbs=True),
    "duplicate_records": Kind("every record sent twice"),
    "replay_records": Kind("a batch of old records sent again"),
    "reorder_records": Kind("records of different keys, or aggregates, in another order"),
    "unreadable_record": Kind("a record that nobody can read"),
    "hostile_record": Kind("a record made to do harm"),
    "packed_record": Kind("a record in another compression"),
    "sized_record": Kind("a record about as large as a limit"),
    "odd_headers": Kind("headers, a key or a value that are absent, empty, doubled or no text"),
    "giant_refusal": Kind("a strategy over up to 100,000 sites that nobody knows"),
    "device_failure": Kind("a device says that it failed"),
    "device_hang": Kind("a device never answers"),
    "device_crash": Kind("a device dies half-way"),
    "late_report": Kind("a device reports after the lease of its operation has ended"),
}


class Fault(BaseModel):
    """One thing done to the run. `target` is the process as the supervisor calls it (`deployer-1`, `kafka`), a topic,
    or a site; `ended_at` is when it was taken back (SIGCONT, server started), null for what has no duration."""

    model_config = ConfigDict(frozen=True)

    kind: str
    target: str
    at: datetime
    ended_at: datetime | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class End(BaseModel):
    """A process that ended and was started again. `status` as the supervisor was told: below zero, of a signal."""

    model_config = ConfigDict(frozen=True)

    process: str
    at: datetime
    status: int


class Asked(BaseModel):
    """A strategy that the run asked for; the id is that of its `create_strategy` command."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    max_parallel: int | str | None = None
    sites: int


class Run(BaseModel):
    """What was asked for. `quiescent`: all had come to rest before the evidence was collected."""

    model_config = ConfigDict(frozen=True)

    seed: int
    started_at: datetime
    ended_at: datetime
    quiescent: bool
    strategies: tuple[Asked, ...] = ()
    collected_at: datetime | None = None
    heard: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """By command, when it was first given and when it was heard that it was accepted, in epoch seconds of one clock."""
    automatic_at_once: int = 0
    """Operations of the deployer's own that may be under way at once; 0 = nobody said."""
    details: dict[str, Any] = Field(default_factory=dict)


async def collect(
    *,
    kafka: str,
    dsn: str,
    prefix: str,
    home: Path,
    target: Path,
    run: Run,
    faults: Iterable[Fault] = (),
    ends: Iterable[End] = (),
    secrets: Iterable[str] = (),
    database: str = "belay",
) -> Path:
    """Write down all that a run left behind; returns `target`, which is made anew.

    `dsn` is the superuser's, whatever database it names; `secrets` are further ones than those under `home`
    (passwords of the services, keys of webhooks). Raises TimeoutError when a topic cannot be read to its end.
    """
    shutil.rmtree(target, ignore_errors=True)
    for folder in ("topics", "tables", "logs"):
        (target / folder).mkdir(parents=True)
    moment = datetime.now(UTC)
    await _tables(urlsplit(dsn)._replace(path=f"/{quote(database)}").geturl(), target / "tables")
    async with asyncio.timeout(READ_SECONDS):
        await _topics(kafka, prefix, target / "topics")
    _copy(home / "devices" / "journal.jsonl", target / "journal.jsonl")
    for log in (home / "logs").glob("*.log*"):
        _copy(log, target / "logs" / log.name)
    told = sorted(faults, key=lambda fault: fault.at)
    (target / "faults.jsonl").write_text("".join(f"{fault.model_dump_json()}\n" for fault in told))
    (target / "ends.jsonl").write_text("".join(f"{end.model_dump_json()}\n" for end in ends))
    (target / "run.json").write_text(run.model_copy(update={"collected_at": moment}).model_dump_json(indent=1))
    (target / "secrets.json").write_bytes(orjson.dumps(fingerprints([*_secrets_of(home), *secrets])))
    return target


# -- Kafka ------------------------------------------------------------------------------------------------------


async def _topics(kafka: str, prefix: str, folder: Path) -> None:
    """Every topic of the prefix from its beginning to where it ends now, but the monitor's memory."""
    parts = await _partitions(kafka, prefix)
    for part in parts:
        (folder / f"{part.topic.removeprefix(prefix)}.jsonl").touch()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        while any([await consumer.position(part) < end for part, end in ends.items()]):
            for part, records in (await consumer.getmany(timeout_ms=500)).items():
                lines = b"".join(_line(record) for record in records)
                with (folder / f"{part.topic.removeprefix(prefix)}.jsonl").open("ab") as file:
                    file.write(lines)
    finally:
        await consumer.stop()


async def _partitions(kafka: str, prefix: str) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(prefix)]
        found = await admin.describe_topics([name for name in names if not name.endswith("-changelog")])
        return [TopicPartition(t["topic"], p["partition"]) for t in found for p in t["partitions"]]
    finally:
        await admin.close()


def _line(record: Any) -> bytes:
    facts = {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp,
        "key": _text(record.key),
        "headers": [[name, _text(value)] for name, value in record.headers],
        "value": _text(record.value),
    }
    return orjson.dumps(facts, option=orjson.OPT_APPEND_NEWLINE)


def _text(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


# -- PostgreSQL -------------------------------------------------------------------------------------------------

_TABLES = """select schemaname, tablename from pg_tables
where schemaname not in ('pg_catalog', 'information_schema', 'public') order by 1, 2"""


async def _tables(dsn: str, folder: Path) -> None:
    conn = await asyncpg.connect(dsn)
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            for schema, table in await conn.fetch(_TABLES):
                with (folder / f"{schema}.{table}.jsonl").open("w") as file:
                    rows = f'select row_to_json(t)::text from "{schema}"."{table}" t'  # noqa: S608 - from the catalogue
                    async for row in conn.cursor(rows, prefetch=1_000):
                        file.write(row[0].replace("\n", " ") + "\n")
    finally:
        await conn.close()


# -- the home -----------------------------------------------------------------------------------------------------


def _copy(source: Path, target: Path) -> None:
    """An absent file is an empty one: nothing was said."""
    target.write_bytes(source.read_bytes() if source.exists() else b"")


def _secrets_of(home: Path) -> list[str]:
    files = [home / "admin.token", home / "secret", *home.glob("*.key"), *(home / "secrets").glob("*")]
    return [file.read_text(errors="replace").strip() for file in files if file.is_file()]


WORD = re.compile(r"[A-Za-z0-9_-]{16,}")
"""What secrets are made of; anything else (`:`, `@`, quotes) ends a word."""


def fingerprints(secrets: Sequence[str]) -> list[str]:
    """Length and SHA-256 of each long word of each secret: found in a text again, but not read from the evidence."""
    words = {word for secret in secrets for word in WORD.findall(secret)}
    return sorted(fingerprint(word) for word in words)


def fingerprint(word: str) -> str:
    """How a word of a secret is known again."""
    return f"{len(word)}:{hashlib.sha256(word.encode()).hexdigest()}"
