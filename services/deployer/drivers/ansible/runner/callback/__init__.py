"""Callbacks that Ansible loads from here by itself; a package only so that it is installed."""
