"""What it means that an image could not be pulled. Pure.

Engines and kubelets answer with a sentence, mostly that of the registry or of the disk. It is looked at for words that
all of them have used for years.
"""

from collections.abc import Iterable

Codes = tuple[tuple[str, tuple[str, ...]], ...]

CODES: Codes = (
    ("disk_full", ("no space left on device", "disk quota exceeded")),
    ("content_damaged", ("did not match", "does not match", "invalid checksum", "invalid diffid", "corrupt")),
    ("wrong_platform", ("no matching manifest", "no image found in manifest list", "no image found in image index")),
    (
        "no_such_image",
        ("manifest unknown", "name unknown", "not found: manifest", "repository name not known", "code = notfound"),
    ),
    ("registry_refused", ("unauthorized", "authentication required", "denied", "invalid username/password")),
    (
        "registry_unreachable",
        ("connection refused", "no such host", "i/o timeout", "no route to host", "timeout exceeded", "tls: ", "x509: ",
         "network is unreachable", "connection reset", "eof", "toomanyrequests", "too many requests", "bad gateway",
         "service unavailable", "gateway timeout", "internal server error"),
    ),
)  # fmt: skip
"""Codes by words in the sentence, most particular first."""

OF_PULL = frozenset(
    {"disk_full", "content_damaged", "wrong_platform", "no_such_image", "registry_refused", "registry_unreachable"}
)
PASSING_PULLS = frozenset({"registry_unreachable", "content_damaged", "pull_failed"})
"""Those that may end well when they are tried again: what a registry sent was cut off, damaged, or not sent at all."""


def code_of_pull(sentence: str) -> str:
    """Why an image could not be had."""
    return code_among(sentence, OF_PULL) or "pull_failed"


def code_among(sentence: str, among: Iterable[str], codes: Codes = CODES) -> str | None:
    """The first of these codes whose words are in the sentence; None = none of them is."""
    low = sentence.lower()
    return next((code for code, words in codes if code in among and any(word in low for word in words)), None)
