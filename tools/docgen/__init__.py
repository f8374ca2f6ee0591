"""Documents made from the program: manual pages, configuration reference, JSON Schema, pictures.

`python -m tools.docgen docs FOLDER` writes documents, `man FOLDER` manual pages. No run imports it.
"""
