"""Drivers on the real things, from the outside: what `make demo DRIVERS=…` and `make faults DRIVERS=…` have in common.

A `Hand` (hand.py) is one driver with a lab of its own: sites for it, releases for them, and ways to ask the things
themselves what runs, what was done twice and what was left behind. Nothing here asks Belay.
"""
