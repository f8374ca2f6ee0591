"""The machine: processes, files, terminal, journal."""

# Whether this process is allowsync's alone, and may continue in a copy of itself (`worker`).
is_program = False
