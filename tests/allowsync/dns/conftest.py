"""A certificate authority that this machine trusts for as long as a test runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.tls import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    made = Authority(tmp_path)
    with made.trusted():
        yield made
