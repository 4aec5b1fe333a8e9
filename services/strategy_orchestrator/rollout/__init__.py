"""Strategies under way: what people ask of them, what the deployer says, and what follows."""
