"""Runs, statuses and surveys: as text for people, as JSON for programs."""
