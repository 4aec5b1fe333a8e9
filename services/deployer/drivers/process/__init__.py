"""Components as supervised processes of this machine."""
