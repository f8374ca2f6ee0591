"""allowsync keeps firewall allowlists in sync with dynamic DNS."""

__version__ = "0.1.0"
