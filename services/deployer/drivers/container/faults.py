"""What an engine's refusal means. Pure.

Engines answer with a status and a sentence; Podman gives 500 to nearly everything. So beside the few answers that have
a status of their own, the sentences are looked at for words that both engines, and registries, have used for years.
"""

CODES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("disk_full", ("no space left on device", "disk quota exceeded")),
    ("content_damaged", ("did not match", "does not match", "invalid checksum", "invalid diffid", "corrupt")),
    ("port_taken", ("address already in use", "port is already allocated", "port is already in use")),
    ("wrong_platform", ("no matching manifest", "no image found in manifest list", "no image found in image index")),
    ("no_such_image", ("manifest unknown", "name unknown", "not found: manifest", "repository name not known")),
    ("registry_refused", ("unauthorized", "authentication required", "denied", "invalid username/password")),
    (
        "registry_unreachable",
        ("connection refused", "no such host", "i/o timeout", "no route to host", "timeout exceeded", "tls: ", "x509: ",
         "network is unreachable", "connection reset", "eof", "toomanyrequests", "too many requests", "bad gateway",
         "service unavailable", "gateway timeout", "internal server error"),
    ),
)  # fmt: skip
"""Codes by words in the engine's sentence, most particular first."""

OF_PULL = frozenset(
    {"disk_full", "content_damaged", "wrong_platform", "no_such_image", "registry_refused", "registry_unreachable"}
)
PASSING_PULLS = frozenset({"registry_unreachable", "content_damaged", "pull_failed"})
"""Those that may end well when they are tried again: what a registry sent was cut off, damaged, or not sent at all."""
OF_ENGINE = frozenset({"disk_full", "port_taken"})
OF_LOAD = frozenset({"disk_full", "content_damaged"})

PASSING = ("no such network interface", "network inspection mismatch")
"""What an engine says when something else on its host changed while it looked: the same may be asked again."""

AS_IT_IS = "* oci-archive:"
"""Podman takes an archive for each kind that it knows, one after the other, and tells why it is none of them."""


def passes(sentence: str) -> bool:
    """Whether a refusal is of this moment alone."""
    return any(words in sentence.lower() for words in PASSING)


def code_of_pull(sentence: str) -> str:
    """Why an image could not be had."""
    return _code(sentence, OF_PULL) or "pull_failed"


def code_of_engine(sentence: str) -> str:
    """Why the engine did not do what it was told."""
    return _code(sentence, OF_ENGINE) or "engine_refused"


def code_of_load(sentence: str) -> str:
    """Why an engine did not take an image that it was sent."""
    return _code(sentence_of_load(sentence), OF_LOAD) or "load_failed"


def sentence_of_load(sentence: str) -> str:
    """What it says of the archive as what it is."""
    lines = [line.strip() for line in sentence.splitlines() if line.strip()]
    return next((line.removeprefix(AS_IT_IS).strip() for line in lines if line.startswith(AS_IT_IS)), sentence)


def _code(sentence: str, among: frozenset[str]) -> str | None:
    low = sentence.lower()
    return next((code for code, words in CODES if code in among and any(word in low for word in words)), None)
