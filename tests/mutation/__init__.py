"""Mutation testing of the pure modules: change one thing in the code, and see a test fail."""
