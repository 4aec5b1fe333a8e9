"""The independent checker: reads what a run left behind and decides whether every promise was kept.

It shares nothing with the services but the published schemas; what it knows of them is what any user may read.
`python -m tests.faults.checker <folder>`, or `check(read(folder))`.
"""

from tests.faults.checker.reading import Evidence, read
from tests.faults.checker.recovery import Recovery, recoveries
from tests.faults.checker.rule_result import RuleResult, Violation
from tests.faults.checker.rules import RULES, check

__all__ = ["RULES", "Evidence", "Recovery", "RuleResult", "Violation", "check", "read", "recoveries"]
