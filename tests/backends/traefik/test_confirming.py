"""A change is confirmed by what Traefik's API tells, and taken back when it is not."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.file.backend import FileBackend
from allowsync_backends.traefik.options import MiddlewareKind, TraefikOptions
from allowsync_backends.traefik.reader import TraefikReader
from allowsync_backends.traefik.syntax import TraefikSyntax

from allowsync.backend.api import BackendError, OutcomeUnknown
from tests.backends.traefik.conftest import NAME, impatient
from tests.support.files import as_written
from tests.support.gates import planned
from tests.support.traefik import Standin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.model.types import Network
    from tests.backends.traefik.conftest import Place

OURS = {"friends.yml", "app.yml"}


def test_once_applied_traefik_goes_by_it(place: Place, standin: Standin) -> None:
    for wanted in (["81.2.69.1/32"], ["81.2.69.1/32", "2a02::/64"], ["2a02::/64"]):
        place.put(*wanted)
        assert standin.ranges(NAME) == wanted
    assert place.names() == OURS


def test_an_empty_allowlist_is_in_force_and_lets_nobody_in(place: Place, standin: Standin) -> None:
    place.put("81.2.69.1")
    place.put()
    assert standin.ranges(NAME) == ["255.255.255.255"]
    assert (place.held(), place.target().read().flaws) == (set(), ())


def test_both_kinds_are_confirmed(place: Place, standin: Standin) -> None:
    place.put("81.2.69.1", kinds=(MiddlewareKind.HTTP, MiddlewareKind.TCP))
    assert standin.ranges(NAME, "http") == standin.ranges(NAME, "tcp") == ["81.2.69.1/32"]
    assert f"/api/tcp/middlewares/{NAME}@file" in map(unescaped, standin.asked)


def unescaped(path: str) -> str:
    return path.replace("%40", "@")


def test_nothing_is_asked_where_nothing_changes(place: Place, standin: Standin) -> None:
    place.put("81.2.69.1")
    asked = len(standin.asked)
    before = as_written(place.path)
    place.put("81.2.69.1")
    assert (len(standin.asked), as_written(place.path)) == (asked, before)


def test_what_traefik_does_not_take_up_is_taken_back(place: Place, standin: Standin) -> None:
    place.put("81.2.69.1")
    standin.deaf = True
    with impatient(), pytest.raises(BackendError, match="uses other networks") as raised:
        place.put("81.2.69.2")
    assert "the old file is back in force" in str(raised.value)
    assert not isinstance(raised.value, OutcomeUnknown)
    assert (place.held(), standin.ranges(NAME)) == ({"81.2.69.1/32"}, ["81.2.69.1/32"])
    assert place.names() == OURS


def test_a_change_of_settings_alone_is_confirmed_or_taken_back(
    place: Place, standin: Standin
) -> None:
    place.put("81.2.69.1", depth=1)
    standin.deaf = True
    with impatient(), pytest.raises(BackendError, match="uses other settings in the middleware"):
        place.put("81.2.69.1", depth=2)
    assert "depth: 1" in place.path.read_text()
    standin.wake()
    place.put("81.2.69.1", depth=2)
    assert "depth: 2" in place.path.read_text()


def test_a_broken_file_beside_keeps_the_old_one_in_force(place: Place, standin: Standin) -> None:
    place.put("81.2.69.1")
    broken = place.folder / "broken.yml"
    broken.write_text("http: [")
    with impatient(), pytest.raises(BackendError, match="the old file is back in force"):
        place.put("81.2.69.2")
    assert standin.ranges(NAME) == ["81.2.69.1/32"]
    (found,) = place.findings()
    assert found.startswith(f"error: Traefik cannot read {broken}, and takes no change of any file")
    broken.unlink()
    place.put("81.2.69.2")
    assert standin.ranges(NAME) == ["81.2.69.2/32"]


def test_a_first_file_that_is_not_taken_up_leaves_none(place: Place, standin: Standin) -> None:
    standin.deaf = True
    with (
        impatient(),
        pytest.raises(BackendError, match=r"does not know .* allowsync-x@file after 0\.1 s"),
    ):
        place.put("81.2.69.1")
    assert place.names() == {"app.yml"}


def test_a_middleware_that_traefik_refuses_is_taken_back_at_once(
    place: Place, standin: Standin
) -> None:
    place.put("81.2.69.1")
    standin.refuses = "cannot parse CIDRs"
    with pytest.raises(
        OutcomeUnknown, match=r"refuses the middleware .*: cannot parse CIDRs; the old"
    ):
        place.put("81.2.69.2")
    assert place.held() == {"81.2.69.1/32"}
    (flaw,) = place.target().read().flaws
    assert "not confirmed" in flaw
    standin.refuses = ""
    place.put("81.2.69.1")
    assert place.target().read().flaws == ()


class Broken(TraefikSyntax):
    """Writes something for one network that Traefik would not take."""

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        return super().render(allowlist, networks).replace("81.2.69.2/32", "81.2.69.2/33")


def test_a_rendering_that_traefik_would_not_take_is_never_in_place(
    place: Place, standin: Standin
) -> None:
    place.put("81.2.69.1")
    options = TraefikOptions(path=place.path, api=standin.url)
    syntax = Broken(NAME)
    target = FileBackend("x", place.path, syntax, 0o644, TraefikReader(options, syntax))
    before = as_written(place.path)
    with pytest.raises(BackendError, match=r"Traefik would not take it: '81.2.69.2/33'"):
        target.apply(planned(target.read(), [ip_network("81.2.69.2")]))
    assert as_written(place.path) == before
    assert (place.names(), standin.ranges(NAME)) == (OURS, ["81.2.69.1/32"])


def test_a_traefik_that_does_not_run_reads_the_file_when_it_starts(
    place: Place, nowhere: str
) -> None:
    place.put("81.2.69.1", api=nowhere)
    place.put("81.2.69.2", api=nowhere)
    assert place.target(api=nowhere).read().flaws == ()
    with Standin(place.folder) as started:
        assert started.ranges(NAME) == ["81.2.69.2/32"]
        place.put("81.2.69.3", api=started.url)
        assert started.ranges(NAME) == ["81.2.69.3/32"]


def test_one_that_runs_and_whose_api_is_silent_is_not_taken_for_stopped(
    place: Place, tmp_path: Path, nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_file = tmp_path / "traefik.pid"
    pid_file.write_text(f"{os.getpid()}\n")
    own_name = Path("/proc/self/comm").read_text().strip()
    monkeypatch.setattr(TraefikOptions, "NAMES", (own_name,))
    with (
        impatient(),
        pytest.raises(
            OutcomeUnknown, match=f"nothing listens at {nowhere}, the API of Traefik after"
        ),
    ):
        place.put("81.2.69.1", api=nowhere, pid_file=pid_file)
    pid_file.unlink()
    place.put("81.2.69.1", api=nowhere, pid_file=pid_file)
    assert place.held() == {"81.2.69.1/32"}


def test_an_api_that_hangs_up_is_asked_again(place: Place, standin: Standin) -> None:
    standin.hangs_up = 3
    place.put("81.2.69.1")
    assert (standin.hangs_up, standin.ranges(NAME)) == (0, ["81.2.69.1/32"])


def test_an_api_that_never_answers_leaves_the_outcome_unknown(
    place: Place, standin: Standin
) -> None:
    place.put("81.2.69.1")
    standin.hangs_up = 10**6
    with impatient(), pytest.raises(OutcomeUnknown, match="no answer from the API of Traefik"):
        place.put("81.2.69.2")
    assert place.held() == {"81.2.69.1/32"}
    standin.hangs_up = 0
    place.put("81.2.69.2")
    assert (standin.ranges(NAME), place.target().read().flaws) == (["81.2.69.2/32"], ())


def test_clearing_is_confirmed_and_leaves_other_files(place: Place, standin: Standin) -> None:
    place.put("81.2.69.1")
    place.target().clear()
    assert standin.ranges(NAME) is None
    assert place.names() == {"app.yml"}


def test_a_clear_that_is_not_taken_up_says_so_until_it_is(place: Place, standin: Standin) -> None:
    place.put("81.2.69.1")
    standin.deaf = True
    with (
        impatient(),
        pytest.raises(BackendError, match="is removed, but Traefik still has the middleware"),
    ):
        place.target().clear()
    standin.wake()
    place.target().clear()
    assert place.names() == {"app.yml"}


def test_without_an_api_a_file_is_replaced_and_nobody_is_asked(
    place: Place, standin: Standin
) -> None:
    place.put("81.2.69.1", api=None)
    assert not place.target(api=None).read().flaws
    assert standin.asked == []


def test_a_failing_command_brings_the_old_file_back(place: Place, standin: Standin) -> None:
    place.put("81.2.69.1")
    picky = ("grep", "-q", "81.2.69.1/32", str(place.path))
    for more in ({"check": picky}, {"reload": picky}):
        with pytest.raises(BackendError, match=r"failed with exit code 1.*back in force"):
            place.put("81.2.69.2", **more)
        assert place.held() == {"81.2.69.1/32"}
    assert place.names() == OURS


def test_a_failing_check_of_the_draft_changes_nothing(place: Place, standin: Standin) -> None:
    place.put("81.2.69.1")
    before = as_written(place.path)
    with pytest.raises(BackendError, match="was not changed: grep failed"):
        place.put("81.2.69.2", check=("grep", "-q", "81.2.69.1/32", "{path}"))
    assert as_written(place.path) == before


def test_what_somebody_changed_by_hand_is_put_right(place: Place, standin: Standin) -> None:
    place.put("81.2.69.1")
    place.path.write_text(place.path.read_text().replace("81.2.69.1", "185.199.108.7"))
    assert place.held() == {"185.199.108.7/32"}
    place.put("81.2.69.1")
    assert standin.ranges(NAME) == ["81.2.69.1/32"]
    place.path.write_text(place.path.read_text().replace("sourceRange", "sourceRanges"))
    assert place.target().read().flaws == (f"{place.path} was edited",)
    place.put("81.2.69.1")
    assert standin.ranges(NAME) == ["81.2.69.1/32"]


def test_another_middleware_name_or_kind_is_written_in_the_next_run(
    place: Place, standin: Standin
) -> None:
    place.put("81.2.69.1")
    place.put("81.2.69.1", middleware="friends", kinds=(MiddlewareKind.TCP,))
    assert standin.ranges("friends", "tcp") == ["81.2.69.1/32"]
    assert standin.ranges(NAME) is None


def test_what_is_not_a_file_any_more_is_not_taken_for_none(place: Place, standin: Standin) -> None:
    place.path.mkdir()
    reader = TraefikReader(TraefikOptions(path=place.path, api=standin.url), TraefikSyntax(NAME))
    assert reader.take_notice() == f"{place.path} cannot be read: Is a directory"


def test_a_missing_folder_is_an_error(place: Place) -> None:
    place.folder.rmdir()
    with pytest.raises(BackendError, match="does not exist; make it"):
        place.put("81.2.69.1")
