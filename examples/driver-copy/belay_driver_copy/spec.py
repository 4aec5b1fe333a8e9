"""What a release says of a component of this driver."""

from typing import Annotated

from pydantic import Field

from shared.components import Spec
from shared.components.fields import BundleFolder, RelativePath


class CopySpec(Spec):
    """A folder of the bundle that becomes a folder of the site, file by file."""

    source: BundleFolder = Field(description="folder of the bundle")
    target: RelativePath = Field(description="folder under the root that the site's connection names")
    keep: Annotated[int, Field(ge=1, le=100)] = Field(default=3, description="revisions that stay on the site")
