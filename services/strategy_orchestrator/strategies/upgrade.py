"""Upgrade: a word that is known, and whose operation does not exist yet."""

REASON = "the deployer has no operation `upgrade` yet; a strategy of type update goes along the edges of releases"
