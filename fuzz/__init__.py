"""Fuzzing of whatever reads what others wrote. See `python -m fuzz --help`."""
