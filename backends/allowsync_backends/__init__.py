"""The firewalls allowsync knows out of the box, each found through its entry point."""
