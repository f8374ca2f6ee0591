"""A first configuration: what the machine has, the answers given, and the text."""
