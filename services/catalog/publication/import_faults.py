"""What an import that fails is told to have failed of, and whether trying again could mend it. Pure."""

from collections.abc import Mapping

from services.catalog.preparation.worker import failing_code
from services.catalog.publication.domain import short
from services.catalog.publication.fetching import SourceAway, SourceRefused
from shared.blobs import WrongContent
from shared.components.image_manifests import BadManifest
from shared.core.errors import internal_fault, is_transient
from shared.downloads.registry import RegistryAway, RegistryRefused
from shared.messages.base import Fault
from shared.targets import TargetRefused, UnknownHost

FOR_GOOD: Mapping[type[Exception], str] = {
    WrongContent: "wrong_digest",
    BadManifest: "not_a_bundle",
    TargetRefused: "private_source",
    UnknownHost: "source_unreachable",
}
"""What trying again would not mend, by the code that it is told with; refusals have one of their own."""

PASSING: Mapping[type[Exception], str] = {SourceAway: "source_unreachable", RegistryAway: "registry_unreachable"}
"""What may pass, by the code that it is told with when it does not; else as preparations tell it."""

OF_THE_BUNDLE = frozenset({"wrong_digest", "not_a_bundle", "not_gzip", "too_large"})
"""Something is wrong with what lies there; with any other code it could not be had."""


def understood(error: Exception) -> bool:
    """Whether it is no defect of ours."""
    return is_transient(error) or isinstance(error, (SourceRefused, RegistryRefused, *FOR_GOOD))


def fault_for_good(error: Exception) -> Fault | None:
    """Why it fails for good; None = it may pass."""
    if isinstance(error, SourceRefused | RegistryRefused):
        return about(error.code, str(error))
    if code := next((code for kind, code in FOR_GOOD.items() if isinstance(error, kind)), None):
        return about(code, str(error))
    return None if is_transient(error) else internal_fault(error)


def passing_code(error: Exception) -> str:
    """The code of what may pass."""
    return next((code for kind, code in PASSING.items() if isinstance(error, kind)), failing_code(error))


def about(code: str, message: str) -> Fault:
    """What is wrong with the source."""
    return Fault(code=code, field="source", message=short(message))
