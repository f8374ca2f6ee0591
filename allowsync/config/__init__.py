"""The configuration: its schema, the YAML it is written in, and the checks across it."""
