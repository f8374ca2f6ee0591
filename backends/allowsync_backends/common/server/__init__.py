"""Servers that read a file of ours: how they run, are checked, reloaded, and looked after."""
