"""`belay demo`: the whole story on this machine, with real releases of a real application."""
