"""What a rule says in the end."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that must not be: which rule, of what (a command, step, site …), and what was seen."""

    rule: str
    subject: str
    detail: str


@dataclass(slots=True)
class RuleResult:
    """Of one rule: how many things it looked at, and what was wrong. `notes` are for people (recovery times)."""

    rule: str
    checked: int = 0
    violations: list[Violation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def expect(self, holds: object, subject: str, detail: str) -> None:
        """One thing was looked at; unless it holds it is a violation."""
        self.checked += 1
        if not holds:
            self.violations.append(Violation(self.rule, subject, detail))

    def refuse(self, subject: str, detail: str) -> None:
        """Something that must not be at all."""
        self.violations.append(Violation(self.rule, subject, detail))
