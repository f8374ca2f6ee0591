"""Writing a first configuration: what somebody wishes, what the machine has, and the text."""
