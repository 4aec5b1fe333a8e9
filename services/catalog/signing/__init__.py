"""Who may sign the releases of which app, and whether a bundle is signed as it must be."""
