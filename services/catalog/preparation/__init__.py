"""Releases had ready once for all sites: what of them is to lie there before anything changes."""
