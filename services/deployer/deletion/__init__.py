"""Releases that are to be deleted: whether a site needs them, and what is forgotten with them."""
