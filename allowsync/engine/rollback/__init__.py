"""Taking back what a run changed, unless it is confirmed in time."""
