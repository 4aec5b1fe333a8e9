"""The small files of a tarball, read one by one as YAML; and which of them nobody has read."""

from collections.abc import Collection

from shared.safe_yaml import BadYaml, Document, documents

from .findings import Findings, Texts
from .sections import Section


class SmallFiles:
    """What is wrong with them is in the findings."""

    def __init__(self, texts: Texts, files: Collection[str], findings: Findings) -> None:
        """`files`: the names of all files of the tarball, small or not."""
        self.texts = texts
        self.files = frozenset(files)
        self.findings = findings
        self.used: set[str] = set()

    def only(self, file: str) -> Section | None:
        """The one document of a file; what is none is blamed."""
        self.used.add(file)
        if file not in self.texts:
            self.findings.blame("missing_manifest", file, "the tarball does not hold this file, or it is not small")
            return None
        found = self.documents(file)
        if found is None:
            return None
        if len(found) == 1 and isinstance(found[0].value, dict):
            return Section(file, found[0], self.findings)
        place = f"{file}:{found[-1].line if found else 1}"
        self.findings.blame("bad_yaml", place, "must be one mapping, and not nothing, a list or several documents")
        return None

    def documents(self, file: str) -> list[Document] | None:
        """Those of a file that is there which hold anything; None where it is no YAML, which is blamed."""
        self.used.add(file)
        try:
            return [document for document in documents(self.texts[file]) if document.value is not None]
        except BadYaml as error:
            self.findings.blame_yaml(file, error)
            return None
