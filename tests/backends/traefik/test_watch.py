"""Whoever watches the folder, as Traefik does, finds one whole document at any time."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.traefik.document import Unfit, definitions
from allowsync_backends.traefik.options import MiddlewareKind
from allowsync_backends.traefik.syntax import TraefikSyntax

from tests.backends.traefik.conftest import NAME
from tests.support.covers import wanted
from tests.support.sampling import share
from tests.support.scoreboard import record
from tests.support.traefik import TraefikWatch, is_read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.backends.traefik.conftest import Place

APPLIES = share(200, 40)
BOTH = (MiddlewareKind.HTTP, MiddlewareKind.TCP)
SYNTAX = TraefikSyntax(NAME, BOTH)


class Looking:
    """Reads everything that Traefik would read, at every event and as often as it can."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.whole = self.events = 0
        self.seen: set[tuple[str, ...]] = set()
        self._understood: set[str] = set()
        self.wrong: list[str] = []
        self._over = threading.Event()
        self._watch = TraefikWatch(folder)
        self._threads = [threading.Thread(target=one) for one in (self._at_events, self._always)]

    def __enter__(self) -> Looking:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for one in self._threads:
            one.join()
        self._watch.close()

    def _at_events(self) -> None:
        while not self._over.is_set():
            for _ in self._watch.names(0.02):
                self.events += 1
                self._look()

    def _always(self) -> None:
        while not self._over.wait(0.001):
            self._look()

    def _look(self) -> None:
        names = sorted(one.name for one in self.folder.iterdir() if is_read(one.name))
        if names != ["friends.yml"]:
            self.wrong.append(f"there is {names}")
            return
        try:
            text = (self.folder / names[0]).read_text()
            if text not in self._understood:
                self.seen.update(one.ranges for one in definitions(text, SYNTAX).values())
                self._understood.add(text)
        except (OSError, Unfit) as error:
            self.wrong.append(str(error))
            return
        self.whole += 1


def test_every_replacement_is_seen_as_one_whole_document(place: Place) -> None:
    dice = random.Random(20261120)
    meant = [[str(one) for one in wanted(dice, number)] for number in range(APPLIES)]
    place.put(*meant[0], kinds=BOTH)
    with Looking(place.folder) as looking:
        for networks in meant:
            place.put(*networks, kinds=BOTH)
    assert looking.wrong == []
    assert looking.events >= APPLIES
    assert len(looking.seen) > 1
    assert looking.seen <= {as_written(networks) for networks in meant}
    record(
        "proxies: traefik (watched)",
        applies=APPLIES,
        documents_seen_whole=looking.whole,
        half_or_missing=len(looking.wrong),
    )


def as_written(networks: list[str]) -> tuple[str, ...]:
    from ipaddress import ip_network

    text = SYNTAX.render("x", map(ip_network, networks))
    return definitions(text, SYNTAX)[MiddlewareKind.HTTP].ranges


@pytest.mark.parametrize("name", [".friends.yml.allowsync-new", ".friends.yml.allowsync-undo"])
def test_what_stands_beside_during_a_change_is_not_read_by_traefik(name: str) -> None:
    from allowsync_backends.file.change import names

    assert name in names("friends.yml")
    assert not is_read(name)


def test_a_file_written_in_place_would_not_always_be_whole(place: Place) -> None:
    """What the test above looks for can be seen."""
    text = SYNTAX.render("x", wanted(random.Random(1), 1))
    place.path.write_text(text)
    with Looking(place.folder) as looking:
        for _ in range(300):
            place.path.write_text(text)
    assert looking.wrong
