"""Fake dns."""
