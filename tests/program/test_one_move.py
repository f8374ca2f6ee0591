"""One run that moves one friend at every layer of a service, looked at before its every change."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING

import pytest

from testkit.fake_cloudflare import FakeCloudflare, OperationDelay
from testkit.fake_cloudflare.faults import FailedCall
from testkit.fake_dns.nameserver import NameServer
from testkit.fake_jellyfin import FakeJellyfin
from testkit.fake_jellyfin.faults import JellyfinFault
from tests.faults.harness import Warm
from tests.support.fail2ban import fail2ban
from tests.support.internet import FRIEND, FRIEND_TOO, SERVER, STRANGER, Internet
from tests.support.layered import (
    BARE,
    HTTP,
    CloudLayer,
    DenyLayer,
    GateLayer,
    JailLayer,
    JellyfinLayer,
    Proxy,
    RealLayer,
    Ufw,
    asked,
)
from tests.support.nginx import FILM, TO_FILM, Nginx, serving
from tests.support.program import Installation
from tests.support.requests import OK
from tests.support.scoreboard import record
from tests.support.ufw import with_ufw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.usefixtures("as_root")]

ALICE = "alice.example.org"
OLD, NEW = FRIEND, FRIEND_TOO
# Most of these only ask; what changes something is followed by another call before the next layer's
# turn comes.
QUESTIONS, EVERY = ("sendto socket:", "write pipe:"), 8
Moment = tuple[frozenset[str], ...]  # whom each layer lets in


class Service:
    """Alice, who watches films, and what is between her and them."""

    def __init__(self, folder: Path, internet: Internet, stack: ExitStack) -> None:
        server = internet.server
        with_ufw(server)
        server.command("ufw", "allow", f"{BARE}/tcp")
        self.friend = internet.friend
        self.fail2ban = stack.enter_context(fail2ban(server, folder / "fail2ban"))
        self.names = stack.enter_context(server.run(NameServer, {ALICE: [OLD]}))
        self.here = Installation(folder, self.names, {"alice": ALICE})
        # What she had ends with the run that first hears of what she has.
        self.here.policy = {"keep_replaced": "0s", "replaced_runs": 1}
        self.layers: list[RealLayer] = [
            GateLayer(server),
            Ufw(server),
            self._proxy(folder, internet, stack),
            JailLayer(self.fail2ban),
            self._cloud(folder, internet, stack),
            self._jellyfin(folder, internet, stack),
        ]
        self.here.targets = [dict(one.target) for one in self.layers]
        self.denial = DenyLayer(server, (OLD, STRANGER))
        self.here.more = {"denylists": {"scanners": dict(self.denial.denylist)}}
        self.here.write()
        environ = {"STATE_DIRECTORY": str(folder)}
        self.warm = stack.enter_context(Warm(server, environ))

    def _proxy(self, folder: Path, internet: Internet, stack: ExitStack) -> RealLayer:
        home = folder / "nginx"
        home.mkdir()
        nginx = Nginx(home, internet.server)
        nginx.path.write_text("deny all;\n")
        nginx.configure(
            f"{FILM} server {{ listen {SERVER}:{HTTP}; listen {SERVER}:{BARE}; "
            f"include ours/friends.conf; {TO_FILM} }}"
        )
        self.nginx = stack.enter_context(serving(nginx))
        nginx.path.unlink()
        return Proxy(nginx, internet.friend, (OLD, NEW))

    def _cloud(self, folder: Path, internet: Internet, stack: ExitStack) -> RealLayer:
        self.cloud = fake = stack.enter_context(internet.server.run(FakeCloudflare))
        fake.cloud.delay = OperationDelay(polls=0)
        fake.add_list("friends")
        token = folder / "cloudflare.token"
        token.touch(mode=0o600)
        token.write_text(fake.token)
        return CloudLayer(fake, token)

    def _jellyfin(self, folder: Path, internet: Internet, stack: ExitStack) -> RealLayer:
        self.jellyfin = fake = stack.enter_context(internet.server.run(FakeJellyfin))
        key = folder / "jellyfin.key"
        key.touch(mode=0o600)
        key.write_text(fake.key)
        return JellyfinLayer(fake, key, (OLD, NEW))

    @property
    def argv(self) -> tuple[str, ...]:
        """One run."""
        return ("apply", "--config", str(self.here.path), "--output", "json")

    def look(self) -> Moment:
        return tuple(one.lets_in() for one in self.layers)

    def lets_in(self, address: str, *, patient: bool) -> bool:
        """Whether a film starts at that address: through every layer that there is here."""
        return asked(self.friend, address, HTTP, patient=patient) == OK


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Internet() as internet, ExitStack() as stack:
        yield Service(tmp_path, internet, stack)


def test_a_friend_who_moves_is_in_everywhere_before_she_is_out_anywhere(service: Service) -> None:
    assert service.warm.up(*service.argv).code == 0
    assert service.look() == ({OLD},) * len(service.layers)
    assert service.denial.blocks() == {STRANGER}
    assert service.lets_in(OLD, patient=True)
    assert not service.lets_in(NEW, patient=False)

    service.names.zones[ALICE] = [NEW]
    moments: list[Moment] = []
    questions = count()

    def look(call: str) -> None:
        if call.startswith(QUESTIONS) and next(questions) % EVERY:
            return
        moments.append(moment := service.look())
        try:
            nobody_is_between_two_layers(moment)
            usable = NEW if all(NEW in held for held in moment) else OLD
            assert usable not in service.denial.blocks()
            assert service.lets_in(usable, patient=True)
        except AssertionError as error:
            error.add_note(f"before {call}: {moment}")
            raise

    ran = service.warm.looked_at(look, *service.argv)
    assert ran.code == 0, ran
    assert {outcome for outcome, _ in ran.targets.values()} == {"applied"}
    for told in ran.document["targets"]:
        assert [one["network"] for one in told["add"]] == [f"{NEW}/32"]
        assert [one["network"] for one in told["remove"]] == [f"{OLD}/32"]
    assert moments[0] == ({OLD},) * len(service.layers)
    assert any(all(NEW in held for held in moment) for moment in moments)
    assert service.look() == ({NEW},) * len(service.layers)
    assert service.denial.blocks() == {OLD, STRANGER}
    assert service.lets_in(NEW, patient=True)
    assert not service.lets_in(OLD, patient=False)
    service.fail2ban.knock_wrongly(NEW, OLD)
    service.fail2ban.until_banned(OLD)
    assert service.fail2ban.banned() == [OLD]
    record("lockouts", where="a move at every layer", count=0)


def test_a_layer_that_takes_nothing_new_keeps_no_other_open(service: Service) -> None:
    assert service.warm.up(*service.argv).code == 0
    service.names.zones[ALICE] = [NEW]
    sound = service.nginx.config.read_text()
    service.nginx.config.write_text(sound + "nonsense;\n")
    ran = service.warm.run(*service.argv)
    outcomes = {target: outcome for target, (outcome, _) in ran.targets.items()}
    others = dict.fromkeys(("nftables", "ufw", "fail2ban", "cloudflare", "jellyfin"), "applied")
    assert outcomes == {f"web/{name}": one for name, one in {**others, "nginx": "failed"}.items()}
    held = dict(zip(ran.targets, service.look(), strict=True))
    assert held.pop("web/nginx") == {OLD}
    assert set(held.values()) == {frozenset({NEW})}

    service.nginx.config.write_text(sound)
    assert service.warm.run(*service.argv).code == 0
    assert service.look() == ({NEW},) * len(service.layers)
    assert service.lets_in(NEW, patient=True)
    record("faults", cases=1, lock_outs=0, strangers=0)


def test_a_friend_moves_into_a_blocked_network_while_two_layers_are_down(service: Service) -> None:
    """What is out of reach is made up for later, and keeps her blocked nowhere else."""
    service.here.more["denylists"] = {
        "scanners": {**service.denial.denylist, "networks": [OLD, NEW, STRANGER]}
    }
    service.here.write()
    assert service.warm.run(*service.argv).code == 0
    assert service.denial.blocks() == {NEW, STRANGER}
    service.cloud.faults.add(FailedCall(503), times=None, on="*")
    service.jellyfin.faults["GET"] = [JellyfinFault.STARTING] * 100
    service.names.zones[ALICE] = [NEW]
    ran = service.warm.run(*service.argv)
    down = {"web/cloudflare", "web/jellyfin"}
    assert {target for target, (outcome, _) in ran.targets.items() if outcome == "failed"} == down
    held = dict(zip(ran.targets, service.look(), strict=True))
    assert {name for name, addresses in held.items() if addresses != {NEW}} == down
    assert service.denial.blocks() == {OLD, STRANGER}
    assert service.lets_in(NEW, patient=True)

    service.cloud.faults.clear()
    service.jellyfin.faults["GET"].clear()
    assert service.warm.run(*service.argv).code == 0
    assert service.look() == ({NEW},) * len(service.layers)


def nobody_is_between_two_layers(moment: Moment) -> None:
    """Each layer lets her in from somewhere; where one has forgotten the old, all have the new."""
    assert all(held & {OLD, NEW} for held in moment)
    if not all(OLD in held for held in moment):
        assert all(NEW in held for held in moment)
