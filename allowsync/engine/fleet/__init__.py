"""A run's part in a fleet: what it follows, whether it leads, what it publishes."""
