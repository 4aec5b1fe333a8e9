"""Prestage: what a release brings to a site lies there before it is needed. See the README of the deployer."""
