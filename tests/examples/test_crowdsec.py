"""The example for CrowdSec is carried out with a real one, which reads what Jellyfin logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from tests.support.crowdsec import CrowdSec
from tests.support.documents import ROOT
from tests.support.echo import EchoIn
from tests.support.gates import GUARDED
from tests.support.internet import (
    FRIEND,
    FRIEND6,
    FRIEND_TOO,
    SERVER,
    SERVER6,
    STRANGER,
    STRANGER6,
    Internet,
)
from tests.support.netns import Namespace
from tests.support.probe import IN_VAIN, tcp_answers
from tests.support.program import allowsync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.program import ProgramResult

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.usefixtures("as_root")]

EXAMPLES = ROOT / "examples"
ZONES: dict[str, object] = {"alice.duckdns.org": [FRIEND], "parents.example.org": [FRIEND6]}
WIDE = "81.2.0.0/16"  # with the friend in it
NEAR, FAR = "81.2.69.0/24", "185.199.0.0/16"  # with the friend, and the stranger


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CrowdSec]:
    with Namespace() as inside:
        one = CrowdSec(inside, tmp_path / "crowdsec")
        one.write()
        yield one


# The example beside a gate and a denylist that has the friend's and the stranger's networks on it.
DENIED = f"denylists: {{all: {{networks: [{NEAR}, {FAR}], targets: [nftables]}}}}\n"
BESIDE = (
    ("    targets:\n", f"    targets:\n      - nftables: {{ports: [{GUARDED}/tcp]}}\n"),
    ("hosts:\n", f"{DENIED}hosts:\n"),
)


def carried_out(
    server: CrowdSec, folder: Path, *beside: tuple[str, str], command: str = "apply"
) -> ProgramResult:
    """A run of the example, with the paths and the process of the test's CrowdSec."""
    own = (
        *beside,
        ("/etc/crowdsec/config.yaml", str(server.config)),
        ("/etc/crowdsec/", f"{server.folder}/etc/"),
        ("/etc/allowsync/", f"{folder}/"),
        ("[crowdsec,", f"[{server.bin}/crowdsec,"),
        ("cscli --error", f"{server.bin}/cscli -c {server.config} --error"),
        ("systemctl reload crowdsec.service", server.reload),
    )
    with server.inside.run(NameServer, ZONES) as names:
        for name in ("crowdsec.yaml", "crowdsec.j2", "crowdsec.sh"):
            text = (EXAMPLES / name).read_text()
            for shipped, here in own:
                text = text.replace(shipped, here)
            if name.endswith(".yaml"):
                text += (
                    f"\nresolver: {{nameservers: ['{names}']}}\nstate: {folder}/state/state.db\n"
                )
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        return server.inside.run(allowsync, command, "--config", folder / "crowdsec.yaml")


def test_friends_are_judged_no_more_and_what_was_decided_of_them_is_lifted(
    server: CrowdSec, tmp_path: Path
) -> None:
    with server.running():
        server.knock_wrongly(FRIEND, FRIEND6, STRANGER)
        server.cscli("decisions", "add", "--range", WIDE)
        before = {f"Ip:{FRIEND}", f"Ip:{FRIEND6}", f"Ip:{STRANGER}", f"Range:{WIDE}"}
        assert server.banned() == before

        done = carried_out(server, tmp_path)
        assert done.code == 0, done.err
        server.until_reloaded()
        # What is about others, too, stays.
        assert server.banned() == {f"Ip:{STRANGER}", f"Range:{WIDE}"}

        server.knock_wrongly(FRIEND, FRIEND6, FRIEND_TOO, STRANGER6)
        others = {f"Ip:{one}" for one in (STRANGER, STRANGER6, FRIEND_TOO)}
        assert server.banned() == others | {f"Range:{WIDE}"}


def test_beside_its_bouncer_and_a_denylist_friends_get_in_and_strangers_do_not(
    tmp_path: Path,
) -> None:
    with Internet() as internet, EchoIn(internet.server, (GUARDED,)):
        server = CrowdSec(internet.server, tmp_path / "crowdsec")
        server.write()

        def reaches(friend: Namespace, to: str) -> bool:
            return tcp_answers(friend, to, GUARDED, wait=IN_VAIN)

        with server.running(), server.bouncing():
            server.knock_wrongly(FRIEND, FRIEND6, STRANGER)
            server.until_dropped(FRIEND, FRIEND6, STRANGER)
            assert not reaches(internet.friend, SERVER)
            assert not reaches(internet.friend, SERVER6)

            done = carried_out(server, tmp_path, *BESIDE)
            assert done.code == 0, done.err
            server.until_dropped(STRANGER)
            assert tcp_answers(internet.friend, SERVER, GUARDED)
            assert tcp_answers(internet.friend, SERVER6, GUARDED)
            assert not reaches(internet.stranger, SERVER)
            assert not reaches(internet.stranger, SERVER6)

            server.cscli("decisions", "add", "--ip", FRIEND)
            server.until_dropped(FRIEND, STRANGER)
            done = carried_out(server, tmp_path, *BESIDE, command="check")
            said = " ".join(done.out.split())
            assert (done.code, f"alice ({FRIEND}) is locked out of {GUARDED}/tcp" in said) == (
                1,
                True,
            )
            assert "@crowdsec-blacklists" in said


def test_a_file_that_crowdsec_does_not_take_is_undone(server: CrowdSec, tmp_path: Path) -> None:
    spoilt = server.folder / "etc/parsers/s02-enrich/mine.yaml"
    spoilt.write_text("name: mine\nwhitelist: {reason: mine, cidr: [nonsense]}\n")
    done = carried_out(server, tmp_path)
    assert done.code == 1
    assert "Unable to parse cidr whitelist 'nonsense'" in done.err
    assert not (spoilt.parent / "allowsync.yaml").exists()
