"""Rollback of a run's changes, unless confirmed in time."""
