"""Setting overrides: values as an object, or as the text of a file of values."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import Field, create_model

from services.gateway.http.bodies import formed, hidden_faults, read_object, without
from services.gateway.http.routing import Call
from services.gateway.http.sending import OURS, send
from shared.messages.base import Fault
from shared.messages.deployer import SetOverrides
from shared.messages.overrides import Values
from shared.safe_yaml import BadYaml
from shared.values.files import values_in

HIDDEN = frozenset({"app", "component"}) | OURS
"""Fields of the command that the path gives, or that people do not set."""

_TAKEN: Any = (
    Values | str,
    Field(default_factory=dict, description="a mapping; or the text of a YAML file of values, read as Helm reads it"),
)
Body: Any = create_model(
    "SetOverridesBody", __base__=without(SetOverrides, HIDDEN), __doc__=SetOverrides.__doc__, values=_TAKEN
)


async def set_overrides(call: Call) -> web.Response:
    """POST /v1/apps/{app}/overrides/{component}."""
    body = await read_object(call.request)
    faults = hidden_faults(body, HIDDEN)
    facts = {name: value for name, value in body.items() if name not in HIDDEN}
    return await send(call, formed(SetOverrides, {**_read(facts, faults), **call.path}, faults=faults))


def _read(facts: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any]:
    """The same with values that came as a text read; what is wrong with it goes to the other faults."""
    text = facts.get("values")
    if not isinstance(text, str):
        return dict(facts)
    try:
        return {**facts, "values": values_in(text.encode())}
    except BadYaml as error:
        message = f"cannot be read as values: {error}"
        faults.append(Fault(code="bad_values", field="values", message=message, value=text[:100]))
        return {**facts, "values": {}}
