"""Nothing is wrong in the logs that no fault explains, and no secret stands anywhere."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from tests.faults.checker.reading import Evidence
from tests.faults.checker.rule_result import RuleResult
from tests.faults.evidence import WORD, fingerprint

SERVICES = ("catalog", "deployer", "strategy_orchestrator", "notifier", "monitor", "gateway")
PLAIN = re.compile(
    r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)[.,]?(\d*)\S* *\[(?:error|critical|ERROR|CRITICAL) *\] (?:([\w.]+): )?"
)
STAMP = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
TRACE = "Traceback (most recent call last)"
CONSTRAINT = re.compile(r"(?:ERROR|PANIC): .*(?:violates|constraint|deadlock|could not serialize|PANIC)")
AFTERWARDS = 20.0
"""Seconds after the end of a fault in which its consequences may still be told."""

DOWN = frozenset({"kill_kafka", "stop_postgres", "cut_connections", "freeze_service", "freeze_at_point", "skew_clock"})
MOVES = DOWN | {"kill_service", "kill_at_point", "join_replica", "leave_replica"}
EXPLAINED: dict[str, frozenset[str]] = {
    "aiokafka": MOVES,  # it tells of each lost coordinator and broker, as an error
    "faust": MOVES,
    "mode": MOVES,
    "services": MOVES,  # faust's own words under the name of our transport: its thread was frozen
    "kafka": MOVES,
    "started_anew": MOVES,  # the monitor begins with a new faust when Kafka stays away
    "request_broke": DOWN,
    # A record that was alone in work whenever its process was killed: whether it is to blame nobody can know.
    "put_aside": frozenset({"kill_service", "kill_at_point"}),
    "driver_failed": frozenset({"full_disk", "freeze_service", "freeze_at_point"}),
    "bundle_retry": frozenset({"full_disk"}),
    "asyncio": DOWN,
    "asyncpg": DOWN,
}
"""What may be logged as an error (its `action`, or the first word of the logger's name), and which faults explain it.

`dead_letter`, `result_broke`, `job_broke` and `log_lost` are not here: no fault explains a broken handler, or a log
that lost what was acknowledged.
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log at error level."""

    process: str
    number: int
    at: float
    action: str
    text: str


def errors_are_explained(evidence: Evidence) -> RuleResult:
    """Each line of ours at error level follows a fault that explains it; PostgreSQL refused no write of ours."""
    result = RuleResult("errors_are_explained")
    for name, lines in evidence.logs.items():
        process = name.split(".")[0]
        result.checked += len(lines)
        if process.rsplit("-", 1)[0] in SERVICES:
            for line in _errors(process, lines, evidence):
                if not _explained(line, evidence):
                    result.refuse(f"{name}:{line.number}", f"{line.action or 'error'}: {line.text[:300]}")
        elif process == "postgres":
            for number, text in enumerate(lines, 1):
                if CONSTRAINT.search(text):
                    result.refuse(f"{name}:{number}", text[:300])
    return result


def _explained(line: Line, evidence: Evidence) -> bool:
    kinds = EXPLAINED.get(line.action, frozenset())
    return any(
        fault.kind in kinds
        and fault.at.timestamp() - 1 <= line.at <= (fault.ended_at or fault.at).timestamp() + AFTERWARDS
        for fault in evidence.faults
    )


def _errors(process: str, lines: list[str], evidence: Evidence) -> Iterator[Line]:
    """Errors of the time in which the run went on: what is told before belongs to the start."""
    began, ended = evidence.run.started_at.timestamp(), (evidence.run.collected_at or evidence.run.ended_at).timestamp()
    plain = False  # a traceback behind a line of plain text belongs to that line
    for number, text in enumerate(lines, 1):
        found = _error(process, number, text)
        if found is None and TRACE in text and not plain and not text.startswith("{"):
            found = Line(process, number, ended, "traceback", text)
        if STAMP.match(text) or text.startswith("{"):
            plain = not text.startswith("{")
        if found and began <= found.at <= ended:
            yield found


def _error(process: str, number: int, text: str) -> Line | None:
    if text.startswith("{"):
        return _json_error(process, number, text)
    plain = PLAIN.match(text)
    if plain is None:
        return None
    at = datetime.fromisoformat(plain[1]).replace(tzinfo=UTC).timestamp() + float(f"0.{plain[2] or 0}")
    action = re.search(r"\baction=(\w+)", text)
    return Line(process, number, at, action[1] if action else (plain[3] or "").split(".")[0], text)


def _json_error(process: str, number: int, text: str) -> Line | None:
    try:
        facts: dict[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None  # torn by a SIGKILL
    if facts.get("level") not in ("error", "critical"):
        return None
    at = datetime.fromisoformat(facts["timestamp"]).timestamp()
    return Line(process, number, at, str(facts.get("action", "")), f"{facts.get('event')} {facts.get('exception', '')}")


# -- secrets ------------------------------------------------------------------------------------------------------

IN_CLEAR = re.compile(r"://[^\s:@/]+:(?!\*+@)[^\s@/]+@|whsec_[A-Za-z0-9+/=]{16,}|earer belay_\w+")
HINTS = ("://", "whsec_", "earer belay_")
"""One of these is in any text that `IN_CLEAR` finds; looking for them first is much faster."""


def no_secret_is_told(evidence: Evidence) -> RuleResult:
    """No token, password or key stands in a log, a topic or a table."""
    result = RuleResult("no_secret_is_told")
    lengths = {int(secret.split(":")[0]) for secret in evidence.secrets}
    for where, text in _texts(evidence):
        result.checked += text.count("\n")
        for place in _leaks(text, lengths, evidence.secrets):
            result.refuse(f"{where}:{text.count(chr(10), 0, place) + 1}", "a secret stands here in clear")
    return result


def _leaks(text: str, lengths: set[int], secrets: frozenset[str]) -> Iterator[int]:
    if any(hint in text for hint in HINTS):
        yield from (match.start() for match in IN_CLEAR.finditer(text))
    for match in WORD.finditer(text):
        if match.end() - match.start() in lengths and fingerprint(match[0]) in secrets:
            yield match.start()


def _texts(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Logs, topics and tables, one file after the other."""
    yield from ((name, "\n".join((*lines, ""))) for name, lines in evidence.logs.items())
    for path in sorted((*evidence.folder.glob("tables/*"), *evidence.folder.glob("topics/*"))):
        yield path.stem, path.read_text(encoding="utf-8", errors="replace")
