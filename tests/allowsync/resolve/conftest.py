"""A certificate authority that this machine trusts for as long as a test runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.testing.tls import Authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
    return made
