"""A run's part in a fleet: followed lists, the lead, and publication."""
