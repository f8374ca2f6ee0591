"""The machine: processes, files, and what the journal understands."""

# Whether this process is allowsync's alone, and may go on in a copy of itself (`worker`).
is_program = False
