"""How a configuration is read: YAML, nodes that know their line, and the kinds of values.

`option` is what a backend declares its options with.
"""

from __future__ import annotations

from allowsync.config.schema.option import option

__all__ = ["option"]
