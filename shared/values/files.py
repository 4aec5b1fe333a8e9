"""Values in a file of YAML, as Helm reads them: of a bundle, of the command line, of a request at a door. Pure."""

from typing import Any

from shared.safe_yaml import BadYaml, documents


def values_in(content: bytes) -> dict[str, Any]:
    """The one mapping in it; nothing where it is empty. Raises BadYaml."""
    found = documents(content)
    filled = [one for one in found if one.value is not None]
    if len(found) > 1 and filled != found[:1]:
        raise BadYaml("holds several documents, of which Helm reads the first; make one of them", found[1].line, 1)
    if not filled:
        return {}
    if not isinstance(filled[0].value, dict):
        raise BadYaml("must be a mapping of values: `key: value`, one a line", filled[0].line, 1)
    return filled[0].value
