"""The memory between runs: an SQLite database and the lock beside it."""

from allowsync.state.errors import StateDamaged, StateError, StateUnwritable
from allowsync.state.lock import Busy, Lock
from allowsync.state.records import EntryChange, RunRecord, TargetRecord
from allowsync.state.store import Store

__all__ = [
    "Busy",
    "EntryChange",
    "Lock",
    "RunRecord",
    "StateDamaged",
    "StateError",
    "StateUnwritable",
    "Store",
    "TargetRecord",
]
