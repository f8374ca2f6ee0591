"""A run, a status, a survey: as text for people, as JSON for programs."""
