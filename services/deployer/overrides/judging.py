"""On what terms a request may be taken, by what is set for its site now. Pure."""

from dataclasses import replace

from services.deployer.domain import Facts
from services.deployer.overrides.terms import PLAIN_TERMS, Terms, terms
from shared.messages.deployer import RequestOperation
from shared.messages.words import OperationKind as Kind

SAID_LATER = ("reset_overrides", "reset_attributes", "timeout_seconds")
"""What a release says where the request does not."""

BRINGS = frozenset({Kind.APPLY, Kind.UPDATE, Kind.ROLLBACK, Kind.PRESTAGE})
"""The kinds that bring what is set now; a recovery brings what was set before, a removal brings nothing."""


def with_terms(request: RequestOperation, facts: Facts) -> Facts:
    """What a request is judged by, with the terms of its operation."""
    if request.publication and facts.version is None:
        return replace(facts, terms=_later(request))
    if not facts.set_now and not request.only_changes and not facts.deployment.overrides:
        return facts  # nearly all
    found = _terms(request, facts)
    return facts if found is PLAIN_TERMS else replace(facts, terms=found)


def _later(request: RequestOperation) -> Terms:
    """Until the release has come, only what was asked for is known."""
    asked = {name: value for name in SAID_LATER if (value := getattr(request, name)) is not None}
    return Terms(only_changes=request.only_changes, asked=asked) if asked or request.only_changes else PLAIN_TERMS


def _terms(request: RequestOperation, facts: Facts) -> Terms:
    if request.kind is Kind.RECOVER:
        return terms(
            facts.deployment.overrides.get(facts.version or "", ()),
            drop_values=False,
            drop_attributes=False,
            only_changes=False,
        )
    if request.kind not in BRINGS:
        return PLAIN_TERMS
    return terms(
        facts.set_now,
        drop_values=_drops(request, facts, request.reset_overrides, "keep_overrides"),
        drop_attributes=_drops(request, facts, request.reset_attributes, "keep_attributes"),
        only_changes=request.only_changes,
    )


def _drops(request: RequestOperation, facts: Facts, asked: bool | None, rule: str) -> bool:
    """Whether what is set for the site alone does not go over to the release: as was asked, else as the release says of
    those who come to it. A rollback goes back, and not over."""
    if asked is not None:
        return asked
    comes = request.kind is not Kind.ROLLBACK and facts.deployment.version not in (None, facts.version)
    return bool(comes and facts.target and not getattr(facts.target.rules, rule))
