"""`check` of a server whose hosts a gate in front of it drops, with a real nginx."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.program import Installation

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

LACKING = "web/nginx: lets in bob, but door/nftables in front of it does not, at 8443/tcp"


@pytest.mark.parametrize(("admitted", "told"), [(["alice"], True), (["alice", "bob"], False)])
def test_a_host_that_the_gate_before_a_server_lacks_is_named(
    here: Installation, admitted: list[str], told: bool
) -> None:
    config, allowed = here.folder / "nginx.conf", here.folder / "allowed.conf"
    nginx = {"path": str(allowed), "config": str(config), "pid_file": str(here.folder / "pid")}
    here.hosts = {"alice": {"networks": ["81.2.69.1"]}, "bob": {"networks": ["81.2.70.1"]}}
    here.more["allowlists"] = {
        "web": {"targets": [{"nginx": nginx}]},
        "door": {"hosts": admitted, "targets": [{"nftables": {"ports": ["8443/tcp"]}}]},
    }
    allowed.write_text("deny all;\n")
    config.write_text(
        f"pid {here.folder}/pid; error_log {here.folder}/log; events {{}}\n"
        f"http {{ access_log off; server {{ listen 8443; include {allowed}; }} }}\n"
    )
    done = here("check --no-packets")
    assert "Traceback" not in done.err
    assert (LACKING in done.out) is told, done.out + done.err
