"""Devices that only pretend."""
