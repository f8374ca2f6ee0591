"""A certificate authority that this machine trusts, and nameservers that may take their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.dns import scheduler
from testkit.fake_dns.tls import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    made = Authority(tmp_path)
    with made.trusted():
        yield made


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be sent for the second time before its timeout.

    A nameserver that a loaded machine gives no turn for a tenth of a second is asked again, which
    is right, and would be counted by the tests of how often something is asked.
    """
    for pause in ("FIRST_PAUSE", "HANDSHAKE_PAUSE"):
        monkeypatch.setattr(scheduler, pause, 60.0)
