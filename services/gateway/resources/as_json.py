"""JSON for arrays of jsonb.

It travels as text[] and is cast by the query: asyncpg takes a list inside of a jsonb[] for another dimension.
"""

from typing import Any

import orjson


def text(value: Any) -> str:
    """A value as JSON text."""
    return orjson.dumps(value).decode()
