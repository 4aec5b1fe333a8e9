"""Hosts that Ansible changes."""
