"""URLs that Belay is to call."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field, HttpUrl

LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
"""1 to 63 characters between two dots (RFC 1035). Underscores are none of a host's, but there are such names."""

NAME = rf"({LABEL}\.)*{LABEL}\.?"
LONGEST_NAME = 253
ADDRESS = r"\[[0-9A-Fa-f:.]+\]"


def _callable(url: HttpUrl) -> HttpUrl:
    """Refuses a host that no DNS can have: what resolves names breaks at it, at every delivery anew."""
    host = url.host or ""
    if not (_is_address(host) or (len(host.rstrip(".")) <= LONGEST_NAME and re.fullmatch(NAME, host))):
        raise ValueError(
            f"the host must be an address or a name of at most {LONGEST_NAME} characters: "
            "parts of 1 to 63 letters, digits, '-' and '_', with a '.' between them"
        )
    return url


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


CallableUrl = Annotated[
    HttpUrl,
    AfterValidator(_callable),
    Field(
        json_schema_extra={"pattern": rf"^https?://(?![^/:?#]{{255}})({NAME}|{ADDRESS})(:[0-9]{{1,5}})?([/?#]\S*)?$"}
    ),
]
"""http or https, with a host that can be resolved; names in other scripts come out in Punycode."""
