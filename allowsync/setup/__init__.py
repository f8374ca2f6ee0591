"""A first configuration: detection of the machine, the user's answers, and the text."""
