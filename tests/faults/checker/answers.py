"""Every command has exactly one answer, and what was refused changed nothing."""

from collections import defaultdict
from dataclasses import dataclass, field

from tests.faults.checker.reading import DLQ, Evidence, once
from tests.faults.checker.record import Record, is_id
from tests.faults.checker.records import BATCH_MARK, origins_of
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.schemas import published
from tests.faults.checker.story import operations

REUSED = "command_id_reused"
INBOXES = {
    "catalog": "catalog",
    "deployer": "deployer",
    "strategy": "strategy_orchestrator",
    "notifier": "notifier",
}
"""Who keeps the answers of each owner of commands."""

Command = tuple[str, str]
"""Owner and id."""


@dataclass(slots=True)
class Sent:
    """A command id: the different contents it was sent with, and whether any of them could be read."""

    type: str
    contents: set[int] = field(default_factory=set)
    readable: bool = False


@once
def _sent(evidence: Evidence) -> dict[Command, Sent]:
    found: dict[Command, Sent] = {}
    packed = _in_packed_letters(evidence)
    for topic in evidence.live:
        if not topic.endswith(".commands"):
            continue
        for record in evidence.topics[topic]:
            if is_id(record.id) and record.place not in packed:
                sent = found.setdefault((topic.split(".")[0], record.id), Sent(record.type))
                sent.contents.add(hash((record.type, record.digest)))
                sent.readable |= record.place not in evidence.unreadable
    return found


def _in_packed_letters(evidence: Evidence) -> set[str]:
    """Places in batches that nobody could unpack: the ids in them were read by nobody, so nobody answers to them."""
    letters = (letter for topic, letters in evidence.topics.items() if topic.endswith(DLQ) for letter in letters)
    return {place for letter in letters if BATCH_MARK in letter.headers for place in origins_of(letter)}


@once
def _answers(evidence: Evidence) -> dict[Command, list[Record]]:
    found: dict[Command, list[Record]] = defaultdict(list)
    for owner, records in evidence.answers.items():
        for record in records:
            found[owner, record.body["command_id"]].append(record)
    return found


def one_answer_a_command(evidence: Evidence) -> RuleResult:
    """One distinct answer for each id, however often it came; another only to an id that was used for other content.

    An unreadable command that has an id is answered like any other; one without has nothing to answer to.
    """
    result = RuleResult("one_answer_a_command")
    answers = _answers(evidence)
    for (owner, identifier), sent in _sent(evidence).items():
        told = [_told(record) for record in answers.get((owner, identifier), ())]
        first = [answer for answer in told if answer != f"rejected {REUSED}"]
        detail = f"{owner} answered {sent.type} with {told or 'nothing'}"
        result.expect(len(first) == 1 and (len(told) == 1 or len(sent.contents) > 1), identifier, detail)
    return result


def _told(answer: Record) -> str:
    return "accepted" if answer.name == "command_accepted" else f"rejected {answer.body['code']}"


def no_answer_unasked(evidence: Evidence) -> RuleResult:
    """Whatever is answered was asked, in a record that lies on the topic of commands."""
    result = RuleResult("no_answer_unasked")
    sent = _sent(evidence)
    for (owner, identifier), records in _answers(evidence).items():
        detail = f"{owner} answered a command that nobody sent: {records[0].place}"
        result.expect((owner, identifier) in sent, identifier, detail)
    return result


def answers_keep_their_word(evidence: Evidence) -> RuleResult:
    """What was refused left nothing behind; what was accepted is there."""
    result = RuleResult("answers_keep_their_word")
    strategies = {row["id"] for row in evidence.table("strategy_orchestrator.strategy")}
    for answer in evidence.answers.get("strategy", ()):
        if answer.body["command_type"].endswith(".create_strategy.v1") and answer.body.get("code") != REUSED:
            accepted, identifier = answer.name == "command_accepted", answer.body["command_id"]
            result.expect(accepted == (identifier in strategies), identifier, f"create_strategy: {_told(answer)}")
    rows = {row["id"] for row in evidence.table("deployer.operation")}
    touched = {line["order"].split("/")[0] for line in evidence.journal if line["effect"] == "started"}
    for operation in operations(evidence).values():
        said = f"asked {operation.asked} times, taken: {operation.taken}, refused: {sorted(operation.refused)}"
        result.expect(operation.taken == (operation.id in rows), operation.id, f"{said}; row: {operation.id in rows}")
        result.expect(operation.taken or operation.id not in touched, operation.id, f"{said}; a device was touched")
    return result


def answers_are_kept(evidence: Evidence) -> RuleResult:
    """Each owner keeps each answer it gave, so that the same command gets it again."""
    result = RuleResult("answers_are_kept")
    kept = {
        (owner, row["command_id"]): row["answer_type"]
        for owner, service in INBOXES.items()
        for row in evidence.table(f"{service}.inbox")
    }
    for command, records in _answers(evidence).items():
        given = {record.type for record in records if record.body.get("code") != REUSED}
        found = kept.get(command, "nothing")
        result.expect(found in given or not given, command[1], f"{command[0]} gave {sorted(given)}, keeps {found}")
    return result


def people_got_the_answer(evidence: Evidence) -> RuleResult:
    """What the API said of a command is what its owner answered; and each command stands in the audit once."""
    result = RuleResult("people_got_the_answer")
    answers = _answers(evidence)
    audited: dict[str, list[str]] = defaultdict(list)
    for row in evidence.table("gateway.audit"):
        audited[row["command_id"]].append(row["result"])
    for row in evidence.table("gateway.command"):
        identifier, said = row["command_id"], row["state"]
        found = audited[identifier]
        result.expect(found == [said], identifier, f"the API said {said}, the audit {found}")
        if row["type"] in published():
            told = [_told(answer).split()[0] for answer in answers.get((row["type"].split(".")[1], identifier), ())]
            result.expect(said in told, identifier, f"the API said {said}, its owner {told or 'nothing'}")
    return result
