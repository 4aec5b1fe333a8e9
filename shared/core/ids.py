"""Ids of what is new."""

import uuid


def new_id() -> str:
    """A fresh message id."""
    return str(uuid.uuid4())
