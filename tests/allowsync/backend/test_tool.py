"""What backends run is found where it is looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.backend import BackendError
from allowsync.backend.tool import installed, run_tool
from allowsync.testing.io_faults import fake_programs

if TYPE_CHECKING:
    from pathlib import Path


def test_a_tool_is_installed_where_it_would_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "pfctl-of-a-test"
    tool.write_text("#!/bin/sh\necho it runs\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not installed(tool.name)
    with pytest.raises(BackendError):
        run_tool(tool.name)
    with fake_programs(tmp_path):
        assert installed(tool.name)
        assert run_tool(tool.name) == "it runs\n"
