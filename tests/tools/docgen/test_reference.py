"""The reference names everything that a configuration can say."""

from __future__ import annotations

import subprocess
import sys

from allowsync.config.hosts import HOST_OPTIONS
from allowsync.config.sections import LIMITS, POLICY_OPTIONS, RESOLVER, SINGLE_OPTIONS
from allowsync.config.targets import loadable, options_kind
from tools.docgen.reference import markdown


def test_every_key_has_a_row() -> None:
    rows = markdown().splitlines()
    groups = [HOST_OPTIONS, POLICY_OPTIONS, LIMITS.options, RESOLVER.options, SINGLE_OPTIONS]
    groups += [options_kind(backend).options for backend in loadable()]
    for options in groups:
        for name, one in options.items():
            assert any(row.startswith(f"| `{name}` |") for row in rows), name
            assert one.help.endswith("."), name


def test_every_backend_has_a_section() -> None:
    text = markdown()
    assert {backend.name for backend in loadable()} >= {"file", "nftables"}
    assert all(f"\n### `{backend.name}`\n" in text for backend in loadable())


def test_every_table_has_as_many_cells_in_each_row() -> None:
    rows = [line for line in markdown().splitlines() if line.startswith("|")]
    assert {row.replace("\\|", "").count("|") for row in rows} == {5}


def test_it_is_printed_by_its_module() -> None:
    command = [sys.executable, "-m", "tools.docgen.reference"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == markdown()
