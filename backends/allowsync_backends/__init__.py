"""The built-in firewalls, each found through its entry point."""
