"""Answers in, grants out: screening, guards, retention. Pure functions over values."""
