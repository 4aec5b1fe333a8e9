"""Monitor: failure rates, forecasts and silence, drawn from the stream of strategy events."""
