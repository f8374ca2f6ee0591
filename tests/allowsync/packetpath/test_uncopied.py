"""What rules ask for that a copy cannot have: here what the tests' machine cannot load."""

from __future__ import annotations

import struct
from typing import Final

import pytest

from allowsync.packetpath.nftables import Expression
from allowsync.packetpath.uncopied import uncopied

# As the kernel lists `socket cgroupv2 level 2 "system.slice"` and `socket transparent 1`.
KEYS: Final = {0: "", 3: "the control group of the program that answers decides"}


@pytest.mark.parametrize("answers", [False, True])
@pytest.mark.parametrize(("key", "why"), KEYS.items())
def test_the_control_group_of_a_socket_is_unknown(key: int, why: str, *, answers: bool) -> None:
    held = [(1, struct.pack(">I", key)), (2, struct.pack(">I", 1)), (3, struct.pack(">I", 2))]
    assert uncopied([Expression("socket", held)], (), answers=answers) == why
