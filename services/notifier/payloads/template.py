"""Templates: a JSON document in whose texts Liquid is filled in. Pure.

Whatever is filled in becomes the content of one JSON text, so no name and no last line can break the document or add to
it. An object with `"$if"` is left out where that text comes out empty.

Templates are written by whoever may add a subscription, and run inside of the notifier: Liquid has no access to
anything but its variables, ends by construction, and is bounded here in source, depth, rounds of loops and output. It
has no ranges.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import liquid
import orjson
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import LiquidError
from liquid.expression import Expression

from services.notifier.payloads.escapes import FILTERS
from shared.messages.base import Fault

Path = tuple[str, ...]
"""Keys and indices from the top of the document to a value."""

TEMPLATE_BYTES, TEXTS, DEPTH = 16_000, 200, 20
FILLED_BYTES = 64_000
"""Of a filled-in document. Slack takes 50 blocks of 3,000 characters, Teams 28 kB, Mattermost 16,383 characters."""

TEXT_CHARACTERS = 20_000
CONDITION = "$if"
_LEFT_OUT: Any = object()

_TAGS = ("if", "unless", "case", "for", "assign", "comment")
_OF_LIQUID_ITSELF = ("content", "output", "illegal", "#")
_FILTERS = (
    "append", "prepend", "default", "downcase", "upcase", "capitalize", "strip", "truncate", "first", "last", "size",
    "join", "slice", "plus", "minus",
)  # fmt: skip
"""Of Liquid's own only those whose result is bounded by what goes in: `replace` alone could fill the memory."""


class TemplateFailed(Exception):
    """A template could not be filled in; the message says where and why."""


class _Environment(liquid.Environment):
    """Liquid with little in it."""

    loop_iteration_limit: ClassVar[int | None] = 1_000
    output_stream_limit: ClassVar[int | None] = TEXT_CHARACTERS
    local_namespace_limit: ClassVar[int | None] = 4 * TEXT_CHARACTERS
    context_depth_limit: ClassVar[int] = 10
    block_nesting_limit: ClassVar[int] = 10


def _environment() -> liquid.Environment:
    environment = _Environment(undefined=liquid.StrictUndefined, tolerance=liquid.Mode.STRICT)
    environment.tags = {name: environment.tags[name] for name in (*_TAGS, *_OF_LIQUID_ITSELF)}
    environment.filters = {name: environment.filters[name] for name in _FILTERS} | FILTERS
    return environment


LIQUID = _environment()


@dataclass(frozen=True, slots=True)
class Template:
    """A document with its texts ready to be filled in."""

    document: Mapping[str, Any]
    texts: Mapping[Path, liquid.BoundTemplate]

    @staticmethod
    def of(document: Mapping[str, Any]) -> "Template":
        """Raises TemplateFailed for one that `faults_of_template` would have refused."""
        try:
            return Template(document, {path: _parsed(text) for path, text in _texts(document)})
        except (LiquidError, RecursionError) as error:
            raise TemplateFailed(_sentence(error)) from error

    def fill(self, variables: Mapping[str, Any]) -> bytes:
        """The document as it is posted. Raises TemplateFailed."""
        filled = self._filled(self.document, (), variables)
        raw = orjson.dumps({} if filled is _LEFT_OUT else filled)
        if len(raw) > FILLED_BYTES:
            raise TemplateFailed(f"filled in it has {len(raw):,} bytes; at most {FILLED_BYTES:,} are sent")
        return raw

    def text(self, path: Path, variables: Mapping[str, Any]) -> str:
        """One text filled in. Raises TemplateFailed."""
        try:
            return self.texts[path].render(**variables)
        except (LiquidError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise TemplateFailed(_sentence(error)) from error

    def _filled(self, value: Any, path: Path, variables: Mapping[str, Any]) -> Any:
        if isinstance(value, str):
            return self.text(path, variables)
        if isinstance(value, Mapping):
            if CONDITION in value and not self.text((*path, CONDITION), variables).strip():
                return _LEFT_OUT
            inner = {key: self._filled(v, (*path, key), variables) for key, v in value.items() if key != CONDITION}
            return {key: found for key, found in inner.items() if found is not _LEFT_OUT}
        if isinstance(value, list):
            items = (self._filled(v, (*path, str(number)), variables) for number, v in enumerate(value))
            return [found for found in items if found is not _LEFT_OUT]
        return value


def faults_of_template(document: Mapping[str, Any], samples: list[dict[str, Any]]) -> list[Fault]:
    """Every reason why a template is not taken; it is filled in with each sample."""
    texts = dict(_texts(document))
    if beyond := _out_of_bounds(document, texts):
        return [_fault((), beyond)]
    faults = [_fault(path, why) for path, text in texts.items() if (why := _why_not(text, samples))]
    if not faults:
        try:
            for sample in samples:
                Template.of(document).fill(sample)
        except TemplateFailed as error:
            faults.append(_fault((), str(error)))
    return faults


def _out_of_bounds(document: Mapping[str, Any], texts: Mapping[Path, str]) -> str:
    if not texts:
        return "holds no text that could say anything; begin with one of `belay subscription formats`"
    if max(map(len, texts)) > DEPTH:
        return f"is nested more than {DEPTH} deep"
    if len(texts) > TEXTS:
        return f"has {len(texts)} texts; at most {TEXTS} are taken"
    size = len(orjson.dumps(document))
    return f"has {size:,} bytes; at most {TEMPLATE_BYTES:,} are taken" if size > TEMPLATE_BYTES else ""


def _why_not(text: str, samples: list[dict[str, Any]]) -> str:
    """What is wrong with one text, empty for nothing."""
    try:
        parsed = _parsed(text)
        if unknown := sorted(set(map(str, parsed.global_variables())) - samples[0].keys()):
            return f"there is no {unknown[0]!r}; there are {', '.join(sorted(samples[0]))}"
        for sample in samples:
            parsed.render(**sample)
    except (LiquidError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        return _sentence(error)
    return ""


def _parsed(text: str) -> liquid.BoundTemplate:
    """Raises LiquidError. A range has few characters and any number of items, with which it could fill the memory."""
    parsed = LIQUID.from_string(text)
    if any(isinstance(expression, RangeLiteral) for expression in _expressions(parsed)):
        raise LiquidError("ranges such as (1..3) are not taken: loop over `failures`", token=None)
    return parsed


def _expressions(parsed: liquid.BoundTemplate) -> Iterator[Expression]:
    """Every expression of a template, those inside of others too."""
    context = liquid.RenderContext(parsed)
    nodes = list(parsed.nodes)
    while nodes:
        node = nodes.pop()
        nodes += node.children(context, include_partials=False)
        expressions = list(node.expressions())
        while expressions:
            expression = expressions.pop()
            yield expression
            expressions += expression.children()


def _texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text with its place; none from deeper than is taken, whose place is then told instead."""
    if isinstance(value, str) or len(path) > DEPTH:
        yield path, str(value)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, (*path, str(number)))


def _fault(path: Path, why: str) -> Fault:
    message = f"{'.'.join(path)}: {why}" if path else why
    return Fault(code="bad_template", field=".".join(("template", *path)), message=message)


def _sentence(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "holds a condition that is too long: take fewer `and` and `or`"
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
