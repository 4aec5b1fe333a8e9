"""Dead letters as the API shows them."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from shared.messages.base import Model

SHOWN_CHARACTERS = 20_000


class DeadTopicView(BaseModel):
    """A topic that has dead letters."""

    topic: str
    count: int


class DeadLetterView(BaseModel):
    """A record that could not be handled. `origin` is topic/partition/offset of the record itself."""

    offset: int
    origin: str
    code: str
    reason: str
    key: str | None = Field(description="as text; null = the record has none, or you are no admin")
    headers: dict[str, str | None] = Field(description="as text; of several with one name the last; null = no value")
    body: str | None = Field(
        description=f"as text, at most {SHOWN_CHARACTERS} characters; null = the record has none, or you are no admin"
    )
    at: datetime


class HeaderView(BaseModel):
    """One header of a record."""

    name: str
    value: str | None = Field(description="base64; null = no value, which is not the same as an empty one")


class RecordView(BaseModel):
    """A record exactly as it lay in its topic."""

    key: str | None = Field(description="base64; null = none")
    headers: list[HeaderView] = Field(description="in their order; a name may stand more than once")
    body: str | None = Field(description="base64; null = none")


class WholeLetterView(DeadLetterView):
    """A dead letter with its record, byte by byte."""

    record: RecordView


class ReplayBody(Model):
    """Which dead letters to send once more."""

    offsets: Annotated[tuple[Annotated[int, Field(ge=0, le=2**63 - 1)], ...], Field(min_length=1, max_length=100)]
