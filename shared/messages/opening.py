"""Open words: what an event says may be a word that its reader has never heard of.

In a rolling update the newer replica says a new word first. A reader that refused it would fill the dead letters, so an
unknown word in an event is kept and shown as it is. Commands stay closed: their sender meant something by each word.
"""

from typing import Annotated, Any, TypeVar

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

W = TypeVar("W")

IN_AN_EVENT = {"in_an_event": True}
"""The context in which the body of an event is validated."""


def in_an_event(info: ValidationInfo) -> bool:
    """Whether a value is read out of an event: what its owner said is a fact, and no rule refuses it."""
    return info.context is IN_AN_EVENT


LONGEST = 100
"""Characters of a word that is not known."""


class _Extensible:
    """Names the known words in the JSON schema without closing it, as `x-extensible-enum`, which API tools know."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        return _extensible(handler.resolve_ref_schema(schema["anyOf"][0]))


class _ClosedInCommands:
    """A word of a value that travels in commands, where it is closed, and in events, where it is open."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        as_text = core_schema.to_string_ser_schema(when_used="json")
        return core_schema.with_info_wrap_validator_function(_known, handler(source), serialization=as_text)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        known = handler(core["schema"])
        return known if handler.mode == "validation" else _extensible(handler.resolve_ref_schema(known))


def _known(word: Any, known: Any, info: ValidationInfo) -> Any:
    try:
        return known(word)
    except ValidationError:
        if in_an_event(info) and isinstance(word, str) and len(word) <= LONGEST:
            return word
        raise


def _extensible(known: JsonSchemaValue) -> JsonSchemaValue:
    about = {key: value for key, value in known.items() if key in ("title", "description")}
    return {"type": "string", "maxLength": LONGEST, "x-extensible-enum": known["enum"], **about}


Open = Annotated[W | Annotated[str, Field(max_length=LONGEST)], Field(union_mode="left_to_right"), _Extensible()]
"""Of events: one of these words, or one that a newer version says."""

ClosedInCommands = Annotated[W, _ClosedInCommands()]
"""Of values that commands and events share. In an event it may be any text, whatever the type says."""
