"""What is asked of a site is one operation; of a group it is a strategy, one at a time for each app."""

from typing import Any

from pydantic import ValidationError

from services.gateway.doors.sysinv import store
from services.gateway.doors.sysinv.call import Call
from services.gateway.doors.sysinv.refusing import reject_answer, rejected, told
from services.gateway.doors.sysinv.standing import Standing
from services.gateway.doors.sysinv.strategy_names import RUNNING, strategy_of
from shared.messages.base import faults_of
from shared.messages.deployer import CancelOperation, RequestOperation
from shared.messages.strategy import AbortStrategy, ApplyStrategy, CreateStrategy, DeleteStrategy

AT_ONCE = 50
"""Sites of a group that change at the same time."""


async def carry_out(call: Call, op: str, kind: str, app: str, version: str | None, **more: Any) -> None:
    """Have it done where the door speaks for. Raises Refused 400 with every reason."""
    if call.own.group is None:
        reject_answer(op, await call.ask(operation(call, op, app=app, kind=kind, version=version, **more)))
    else:
        await _by_strategy(call, op, {"app": app, "type": kind, "version": version, **more})


def operation(call: Call, op: str, **facts: Any) -> RequestOperation:
    """An operation on the site of the door. Raises Refused 400 for what is none."""
    try:
        return RequestOperation.model_validate({"site": call.own.site, **_said(facts)})
    except ValidationError as error:
        raise rejected(op, *told(faults_of(error))) from None


def _said(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


async def _by_strategy(call: Call, op: str, facts: dict[str, Any]) -> None:
    made = await call.ask(await strategy(call, op, **facts))
    reject_answer(op, made)
    reject_answer(op, await call.ask(ApplyStrategy(strategy=made.command_id)))


async def strategy(call: Call, op: str, **facts: Any) -> CreateStrategy:
    """What makes a strategy of the group of the door. Raises Refused 400 for what is none.

    What is left of the one before goes away first; the orchestrator keeps a second one from being made beside it.
    """
    name = strategy_of(facts["app"])
    await _put_away(call, op, name)
    description = f"asked for at the sysinv door by {call.who.name}"
    spec = {"name": name, "selection": {"groups": [call.own.group]}, "max_parallel": AT_ONCE, **_said(facts)}
    failures = {"stop_on_failure": False}  # each site for itself, as each system of theirs is
    again = {"force": True} if facts["type"] == "apply" and not facts.get("only_changes") else {}
    try:
        return CreateStrategy.model_validate(
            {"spec": {**spec, "on_failure": failures, "description": description, **again}}
        )
    except ValidationError as error:
        raise rejected(op, *told(faults_of(error))) from None


async def _put_away(call: Call, op: str, name: str) -> None:
    async with call.gateway.pool.acquire() as conn:
        before = (await store.strategies(conn, [name])).get(name)
    if before is None:
        return
    if before["state"] in RUNNING:
        raise rejected(op, f"the strategy {name} is {before['state']}.")
    reject_answer(op, await call.ask(DeleteStrategy(strategy=before["strategy_id"])))


async def stop(call: Call, app: Standing) -> None:
    """Stop what is under way at its next safe point; it is turned back then. Raises Refused 400."""
    reason = f"aborted at the sysinv door by {call.who.name}"
    command: CancelOperation | AbortStrategy
    if call.own.group is None:
        command = CancelOperation(site=str(call.own.site), operation_id=app.operation_id or "-", reason=reason)
    else:
        command = AbortStrategy(strategy=await _running_strategy(call, app.name), now=True)
    reject_answer("abort", await call.ask(command))


async def _running_strategy(call: Call, app: str) -> str:
    async with call.gateway.pool.acquire() as conn:
        name = strategy_of(app)
        found = (await store.strategies(conn, [name])).get(name)
    if found is None or found["state"] not in RUNNING:
        raise rejected("abort", "what is under way there was not asked for here.")
    return str(found["strategy_id"])
