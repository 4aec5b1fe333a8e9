"""What the deployer does with apps by itself, and what people may say about that."""
