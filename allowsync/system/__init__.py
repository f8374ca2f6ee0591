"""The machine: processes, files, and what the journal understands."""
