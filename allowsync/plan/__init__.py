"""Current and desired entries in, a plan and its limits out: pure functions over values.

The names that backends of third parties import, `from allowsync.plan import Plan`, stay.
"""

from __future__ import annotations

from allowsync.model.plan import Plan

__all__ = ["Plan"]
