"""A download that failed, told in three lines: what and why, from where, and what to set."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.downloads.surroundings import proxy_to, shown

LONGEST_CAUSE = 200

SIGNS = r"certificate|\bssl\b|sha256|\btls\b|proxy|refused|resol|unreachable|timed? ?out|timeout|\b[45]\d\d\b|no route"
"""What the line of a tool's output holds that says why; others repeat, retry or give up."""

ADVICE = (
    (r"certificate|\bssl\b|\btls\b|unknownissuer",
     "set SSL_CERT_FILE to a file with your company's certificate authority (PEM), or add it to this system's"),
    (r"\b407\b|proxy.*auth", "set HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"),
    (r"\b40[13]\b", "give name and password in {mirror}=https://NAME:PASSWORD@HOST/PATH"),
    (r"\b404\b|no matching distribution", "set {mirror} to a mirror that has it"),
    (r"sha256|hash", "a proxy or mirror gave something else, perhaps a page to log in: set HTTPS_PROXY or {mirror}"),
    (r"", "set HTTPS_PROXY (and NO_PROXY) if a proxy leads out of here, or {mirror} to a mirror that can be reached"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failure:
    """`what` could not be fetched from `source` because of `cause`; `mirror` names another source."""

    what: str
    cause: str
    source: str
    mirror: str

    def __str__(self) -> str:
        return "\n  ".join(self.lines())

    def lines(self) -> tuple[str, str, str]:
        """What and why, from where, what to set."""
        return f"cannot fetch {self.what}: {self.cause}", self.where(), self.advice()

    def where(self) -> str:
        """From where, and through what."""
        proxy = proxy_to(self.source) if "://" in self.source else proxy_to("https://elsewhere.invalid")
        way = f"through the proxy {shown(proxy)}" if proxy else "without a proxy"
        return f"from {shown(self.source)}, {way}"

    def advice(self) -> str:
        """What to set, by the cause."""
        found = next(text for sign, text in ADVICE if re.search(sign, self.cause, re.IGNORECASE))
        return found.format(mirror=self.mirror)


def cause_in(output: str) -> str:
    """The one line of a tool's output that says why it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it said nothing"]
    telling = [line for line in lines if re.search(SIGNS, line, re.IGNORECASE)]
    cause = re.sub(r"^(Caused by|ERROR|error|WARNING): *", "", (telling or lines)[-1])
    # pip tells of it with three layers of Python around.
    inner = re.search(
        r"connection broken by '\w+\((?:\d+, )?[\"']?(?:HTTPS?Connection\(.*?\): )?(.*?)[\"']?\)': /", cause
    )
    return (inner[1] if inner else cause)[:LONGEST_CAUSE]
