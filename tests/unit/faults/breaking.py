"""Ways to break the recorded run, each against one promise: a mutation of what was read, and the rule it violates."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.faults.checker import Evidence
from tests.faults.checker.record import Record
from tests.faults.evidence import Asked, End

Break = Callable[[Evidence], None]

STRATEGY, DEPLOYER = "strategy.events", "deployer.events"
BROKEN = "site-8"
"""The site whose device fails at first (record.py)."""


def told(evidence: Evidence, topic: str, name: str, **facts: Any) -> Record:
    """The first record of this name whose body has these facts."""
    found = (r for r in evidence.topics[topic] if r.name == name)
    return next(r for r in found if all(r.body.get(key) == value for key, value in facts.items()))


def again(evidence: Evidence, record: Record, *, sequence: bool = False, **facts: Any) -> Record:
    """The same record once more at the same place, as a message of its own with other facts."""
    headers = {**record.headers, "ce_id": "forged"}
    if not sequence:
        headers.pop("ce_sequence", None)
    forged = replace(record, headers=headers, body={**record.body, **facts}, digest=1)
    evidence.topics[record.topic].append(forged)
    return forged


def unsay(evidence: Evidence, topic: str, command_id: str) -> None:
    """Put a repeated record in the place of every answer to a command."""
    records = evidence.topics[topic]
    for number, record in enumerate(records):
        if record.body.get("command_id") == command_id:
            first = next(r for r in records if r.partition == record.partition)
            records[number] = replace(first, offset=record.offset)


def keep(evidence: Evidence, service: str, answer: Record) -> None:
    """Have the owner of an answer know of it."""
    known = [r for r in evidence.tables[f"{service}.inbox"] if r["command_id"] != answer.body["command_id"]]
    evidence.tables[f"{service}.inbox"] = [
        *known,
        {"command_id": answer.body["command_id"], "answer_type": answer.type},
    ]


def line(evidence: Evidence, effect: str, order: str) -> dict[str, Any]:
    """The line of the journal that says this of an order."""
    return next(x for x in evidence.journal if x["effect"] == effect and x["order"] == order)


def starts_of(evidence: Evidence, strategy: str) -> list[dict[str, Any]]:
    """The lines that say that a strategy goes forward on a site whose device does not fail it."""
    ended = {x["order"] for x in evidence.journal if x["effect"] == "ended"}
    begun = (x for x in evidence.journal if x["effect"] == "started" and x["order"] in ended)
    return [x for x in begun if x["order"].startswith(f"{strategy}.") and "/forward/" in x["order"]]


def on_site(evidence: Evidence, strategy: str, site: str, last: bool = False) -> str:
    """The first order (or the last) of a strategy that went forward on a site."""
    begun = (x for x in evidence.journal if x["effect"] == "started" and x["site"] == site)
    orders = [x["order"] for x in begun if x["order"].startswith(f"{strategy}.") and "/forward/" in x["order"]]
    return str(orders[-1 if last else 0])


def move(evidence: Evidence, what: dict[str, Any], behind: dict[str, Any]) -> None:
    """Have one line of the journal stand right behind another."""
    evidence.journal.remove(what)
    evidence.journal.insert(evidence.journal.index(behind) + 1, what)


def row(evidence: Evidence, table: str, **facts: Any) -> dict[str, Any]:
    """The first row with these facts."""
    return next(r for r in evidence.tables[table] if all(r[name] == value for name, value in facts.items()))


def started(evidence: Evidence) -> list[dict[str, Any]]:
    """The first steps of the run that begin."""
    found = (r.body["steps"] for r in evidence.topics[STRATEGY] if r.name == "steps_changed")
    steps: list[dict[str, Any]] = next(steps for steps in found if steps[0]["state"] == "running")
    return steps


# -- the evidence itself ------------------------------------------------------------------------------------------


def a_topic_that_is_missing(evidence: Evidence) -> None:
    del evidence.topics["catalog.commands.dlq"]


def a_record_that_is_missing(evidence: Evidence) -> None:
    del evidence.topics["monitor.events"][0]


def a_run_without_rest(evidence: Evidence) -> None:
    evidence.run = evidence.run.model_copy(update={"quiescent": False})


# -- answers ------------------------------------------------------------------------------------------------------


def a_command_without_answer(evidence: Evidence) -> None:
    unsay(evidence, STRATEGY, "twice")


def a_command_with_two_answers(evidence: Evidence) -> None:
    again(evidence, told(evidence, STRATEGY, "command_accepted", command_id="apply-first"))


def an_unreadable_command_without_answer(evidence: Evidence) -> None:
    unsay(evidence, STRATEGY, "unreadable")


def an_answer_to_nobody(evidence: Evidence) -> None:
    answer = told(evidence, STRATEGY, "command_accepted", command_id="apply-first")
    keep(evidence, "strategy_orchestrator", again(evidence, answer, command_id="never-sent"))


def a_refused_strategy_that_was_made(evidence: Evidence) -> None:
    answer = told(evidence, STRATEGY, "command_accepted", command_id="id-first")
    answer.headers["ce_type"] = "belay.strategy.command_rejected.v1"
    answer.body |= {"code": "strategy_exists", "faults": []}
    keep(evidence, "strategy_orchestrator", answer)
    row(evidence, "gateway.command", command_id="id-first")["state"] = "rejected"
    row(evidence, "gateway.audit", command_id="id-first")["result"] = "rejected"


def an_answer_that_is_forgotten(evidence: Evidence) -> None:
    evidence.tables["strategy_orchestrator.inbox"].remove(
        row(evidence, "strategy_orchestrator.inbox", command_id="twice")
    )


def an_answer_that_people_did_not_get(evidence: Evidence) -> None:
    row(evidence, "gateway.command", command_id="apply-first")["state"] = "rejected"
    row(evidence, "gateway.audit", command_id="apply-first")["result"] = "rejected"


def a_command_that_nobody_noted(evidence: Evidence) -> None:
    evidence.tables["gateway.audit"].remove(row(evidence, "gateway.audit", command_id="apply-first"))


def an_answer_that_somebody_held_up(evidence: Evidence) -> None:
    asked = next(r for r in evidence.topics["strategy.commands"] if r.id == "apply-first")
    asked.timestamp = evidence.run.started_at.timestamp() - 11  # nothing was disturbed yet


# -- effects ------------------------------------------------------------------------------------------------------


def an_effect_twice(evidence: Evidence) -> None:
    order = evidence.journal[-1]["order"]
    evidence.journal += [line(evidence, "started", order), line(evidence, "ended", order)]


def an_end_without_a_beginning(evidence: Evidence) -> None:
    evidence.journal.remove(line(evidence, "started", "id-first.0.1/forward/web"))


def two_operations_on_one_site(evidence: Evidence) -> None:
    move(
        evidence,
        line(evidence, "ended", on_site(evidence, "id-first", BROKEN, last=True)),
        line(evidence, "started", on_site(evidence, "id-second", BROKEN)),
    )


def a_device_that_never_came_to_rest(evidence: Evidence) -> None:
    started = line(evidence, "started", on_site(evidence, "id-first", BROKEN))
    more = started["order"].replace("/web", "/more")
    evidence.journal.append({**started, "order": more, "component": "more"})


def an_effect_out_of_nowhere(evidence: Evidence) -> None:
    order = evidence.journal[-1]["order"]
    for effect in ("started", "ended"):
        evidence.journal.append({**line(evidence, effect, order), "order": "nobody-asked/forward/web"})


def an_operation_that_ended_twice(evidence: Evidence) -> None:
    again(evidence, told(evidence, DEPLOYER, "operation_failed", site=BROKEN), nth=0)


def an_operation_that_ended_twice_among_others(evidence: Evidence) -> None:
    together = told(evidence, DEPLOYER, "operations_succeeded", strategy_id="id-first")
    again(evidence, together, operations=[{**one, "nth": 0} for one in together.body["operations"]])


def two_ends_of_a_site_counted_alike(evidence: Evidence) -> None:
    told(evidence, DEPLOYER, "operation_succeeded", operation_id="by-hand").body["nth"] = 1


def a_success_that_the_device_denies(evidence: Evidence) -> None:
    line(evidence, "ended", "id-first.0.1/forward/web")["effect"] = "failed"


def an_attempt_after_the_last(evidence: Evidence) -> None:
    asked = next(r for r in evidence.topics["deployer.commands"] if r.id == "by-hand")
    again(evidence, asked).headers["ce_id"] = "id-first.0.2"
    answer = told(evidence, DEPLOYER, "command_accepted", command_id="by-hand")
    refused = again(evidence, answer, command_id="id-first.0.2", code="site_busy", faults=[])
    refused.headers["ce_type"] = "belay.deployer.command_rejected.v1"
    keep(evidence, "deployer", refused)
    started(evidence).insert(0, {**started(evidence)[0], "operation_id": "id-first.0.2"})


# -- limits -------------------------------------------------------------------------------------------------------


def one_more_at_once_than_allowed(evidence: Evidence) -> None:
    """The second goes on with three at once; the first three of its rest end only once a fourth has begun."""
    rest = starts_of(evidence, "id-second")[2:]
    ends = [line(evidence, "ended", x["order"]) for x in rest[:3]]
    for end in [end for end in ends if evidence.journal.index(end) < evidence.journal.index(rest[3])]:
        move(evidence, end, rest[3])


def a_stage_that_says_so(evidence: Evidence) -> None:
    told(evidence, STRATEGY, "stage_progressed", strategy_id="id-third").body["max_parallel"] = 1


def one_more_of_a_group_than_allowed(evidence: Evidence) -> None:
    """Sites 1, 2 and 5; others of their stage end before, so that there are no more of it than before."""
    orders = [on_site(evidence, "id-first", site) for site in ("site-1", "site-2", "site-5")]
    starts = [line(evidence, "started", order) for order in orders]
    last = max(starts, key=evidence.journal.index)
    for begin in [x for x in starts_of(evidence, "id-first") if x["order"] not in orders]:
        if evidence.journal.index(begin) < evidence.journal.index(last):
            move(evidence, line(evidence, "ended", begin["order"]), begin)
    for order in orders:
        end = line(evidence, "ended", order)
        if evidence.journal.index(end) < evidence.journal.index(last):
            move(evidence, end, last)


def a_group_that_allowed_fewer(evidence: Evidence) -> None:
    told(evidence, STRATEGY, "group_changed").body["apply_type"] = "serial"


def a_stage_before_its_time(evidence: Evidence) -> None:
    rest = next(x for x in evidence.journal if x["effect"] == "started" and x["order"].startswith("id-second.2."))
    move(evidence, line(evidence, "ended", "id-second.0.1/forward/web"), rest)


def a_start_before_apply(evidence: Evidence) -> None:
    steps = [
        {"site": "site-1", "stage": 0, "state": "running", "attempt": 1, "operation_id": "id-first.0.1", "why": None}
    ]
    again(
        evidence,
        told(evidence, STRATEGY, "steps_changed", strategy_id="id-first"),
        steps=steps,
        at="2026-01-01T00:00:00Z",
    )


def a_start_that_never_reached_the_deployer(evidence: Evidence) -> None:
    started(evidence)[0]["operation_id"] = "id-first.99.1"


def a_site_that_was_to_be_tried_again_and_was_not(evidence: Evidence) -> None:
    retry = next(r for r in evidence.topics["strategy.commands"] if r.name == "retry_failed")
    retry.body["sites"] = [BROKEN, "site-1"]


def a_site_in_two_strategies(evidence: Evidence) -> None:
    told(evidence, STRATEGY, "sites_released", strategy_id="id-second").body["strategy_id"] = "id-first"


# -- counts and records -------------------------------------------------------------------------------------------


def a_count_that_is_off_by_one(evidence: Evidence) -> None:
    counts = told(evidence, STRATEGY, "stage_progressed", strategy_id="id-second", stage=1).body["counts"]
    counts |= {"complete": counts["complete"] + 1, "waiting": counts["waiting"] - 1}


def a_row_that_counts_otherwise(evidence: Evidence) -> None:
    row(evidence, "strategy_orchestrator.stage", strategy_id="id-first")["total"] = 9


def a_record_under_a_wrong_key(evidence: Evidence) -> None:
    evidence.topics["site.state"][0].key = "elsewhere"


def an_id_with_two_contents(evidence: Evidence) -> None:
    event = told(evidence, STRATEGY, "steps_changed", strategy_id="id-first")
    again(evidence, event, sequence=True, steps=[]).headers["ce_id"] = event.id


def a_number_left_out(evidence: Evidence) -> None:
    last = max(evidence.topics["site.state"], key=lambda r: r.sequence)
    last.headers["ce_sequence"] = str(last.sequence + 1)


def a_number_used_twice(evidence: Evidence) -> None:
    again(evidence, told(evidence, STRATEGY, "stage_progressed", strategy_id="id-third"), sequence=True)


def an_event_missing_at_the_end(evidence: Evidence) -> None:
    row(evidence, "strategy_orchestrator.fleet")["sequence"] += 1


def a_record_that_vanished(evidence: Evidence) -> None:
    evidence.topics["strategy.commands.dlq"].clear()


def a_good_record_given_up(evidence: Evidence) -> None:
    evidence.topics["strategy.commands.dlq"][0].headers["belay_dlq_code"] = "internal"


# -- the end ------------------------------------------------------------------------------------------------------


def a_record_not_sent(evidence: Evidence) -> None:
    evidence.tables["deployer.outbox"].append({"id": 1})


def a_job_still_claimed(evidence: Evidence) -> None:
    claimed = {"queue": "operation", "id": "id-first.0.1", "owner": "deployer-1", "due_at": "2026-11-21T00:00:00Z"}
    evidence.tables["deployer.job"].append(claimed)


def a_timer_that_never_fired(evidence: Evidence) -> None:
    evidence.tables["notifier.timer"][0]["due_at"] = "2026-01-01T00:00:00+00:00"


def a_record_not_read(evidence: Evidence) -> None:
    row(evidence, "notifier.consumed", topic="belay.catalog.events")["next_offset"] -= 1


def a_log_that_lost_records(evidence: Evidence) -> None:
    row(evidence, "deployer.consumed", topic="belay.catalog.events")["next_offset"] += 7


def a_strategy_that_was_lost(evidence: Evidence) -> None:
    lost = Asked(id="id-lost", name="lost", max_parallel=1, sites=1)
    evidence.run = evidence.run.model_copy(update={"strategies": (*evidence.run.strategies, lost)})


def a_strategy_that_never_ended(evidence: Evidence) -> None:
    row(evidence, "strategy_orchestrator.strategy", id="id-first")["state"] = "paused"
    row(evidence, "gateway.strategy", strategy_id="id-first")["state"] = "paused"


def a_hold_without_holder(evidence: Evidence) -> None:
    evidence.tables["deployer.hold"].append({"site": "site-4", "strategy_id": "id-first", "strategy": "first"})


# -- places and mirrors -------------------------------------------------------------------------------------------


def a_device_on_another_release(evidence: Evidence) -> None:
    evidence.journal[-1]["version"] = "0.9.0"


def a_page_that_shows_another_release(evidence: Evidence) -> None:
    row(evidence, "gateway.deployment", site="site-4")["version"] = "0.9.0"


def a_complete_step_without_its_release(evidence: Evidence) -> None:
    row(evidence, "strategy_orchestrator.strategy", id="id-third")["version"] = "0.9.0"


def a_read_model_behind(evidence: Evidence) -> None:
    row(evidence, "gateway.step", strategy_id="id-first", site="site-1")["state"] = "running"


def a_hole_in_the_stream(evidence: Evidence) -> None:
    del evidence.tables["gateway.event_log"][7]


def a_notification_that_was_lost(evidence: Evidence) -> None:
    del evidence.tables["notifier.notification"][-1]


def a_trouble_that_nobody_found(evidence: Evidence) -> None:
    for table, number in (("notifier.notification", "id"), ("gateway.notification", "notification_id")):
        last = max(evidence.tables[table], key=lambda one: one[number])
        evidence.tables[table].append({**last, number: last[number] + 1, "about": "deployer", "topic": "error"})
    told = max(evidence.topics["notifier.events"], key=lambda r: r.body.get("notification_id", 0))
    forged = again(evidence, told, notification_id=told.body["notification_id"] + 1)
    forged.key = forged.headers["ce_subject"] = str(forged.body["notification_id"])


# -- time and logs ------------------------------------------------------------------------------------------------


def a_slow_recovery(evidence: Evidence) -> None:
    at = evidence.faults[0].at.timestamp()
    for record in evidence.topics[STRATEGY]:
        answers = record.name.startswith("command_")
        record.timestamp += 20 if record.timestamp > at and not answers else 0


def a_service_that_ended_by_itself(evidence: Evidence) -> None:
    evidence.ends.append(End(process="monitor-1", at=evidence.faults[0].at + timedelta(seconds=1), status=1))


def a_service_that_died_of_its_own_beside_its_killer(evidence: Evidence) -> None:
    evidence.ends[0] = evidence.ends[0].model_copy(update={"status": 1})


def a_service_that_died_twice_of_one_kill(evidence: Evidence) -> None:
    evidence.ends.append(evidence.ends[0].model_copy(update={"at": evidence.ends[0].at + timedelta(seconds=1)}))


def an_error_without_a_fault(evidence: Evidence) -> None:
    at = (evidence.run.started_at + timedelta(seconds=1)).isoformat()
    text = f'{{"action": "result_broke", "event": "a result cannot be written", "level": "error", "timestamp": "{at}"}}'
    evidence.logs["deployer-1.log"].append(text)


def a_crash_in_plain_text(evidence: Evidence) -> None:
    evidence.logs["gateway-1.log"].append("Traceback (most recent call last):")


def a_password_in_a_log(evidence: Evidence) -> None:
    evidence.logs["deployer-1.log"].append("connecting to postgresql://belay_deployer:hunter2@127.0.0.1/belay")


BREAKS: dict[str, tuple[Break, ...]] = {
    "evidence_is_whole": (a_topic_that_is_missing, a_record_that_is_missing, a_run_without_rest),
    "one_answer_a_command": (
        a_command_without_answer,
        a_command_with_two_answers,
        an_unreadable_command_without_answer,
    ),
    "no_answer_unasked": (an_answer_to_nobody,),
    "answers_keep_their_word": (a_refused_strategy_that_was_made,),
    "answers_are_kept": (an_answer_that_is_forgotten,),
    "people_got_the_answer": (an_answer_that_people_did_not_get, a_command_that_nobody_noted),
    "commands_are_answered_in_time": (an_answer_that_somebody_held_up,),
    "no_effect_twice": (an_effect_twice, an_end_without_a_beginning),
    "one_operation_at_a_site": (two_operations_on_one_site,),
    "devices_come_to_rest": (a_device_that_never_came_to_rest,),
    "every_effect_was_asked_for": (an_effect_out_of_nowhere,),
    "one_end_an_operation": (
        an_operation_that_ended_twice,
        an_operation_that_ended_twice_among_others,
        a_success_that_the_device_denies,
    ),
    "one_effective_operation_a_step": (an_attempt_after_the_last,),
    "max_parallel_holds": (one_more_at_once_than_allowed, a_stage_that_says_so),
    "group_limits_hold": (one_more_of_a_group_than_allowed, a_group_that_allowed_fewer),
    "stages_come_in_order": (a_stage_before_its_time,),
    "stopped_means_stopped": (a_start_before_apply,),
    "what_begins_is_asked_for": (a_start_that_never_reached_the_deployer,),
    "one_strategy_a_site": (a_site_in_two_strategies,),
    "retries_try_what_was_named": (a_site_that_was_to_be_tried_again_and_was_not,),
    "counts_are_exact": (a_count_that_is_off_by_one, a_row_that_counts_otherwise),
    "services_say_what_is_published": (a_record_under_a_wrong_key,),
    "an_id_says_one_thing": (an_id_with_two_contents,),
    "sequences_have_no_gap": (
        a_number_left_out,
        a_number_used_twice,
        an_event_missing_at_the_end,
        two_ends_of_a_site_counted_alike,
    ),
    "dead_letters_are_whole": (a_record_that_vanished, a_good_record_given_up),
    "nothing_is_left_over": (a_record_not_sent, a_job_still_claimed),
    "no_timer_is_overdue": (a_timer_that_never_fired,),
    "everything_was_read": (a_record_not_read, a_log_that_lost_records),
    "every_strategy_has_ended": (a_strategy_that_was_lost, a_strategy_that_never_ended),
    "no_site_is_held": (a_hold_without_holder,),
    "devices_run_what_is_said": (a_device_on_another_release,),
    "everybody_says_the_same_of_a_site": (a_page_that_shows_another_release,),
    "sites_end_as_their_steps_say": (a_complete_step_without_its_release,),
    "mirrors_show_what_is": (a_read_model_behind,),
    "the_stream_has_no_gap": (a_hole_in_the_stream,),
    "people_are_told_once": (
        a_notification_that_was_lost,
        a_trouble_that_nobody_found,
    ),
    "no_process_ends_by_itself": (
        a_service_that_ended_by_itself,
        a_service_that_died_of_its_own_beside_its_killer,
        a_service_that_died_twice_of_one_kill,
    ),
    "recovery_takes_seconds": (a_slow_recovery,),
    "errors_are_explained": (an_error_without_a_fault, a_crash_in_plain_text),
    "no_secret_is_told": (a_password_in_a_log,),
}
"""By rule: what must be refused by it, and by no other."""
