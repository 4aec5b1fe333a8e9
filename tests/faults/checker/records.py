"""Records say what their schemas promise, keep their order, and are never lost when nobody can read them."""

from collections import defaultdict

from tests.faults.checker.reading import DLQ, Evidence
from tests.faults.checker.record import Record
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.schemas import published
from tests.faults.checker.story import operations

OURS = "/belay/"
AVAILABLE = ("catalog.events", "release_available")
"""The catalog counts by bundle; its releases have names of their own."""

GAPS_ALLOWED = frozenset({"monitor.events"})
"""Its numbers are places in its changelog (its README): they grow, and leave gaps."""

READ_BY_OTHERS = "site.state"
"""None of our services reads it, so nobody buries what lies there unreadable."""

BATCH_MARK = "belay_dlq_batch"
"""On a dead letter that is a whole batch which could not be unpacked: its first and last offset."""


def services_say_what_is_published(evidence: Evidence) -> RuleResult:
    """Whatever a service sent can be read by the published schemas, and has the key that they name."""
    result = RuleResult("services_say_what_is_published")
    for topic in evidence.live:
        for record in evidence.topics[topic]:
            if record.headers.get("ce_source", "").startswith(OURS):
                why = evidence.unreadable.get(record.place, "")
                result.expect(not why, record.place, f"{record.type}: {why}")
                if not why and (key := published()[record.type].key_of(record.body)) is not None:
                    result.expect(record.key == key, record.place, f"{record.type} has the key {record.key}")
    return result


def an_id_says_one_thing(evidence: Evidence) -> RuleResult:
    """Events of one id have one content; so a reader that knows the id need not look further."""
    result = RuleResult("an_id_says_one_thing")
    for topic in evidence.live:
        first: dict[str, int] = {}
        if not topic.endswith(".commands"):
            for record in evidence.readable(topic):
                same = first.setdefault(record.id, record.digest) == record.digest
                result.expect(same, record.place, f"{record.type} {record.id} was told before with other content")
    return result


def sequences_have_no_gap(evidence: Evidence) -> RuleResult:
    """Events of each aggregate, and ends on each site, count 1, 2, 3 …; none is missing, told twice, or out of order.

    A repeated record (same id) is dropped first, as every reader does. Number 1 of an operation of a run over a site is
    that the run says that it begins.
    """
    result = RuleResult("sequences_have_no_gap")
    rows = _told_by_rows(evidence)
    bundles = {r.body["release_id"]: r.body["bundle_sha256"] for r in evidence.named(*AVAILABLE)}
    begun = {identifier: [1] for identifier, operation in operations(evidence).items() if operation.of_run}
    for topic, records in evidence.events.items():
        told: dict[str, list[int]] = defaultdict(list)
        for record in records:
            if record.sequence:
                subject = record.headers.get("ce_subject", "")
                told[bundles.get(subject, subject)].append(record.sequence)
        gaps = topic in GAPS_ALLOWED or _compacted(evidence, topic)
        for aggregate, sequences in told.items():
            result.checked += len(sequences)
            if fault := _broken(begun.get(aggregate, []) + sequences, gaps):
                result.refuse(f"{topic} {aggregate}", fault)
            if (kept := rows.get((topic, aggregate), sequences[-1])) != max(sequences):
                result.refuse(f"{topic} {aggregate}", f"its row has told {kept} events, the last is {max(sequences)}")
    for place, counts in _ends_by_place(evidence).items():
        result.expect(not (fault := _broken(sorted(counts), False)), place, f"its ends: {fault}")
    return result


def _ends_by_place(evidence: Evidence) -> dict[str, list[int]]:
    """The numbers (`nth`) that the ends on each app of each site were given; 0 is none."""
    found: dict[str, list[int]] = defaultdict(list)
    for operation in operations(evidence).values():
        for end in operation.ends:
            if end.get("nth"):
                found[f"{end['site']} {end['app']}"].append(end["nth"])
    return found


def _told_by_rows(evidence: Evidence) -> dict[tuple[str, str], int]:
    """How many events each aggregate has told by its row: so that the last ones cannot be missing either."""
    found: dict[tuple[str, str], int] = {}
    for table, topic, key, sequence in (
        ("strategy_orchestrator.fleet", "strategy.events", "", "sequence"),
        ("strategy_orchestrator.strategy", "strategy.events", "id", "sequence"),
        ("strategy_orchestrator.deployment", "site.state", "site/app", "sequence"),
        ("deployer.operation", "deployer.events", "id", "sequence"),
        ("catalog.bundle", "catalog.events", "sha256", "sequence"),
    ):
        parts = key.split("/")
        for row in evidence.table(table):
            found[topic, "/".join(row.get(part, "fleet") for part in parts)] = row[sequence]
    return found


def _compacted(evidence: Evidence, topic: str) -> bool:
    """Whether Kafka has thrown records away: only where it compacts, and then offsets are missing."""
    partitions: dict[int, list[int]] = defaultdict(list)
    for record in evidence.topics[topic]:
        partitions[record.partition].append(record.offset)
    compacts = topic in {"site.state", "deployer.facts"}
    return compacts and any(len(found) != found[-1] + 1 for found in partitions.values())


def _broken(sequences: list[int], gaps_allowed: bool) -> str:
    if len(set(sequences)) != len(sequences):
        twice = sorted({s for s in sequences if sequences.count(s) > 1})
        return f"numbers used by more than one event: {twice[:10]}"
    if sequences != sorted(sequences):
        return f"out of order: {sequences[:40]}"
    if not gaps_allowed and sequences != list(range(1, len(sequences) + 1)):
        missing = sorted(set(range(1, sequences[-1] + 1)) - set(sequences))
        return f"missing: {missing[:10]} of {sequences[-1]}"
    return ""


def dead_letters_are_whole(evidence: Evidence) -> RuleResult:
    """What nobody can read lies in the dead letters, unchanged, with the reason; and nothing else lies there."""
    result = RuleResult("dead_letters_are_whole")
    buried = set()
    for topic in evidence.topics:
        if topic.endswith(DLQ):
            origins = {record.place: record for record in evidence.topics.get(topic.removesuffix(DLQ), ())}
            for letter in evidence.topics[topic]:
                buried.update(origins_of(letter))
                fault = _letter_fault(letter, origins)
                result.expect(not fault, letter.place, fault)
    for place, why in evidence.unreadable.items():
        # A known event on a wrong topic is passed by.
        if not why.startswith("belongs on") and place.split("/")[0] != READ_BY_OTHERS:
            result.expect(place in buried, place, f"cannot be read ({why}), and is not among the dead letters")
    return result


def origins_of(letter: Record) -> list[str]:
    """The places that a dead letter stands for: those of a whole batch, where that could not be unpacked."""
    origin = letter.headers.get("belay_dlq_origin", "")
    first, _, last = letter.headers.get(BATCH_MARK, "").partition("-")
    if not (first.isdigit() and last.isdigit()):
        return [origin]
    place = origin.rpartition("/")[0]
    return [f"{place}/{offset}" for offset in range(int(first), int(last) + 1)]


def _letter_fault(letter: Record, origins: dict[str, Record]) -> str:
    code, reason = letter.headers.get("belay_dlq_code"), letter.headers.get("belay_dlq_reason")
    origin = origins.get(letter.headers.get("belay_dlq_origin", ""))
    if not code or not reason:
        return "says no reason"
    if code == "internal":
        return f"a good record was given up because a handler broke: {reason}"
    if origin is None:
        return "its origin is on no topic"
    whole = origin.digest == letter.digest or BATCH_MARK in letter.headers  # packed, as it came
    return "" if whole else "is not what its origin is"
