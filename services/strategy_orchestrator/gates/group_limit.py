"""So many sites of a group change at once, in all strategies together."""

from datetime import datetime

from services.strategy_orchestrator.domain import Stage
from services.strategy_orchestrator.fleet.group_limits import full, full_groups_message, startable
from services.strategy_orchestrator.gates.gate import Closed, Open, Surroundings

GROUP_LIMIT = "group_limit"


def check(stage: Stage, surroundings: Surroundings, _now: datetime) -> Open | Closed:
    """Closed where all groups of the sites that wait are full. Open where no site has a group, or nobody has looked."""
    queues = surroundings.queues.get(stage.position, {}).values()
    able = sum(startable(queue, surroundings.groups) for queue in queues)
    waited_for = [] if able else full(queues, surroundings.groups)
    if waited_for:
        return Closed(GROUP_LIMIT, full_groups_message(waited_for))
    return Open(able or None)
