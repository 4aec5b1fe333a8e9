"""What a failed helm means. Pure.

Helm says it in words only, and passes on those of the API server; the words below are as old as either. What none of
them fits is `helm_failed`, with the words as they are.
"""

import re
from collections.abc import Mapping

_CODES: Mapping[str, tuple[str, ...]] = {
    "namespace_terminating": (r"is being terminated", r"namespace .* is terminating"),
    "quota_exceeded": (r"exceeded quota",),
    "immutable_field": (r"field is immutable", r"updates to .* for fields other than", r"may not be changed"),
    "hook_failed": (
        r"(?:pre|post)-(?:install|upgrade|rollback|delete)\S* hooks? failed",
        r"hook (?:pre|post)-\S+ .*failed",
        r"\* (?:job|pod) \S+ failed",
        r"resource (?:Job|Pod)/\S+ not ready\. status: Failed",  # nothing else that it waits for can fail
        r"failed (?:pre|post)-\w+",
    ),
    "owned_by_another": (r"invalid ownership metadata", r"cannot be imported into the current release"),
    "conflict": (r"conflicts? with \"", r"Apply failed with \d+ conflict"),
    "bad_chart": (
        r"missing in charts/ directory",
        r"Chart\.yaml file is missing",
        r"cannot load Chart\.yaml",
        r"chart\.metadata",
        r"invalid chart",
        r"does not appear to be a gzipped archive",
    ),
    "bad_values": (
        r"values don't meet the specifications of the schema",
        r"failed to parse .*values",
        r"cannot unmarshal .* into Go value of type map",
    ),
    "bad_manifest": (
        r"error converting YAML to JSON",
        r"YAML parse error",
        r"error validating data",
        r"unknown object type",
        r"no matches for kind",
        r"resource mapping not found",
        r"unable to build kubernetes objects",
        r"unable to decode",
    ),
    "bad_template": (
        r"template: ",
        r"parse error at",
        r"execution error at",
        r"error calling",
        r"nil pointer evaluating",
    ),
    "bad_certificate": (r"x509: ", r"tls: .*certificate"),
    "unauthorized": (r"\bUnauthorized\b", r"asked for the client to provide credentials", r"must be logged in"),
    "refused_by_policy": (r"admission webhook .* denied", r"violates PodSecurity"),
    "forbidden": (r"is forbidden: ", r"cannot (?:get|list|create|patch|update|delete|watch) resource"),
    "invalid_object": (r"is invalid: ",),
    "timeout": (r"timed out waiting", r"context deadline exceeded"),
}
"""The first of them counts, for one failure may have words of several."""

CODES = tuple(_CODES)

_UNREACHABLE = re.compile(
    r"connection refused|connection reset by peer|no route to host|network is unreachable|i/o timeout|broken pipe"
    r"|TLS handshake timeout|unexpected EOF|: EOF\b|http2: (?:client connection lost|server sent GOAWAY)|no such host"
    r"|Kubernetes cluster unreachable|server is currently unable to handle the request|apiserver not ready"
    r"|etcdserver: |client rate limiter Wait returned an error|http2: Transport",
    re.IGNORECASE,
)


_WEBHOOK = re.compile(r"calling webhook|admission webhook", re.IGNORECASE)


def is_outage(words: str) -> bool:
    """Whether helm failed because the API server could not be reached, or could not answer; it is tried again then.

    By the cause alone: pods whose logs helm shows, and other APIs that it warns of, may be cut off from whatever they
    like. An admission webhook is called by an API server that is well.
    """
    cause = cause_in(words)
    away = _UNREACHABLE.search(cause) and not _WEBHOOK.search(cause)
    return bool(away) and code_of(words) not in ("unauthorized", "bad_certificate")


def code_of(words: str) -> str:
    """The driver's code for what helm said."""
    for code, patterns in _CODES.items():
        if any(re.search(pattern, words, re.IGNORECASE) for pattern in patterns):
            return code
    return "helm_failed"


def cause_in(words: str) -> str:
    """The one line that says why: the last that helm calls an error."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    named = [number for number, line in enumerate(lines) if line.startswith(("Error:", "Error "))]
    if named and lines[named[-1]].endswith("occurred:"):  # what occurred stands below, a line each
        return " ".join(lines[named[-1] + 1 :]).removeprefix("* ")[:2_000]
    return (lines[named[-1]] if named else (lines or ["helm ended without a word"])[-1]).removeprefix("Error:").strip()
