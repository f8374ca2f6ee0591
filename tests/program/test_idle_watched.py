"""An unchanged run writes its metrics and pings its monitor, wherever the URL is kept."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.program.test_idle import settle
from tests.support.listener import PortListener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.program import Installation, ProgramResult

TOKEN = "hunter2-5f2c91d7"
TIMES = ("last_run_timestamp", "last_run_duration", "last_success", "host_last_answer")


@pytest.fixture
def listener() -> Iterator[PortListener]:
    with PortListener() as listener:
        yield listener


def kept(here: Installation, url: str) -> str:
    """A file with a secret; its path."""
    file = here.folder / "url"
    file.write_text(url + "\n")
    file.chmod(0o600)
    return str(file)


PLACES: dict[str, Callable[[Installation, str], object]] = {
    "as it is": lambda _, url: url,
    "in a file": lambda here, url: {"url_file": kept(here, url)},
    "in a variable": lambda _, __: {"url_env": "PING"},
    "in a credential": lambda _, __: {"url_credential": "ping"},
}


@pytest.fixture(params=PLACES)
def watched(request: pytest.FixtureRequest, here: Installation, listener: PortListener) -> Watched:
    return Watched(here, listener, PLACES[str(request.param)])


class Watched:
    """An installation whose runs are told to a monitor, wherever its URL is kept."""

    def __init__(
        self,
        here: Installation,
        listener: PortListener,
        place: Callable[[Installation, str], object],
    ) -> None:
        self.here = here
        self.listener = listener
        self.url = f"http://{listener.place}/ping/{TOKEN}"
        self._credentials = here.folder / "credentials"
        self._credentials.mkdir()
        self.name_is(self.url)
        here.more = {"heartbeat": place(here, self.url)}
        here.write()
        here.freeze = True
        for _ in range(2):
            done = self.apply()
            assert (done.code, done.err) == (0, "")

    def name_is(self, url: str) -> None:
        """What the variable and the credential hold from now on."""
        self.environ = {"PING": url, "CREDENTIALS_DIRECTORY": str(self._credentials)}
        (self._credentials / "ping").write_text(url)
        (self._credentials / "ping").chmod(0o400)

    def apply(self) -> ProgramResult:
        return self.here("apply", environ=self.environ)


def test_an_unchanged_run_pings_the_monitor(watched: Watched) -> None:
    done = watched.apply()
    assert (done.code, done.out, done.err) == (0, "", "")
    first, second, third = watched.listener.heard
    assert first[:3] == second[:3] == third[:3] == ("POST", f"/ping/{TOKEN}/0", "1 target in sync")
    # It was read where it is kept, and kept nowhere else.
    everything = b"".join(one.read_bytes() for one in watched.here.state.parent.iterdir())
    assert b"hunter2" not in everything


@pytest.mark.parametrize("watched", ["as it is"], indirect=True)
def test_a_monitor_that_cannot_be_told_is_named(watched: Watched) -> None:
    watched.listener.status = 500
    done = watched.apply()
    assert (done.code, done.out) == (0, "")
    assert done.err == "heartbeat: the ping failed: the answer was HTTP status 500\n"
    watched.listener.status = 200
    assert watched.apply().err == ""


@pytest.mark.parametrize("watched", ["in a variable", "in a credential"], indirect=True)
def test_another_url_is_pinged_at_once_whatever_its_kind(watched: Watched) -> None:
    watched.name_is(f"http://{watched.listener.place}/api/push/{TOKEN}?status=up&msg=OK&ping=")
    assert watched.apply().code == 0
    assert watched.listener.heard[-1].path.startswith(
        f"/api/push/{TOKEN}?status=up&msg=1+target+in+sync&ping="
    )


@pytest.mark.parametrize("watched", ["in a file"], indirect=True)
def test_another_url_in_the_file_is_noticed(watched: Watched) -> None:
    kept(watched.here, watched.url.replace(TOKEN, "another"))
    assert watched.apply().code == 0
    assert watched.listener.heard[-1].path == "/ping/another/0"


@pytest.mark.parametrize("watched", ["in a variable"], indirect=True)
@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1/", "http://a b/"])
def test_a_url_that_is_none_is_noticed(watched: Watched, url: str) -> None:
    watched.name_is(url)
    done = watched.apply()
    assert (done.code, "heartbeat: nothing is sent there" in done.err) == (1, True)


@pytest.mark.parametrize("watched", ["in a credential"], indirect=True)
def test_a_secret_that_is_gone_is_noticed(watched: Watched) -> None:
    watched.environ = {}
    assert watched.apply().code == 1


@pytest.fixture
def metrics(here: Installation) -> Path:
    """Where an installation writes metrics that has just had two runs."""
    file = here.folder / "allowsync.prom"
    here.hosts["office"] = {"networks": ["81.2.70.0/24"], "until": "2999-01-31"}
    here.more = {"metrics": str(file)}
    settle(here)
    return file


def values(text: str) -> dict[tuple[str, str], float]:
    """Every sample by its name and labels."""
    families = text_string_to_metric_families(text)
    return {
        (one.name.removeprefix("allowsync_"), str(sorted(one.labels.items()))): one.value
        for family in families
        for one in family.samples
    }


def test_an_unchanged_run_writes_its_metrics(here: Installation, metrics: Path) -> None:
    text = metrics.read_text()
    before = values(text)
    here("apply")
    after = values(metrics.read_text())
    assert before.keys() == after.keys()
    moved = {name for name, value in after.items() if value != before[name]}
    assert moved == {name for name in after if name[0].startswith(TIMES)}
    now = after["last_run_timestamp_seconds", "[]"]
    assert before["last_run_timestamp_seconds", "[]"] < now <= time.time()
    instants = {name for name in moved if "timestamp" in name[0]}
    assert {after[name] for name in instants} == {now}
    assert len(instants) == 2 + 3, "of the run, and of everybody with a name"
    assert 0 < after["last_run_duration_seconds", "[]"] < 60
    assert metrics.stat().st_mode & 0o777 == 0o644


def test_metrics_somebody_removed_are_there_again(here: Installation, metrics: Path) -> None:
    metrics.unlink()
    here("apply")
    assert values(metrics.read_text())


def test_metrics_that_cannot_be_written_are_named(here: Installation, metrics: Path) -> None:
    metrics.unlink()
    metrics.mkdir()
    done = here("apply")
    assert (done.code, done.err.startswith(f"{metrics}: the metrics could not")) == (0, True)


def test_an_unchanged_run_writes_its_page(here: Installation) -> None:
    page = here.folder / "who.html"
    here.more = {"report": str(page)}
    settle(here)
    page.unlink()
    here("apply")
    assert page.exists()
