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
        found = [document for document in self.documents(file) if document.value is not None]
        if len(found) == 1 and isinstance(found[0].value, dict):
            return Section(file, found[0], self.findings)
        if found:
            self.findings.blame("bad_yaml", file, "must be one mapping")
        return None

    def documents(self, file: str) -> list[Document]:
        """All of a file that is there; none of one that is no YAML."""
        self.used.add(file)
        try:
            return documents(self.texts[file])
        except BadYaml as error:
            self.findings.blame_yaml(file, error)
            return []
