"""Use cases that only read: status, explain, check, and access at an instant."""
