"""Publications: from the command to publish a bundle, wherever it lies, to the one event that tells its end."""
