"""Rehearse: a word that is known, and whose operation does not exist yet."""

REASON = "the deployer has no operation `rehearse` yet; a preview of an operation says what it would do"
