"""Current and desired entries in, a plan and its limits out: pure functions over values.

What a third party's backend takes from here, `from allowsync.plan import Plan`, stays.
"""

from __future__ import annotations

from allowsync.model.plan import Plan

__all__ = ["Plan"]
