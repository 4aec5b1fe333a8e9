"""Secrets that connections name: kept sealed, opened in memory only, at the moment when a driver gets its order."""
