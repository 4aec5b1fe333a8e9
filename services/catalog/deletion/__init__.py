"""Releases removed for good: asked for, found to be needed by nobody, then gone with their content."""
