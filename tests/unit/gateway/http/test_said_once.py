"""What was said when it was still allowed is shown as it was said, and breaks no list."""

from datetime import UTC, datetime

from services.gateway.http.pages import Page, Paging, page
from services.gateway.resources.automatic.views import BehaviourView


def test_a_trigger_that_would_be_refused_today_is_shown() -> None:
    switches = {"reapply_on": [{"event": "host-unlocked", "filters": {"alarm": "x"}}]}
    row = {"app": "web", "switches": switches, "reason": "", "changed_at": datetime.now(UTC), "changed_by": ""}
    shown = page(Page[BehaviourView], [{**row, "actions": []}], Paging(), lambda _: [])
    (trigger,) = shown.items[0].switches.reapply_on or ()
    assert trigger.event == "host-unlocked"
