"""allowsync keeps firewall allowlists true for friends behind dynamic DNS."""

__version__ = "0.1.0"
