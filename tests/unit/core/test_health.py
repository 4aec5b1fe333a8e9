"""When something observed is a finding, and what it says."""

from datetime import UTC, datetime, timedelta

from shared.process.health import (
    KINDS,
    End,
    Finding,
    Lasting,
    Member,
    Reading,
    outbox_stalled,
    partitions_stalled,
    restarts,
    strangers,
    unknown,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def test_three_ends_within_ten_minutes_are_a_loop_and_its_cause_is_that_of_most() -> None:
    ends = [End(ago(400), "MemoryError"), End(ago(200), "MemoryError"), End(ago(10), "killed")]
    (finding,) = restarts("catalog-1", ends, NOW)
    assert finding.message == "catalog-1 ended by itself 3 times within 6 minutes; 2 times: MemoryError"
    assert finding.since == ago(400)
    assert finding.advice == KINDS["restarts"].advice


def test_two_ends_or_ends_long_ago_are_none() -> None:
    assert restarts("catalog-1", [End(ago(20), "x"), End(ago(10), "x")], NOW) == []
    assert restarts("catalog-1", [End(ago(700), "x"), End(ago(20), "x"), End(ago(10), "x")], NOW) == []


def test_an_outbox_is_stalled_when_its_oldest_record_is_and_names_the_relays_failure() -> None:
    assert outbox_stalled(59.9, "", 60, NOW) == []
    (finding,) = outbox_stalled(180, "KafkaConnectionError", 60, NOW)
    assert finding.message == (
        "the oldest record of the outbox waits for 3 minutes; last failure of the relay: KafkaConnectionError"
    )


def test_what_lasts_is_known_by_its_value_and_forgotten_when_it_is_gone() -> None:
    lasting: Lasting[str] = Lasting()
    assert lasting.look({"p": 7}, ago(90)) == {"p": ago(90)}
    assert lasting.look({"p": 7, "q": 1}, ago(60)) == {"p": ago(90), "q": ago(60)}
    assert lasting.look({"p": 8}, ago(30)) == {"p": ago(30)}
    assert lasting.look({}, ago(20)) == {}
    assert lasting.look({"p": 8}, NOW) == {"p": NOW}


def test_a_partition_that_stands_still_says_from_where_and_whose_it_is() -> None:
    readings = {("t", 0): Reading(5, 3), ("t", 1): Reading(9, 0), ("t", 2): Reading(1, 1)}
    since = {("t", 0): ago(61), ("t", 2): ago(59)}
    member = Member("id", "catalog-2", "10.0.0.7", frozenset({("t", 0)}))
    (finding,) = partitions_stalled(readings, since, [member], MINUTE, NOW)
    assert finding.about == "t/0"
    assert finding.message == (
        "3 records of t/0 wait, and none was handled for 61 seconds, from offset 5 on; "
        "it belongs to catalog-2 at 10.0.0.7"
    )
    (alone,) = partitions_stalled(readings, since, [], MINUTE, NOW)
    assert alone.message.endswith("nobody owns it")


def test_a_member_that_no_replica_owns_up_to_is_a_stranger_once_it_stays() -> None:
    ours, other = Member("a", "catalog-1", "h"), Member("b", "", "10.9.9.9", frozenset({("t", 0)}))
    assert unknown([ours, other], {"a"}) == {"b": True}
    assert strangers("belay.catalog", [ours, other], {"b": ago(30)}, MINUTE, NOW) == []
    (finding,) = strangers("belay.catalog", [ours, other], {"b": ago(60)}, MINUTE, NOW)
    assert finding.message == (
        "an unnamed client at 10.9.9.9 is a member of the consumer group belay.catalog, but none of our replicas; "
        "it holds 1 partition, whose records we do not see"
    )


def test_a_kind_that_only_a_newer_version_knows_has_no_advice() -> None:
    assert Finding(code="something_new", message="m").advice == ""
