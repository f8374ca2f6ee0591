"""A folder in memory for every test of whole runs."""

from __future__ import annotations

from tests.support.memory import tmp_path as tmp_path
