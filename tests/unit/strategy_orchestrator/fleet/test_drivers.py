"""Which drivers the deployers have: of each host the last word counts."""

from datetime import UTC, datetime, timedelta

from services.strategy_orchestrator.fleet.drivers import last_words
from shared.messages.deployer import HostReported
from shared.wire.codec import Envelope

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def said(host: str, second: int, *drivers: str) -> Envelope[HostReported]:
    facts = {"host": host, "environment": {}, "abis": (), "platforms": (), "drivers": drivers}
    return Envelope(HostReported.model_validate(facts), f"e-{second}", "/test", NOON + timedelta(seconds=second))


def test_an_older_word_that_is_told_again_behind_a_newer_one_does_not_count() -> None:
    batch = [said("a", 1, "helm"), said("b", 2, "helm"), said("a", 3, "helm", "ansible"), said("a", 1, "helm")]
    assert [(host, tuple(drivers)) for host, drivers, _ in last_words(batch)] == [
        ("a", ("helm", "ansible")),
        ("b", ("helm",)),
    ]
