"""One decision for many machines: signed documents, and the stores that carry them."""
