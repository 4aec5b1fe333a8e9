"""Every rule by its name. A rule reads the evidence and says what it looked at and what was wrong."""

from collections.abc import Callable, Mapping

from tests.faults.checker import (
    answers,
    automatic,
    content,
    counts,
    effects,
    ending,
    ends,
    limits,
    logs,
    mirrors,
    overrides,
    places,
    publications,
    records,
    recovery,
    retries,
    site_runs,
    standing,
    waits,
    whole,
)
from tests.faults.checker.reading import Evidence
from tests.faults.checker.rule_result import RuleResult

Rule = Callable[[Evidence], RuleResult]

_RULES: tuple[Rule, ...] = (
    whole.evidence_is_whole,
    answers.one_answer_a_command,
    answers.no_answer_unasked,
    answers.answers_keep_their_word,
    answers.answers_are_kept,
    answers.people_got_the_answer,
    waits.commands_are_answered_in_time,
    effects.no_effect_twice,
    effects.one_operation_at_a_site,
    effects.devices_come_to_rest,
    effects.every_effect_was_asked_for,
    effects.one_end_an_operation,
    effects.one_effective_operation_a_step,
    limits.max_parallel_holds,
    limits.group_limits_hold,
    limits.stages_come_in_order,
    limits.stopped_means_stopped,
    limits.what_begins_is_asked_for,
    limits.one_strategy_a_site,
    retries.retries_try_what_was_named,
    counts.counts_are_exact,
    records.services_say_what_is_published,
    records.an_id_says_one_thing,
    records.sequences_have_no_gap,
    records.dead_letters_are_whole,
    ending.nothing_is_left_over,
    ending.no_timer_is_overdue,
    ending.everything_was_read,
    ending.every_strategy_has_ended,
    ending.no_site_is_held,
    places.devices_run_what_is_said,
    places.everybody_says_the_same_of_a_site,
    places.sites_end_as_their_steps_say,
    standing.everybody_knows_who_answers,
    standing.offline_sites_are_left_alone,
    content.releases_are_prepared_once,
    content.nothing_is_sent_twice,
    publications.publications_settle_once,
    publications.failed_publications_reach_no_site,
    overrides.values_deployed_are_those_set,
    overrides.accepted_overrides_are_in_the_next_deployment,
    automatic.own_operations_keep_their_limit,
    automatic.barred_releases_are_left_alone,
    automatic.findings_are_put_right_once,
    site_runs.runs_end_with_one_report,
    mirrors.mirrors_show_what_is,
    mirrors.the_stream_has_no_gap,
    mirrors.people_are_told_once,
    recovery.recovery_takes_seconds,
    ends.no_process_ends_by_itself,
    logs.errors_are_explained,
    logs.no_secret_is_told,
)

RULES: Mapping[str, Rule] = {rule.__name__: rule for rule in _RULES}


def check(evidence: Evidence) -> list[RuleResult]:
    """What became of each rule, in the order of the table."""
    return [_judged(name, evidence) for name in RULES]


def _judged(name: str, evidence: Evidence) -> RuleResult:
    """A rule that breaks on what it reads is not content with it."""
    try:
        return RULES[name](evidence)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        result = RuleResult(name)
        result.refuse("the evidence", f"cannot be judged: {error!r}")
        return result
