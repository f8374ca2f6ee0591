"""Rules files that are symlinks, into a folder under version control for example."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.ufw.service import needs

from allowsync.backend.api import BackendError
from tests.support.gates import allow
from tests.support.ufw import RULES, RULES6, backend, kernel, text, write

if TYPE_CHECKING:
    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

HOME, HOME6, MOVED = "81.2.69.142/32", "2a02:8109:9a40::/64", "81.2.69.77/32"
KEPT, KEPT6 = Path("/etc/ufw/kept/rules4"), Path("/etc/ufw/kept/rules6")
LINKING = """
mkdir kept; mv user.rules kept/rules4; mv user6.rules kept/rules6
ln -s kept/rules4 hop; ln -s hop user.rules; ln -s "$PWD/kept/rules6" user6.rules
"""


@pytest.fixture
def linked(inside: Namespace) -> Namespace:
    """Both files are links; one of them leads to another link."""
    inside.command("sh", "-ec", f"cd /etc/ufw; {LINKING}")
    inside.command("ufw", "allow", "22/tcp")
    return inside


def links_are_kept(inside: Namespace) -> bool:
    return inside.run(RULES.is_symlink) and inside.run(RULES6.is_symlink)


def test_what_a_link_leads_to_is_written_and_the_link_stays(linked: Namespace) -> None:
    before = text(linked, KEPT), text(linked, KEPT6), kernel(linked)
    for wanted in ((HOME, HOME6), (MOVED, HOME6)):
        after = allow(linked, backend(), *wanted)
        assert ({entry.network for entry in after.entries}, after.flaws) == (
            set(map(ip_network, wanted)), ())  # fmt: skip
        assert links_are_kept(linked)
        assert wanted[0].removesuffix("/32") in text(linked, KEPT)
        assert HOME6 in text(linked, KEPT6)
    loaded = kernel(linked)
    linked.command("ufw", "reload")
    assert kernel(linked) == loaded
    linked.run(backend().clear)
    assert links_are_kept(linked)
    assert (text(linked, KEPT), text(linked, KEPT6), kernel(linked)) == before
    assert ".allowsync-" not in linked.command("find", "/etc/ufw")


def test_what_the_kernel_refuses_leaves_links_and_files_as_they_were(linked: Namespace) -> None:
    allow(linked, backend(), HOME)
    broken = text(linked, KEPT).replace("--dport 22 -j ACCEPT", "--dport 22 -j NOWHERE")
    write(linked, broken, KEPT)
    linked.command("iptables", "-F", "ufw-user-input")
    with pytest.raises(BackendError, match="the kernel does not take the rules"):
        allow(linked, backend(), MOVED)
    assert (text(linked, KEPT), links_are_kept(linked)) == (broken, True)


def test_a_link_that_leads_nowhere_is_told(linked: Namespace) -> None:
    linked.command("rm", str(KEPT))
    with pytest.raises(BackendError, match=r"/etc/ufw/user\.rules does not exist"):
        allow(linked, backend(), HOME)
    assert links_are_kept(linked)


def test_the_service_may_write_where_the_links_lead(linked: Namespace) -> None:
    assert {"/etc/ufw", "/etc/ufw/kept"} <= set(linked.run(needs).writes)
