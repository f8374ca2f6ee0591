"""Lists of networks that others keep: read from files, fetched, and what of them is in force."""
