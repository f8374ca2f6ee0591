"""What a test leaves that failed."""

from __future__ import annotations

import gc
import sys
import warnings


def forget_failure() -> None:
    """Collect what the last failed test held, without a word about it.

    The traceback of a failure keeps the sockets and processes of its test, and is kept itself
    (`sys.last_value`). Collected during a later test, the warnings about them would be that one's.
    """
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            delattr(sys, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
