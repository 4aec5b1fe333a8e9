"""Notifier: what people should know, stored, read, and delivered."""
