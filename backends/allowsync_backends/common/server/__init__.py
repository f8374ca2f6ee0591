"""Servers that read a file of ours: their processes, checks, reloads and verification."""
