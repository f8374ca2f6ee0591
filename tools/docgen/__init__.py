"""Pages made from the program itself: the commands, the configuration, the manual, the schema.

`python -m tools.docgen docs` prints nothing and writes into `docs/`; `man FOLDER` writes manual
pages. Nothing here is imported by a run.
"""
