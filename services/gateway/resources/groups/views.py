"""Groups as the API shows them."""

from pydantic import BaseModel, Field


class GroupView(BaseModel):
    """A group and its number of sites."""

    name: str
    description: str
    apply_type: str
    max_parallel: int | str
    sites: int
    actions: list[str] = Field(description="what you may do with it now: update, delete")
