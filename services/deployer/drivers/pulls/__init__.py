"""What drivers whose sites pull images have in common: what a refusal means, and that one pulls at a time."""
