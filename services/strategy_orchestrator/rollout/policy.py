"""When failures stop a strategy: the rules of its policy on the counts of one stage. Pure.

A number is how many failures stop it: `3` stops at the third. A per cent is the share of a stage's sites that may
fail: `20%` of 20 sites bears four failures and stops at the fifth, whatever the order in which sites end.
"""

from shared.messages.strategy import Counts, FailurePolicy

FAILURE_THRESHOLD = "failure_threshold"
"""The reason of a strategy that its policy stopped."""

FAILURE_RATE = "failure_rate"
"""The reason of a strategy that the monitor's advice paused."""


def trips(policy: FailurePolicy, counts: Counts, accepted_failures: int = 0) -> bool:
    """Whether the failures of a stage, but those that a person accepted, are more than the policy bears.

    `min_sample` keeps the first results of a running stage from being judged; a stage that has ended is judged always.
    """
    failed = counts.failed - accepted_failures
    if failed <= 0:
        return False
    if policy.stop_on_failure or _all_failed(counts):
        return True
    if isinstance(policy.threshold, int):
        return failed >= policy.threshold
    return policy.threshold is not None and _over_share(policy, counts, failed)


def _all_failed(counts: Counts) -> bool:
    """A stage that ended without one good site never passes: what comes after it would go the same way."""
    return _ended(counts) and counts.complete == 0


def _over_share(policy: FailurePolicy, counts: Counts, failed: int) -> bool:
    """Whether the stage can no longer stay within the per cent, even if all its other sites succeed."""
    if counts.finished < policy.min_sample and not _ended(counts):
        return False
    return failed * 100 > int(str(policy.threshold)[:-1]) * counts.total


def _ended(counts: Counts) -> bool:
    return counts.waiting == counts.running == 0


def failures_told(policy: FailurePolicy, name: str, counts: Counts) -> str:
    """What stopped a strategy, in the numbers of now: failures that come after the one that tripped count as well."""
    text = f"stage {name}: {counts.failed} of {counts.finished} finished sites failed"
    if policy.stop_on_failure or _all_failed(counts):
        return text
    bears = f"stops at {policy.threshold}" if isinstance(policy.threshold, int) else f"bears {policy.threshold}"
    return f"{text} ({counts.total} in the stage; the policy {bears})"


def rate(name: str, counts: Counts) -> str:
    """What the monitor's advice came to, in the numbers of now."""
    return f"the failure rate of stage {name} is high: {counts.failed} of {counts.finished} failed"
