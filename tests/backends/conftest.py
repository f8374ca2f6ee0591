"""Of the steps that fail in turn in a backend's contract, a sample: each takes real programs."""

from __future__ import annotations

from allowsync.testing.contract import BackendContract
from tests.support.sampling import share

BackendContract.faults = share(BackendContract.faults, 3)
