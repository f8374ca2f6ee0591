"""`clear` names what follows from it: ports that will be open, and a schedule that undoes it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from allowsync.schedule.files import marked
from tests.support.netns import Namespace
from tests.support.program import allowsync
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.program import ProgramResult

OPEN = "443/tcp, 8096/tcp will be open to everyone, unless another rule closes them"
QUESTION = "Remove everything that allowsync owns in web/nftables, web/file? [y/N]: "
STOP = "Stop the schedule, too?"


class Machine:
    """A gate and a file, and a folder in the place of /etc/cron.d."""

    def __init__(self, folder: Path, inside: Namespace) -> None:
        self.inside = inside
        self.config = folder / "config.yaml"
        self.file = folder / "allowed.txt"
        self.cron = folder / "cron.d" / "allowsync"
        self.cron.parent.mkdir()
        targets = [{"nftables": {"ports": [443, 8096]}}, {"file": {"path": str(self.file)}}]
        document = {
            "hosts": {"office": {"networks": ["81.2.69.0/24"]}},
            "allowlists": {"web": {"targets": targets}},
            "state": str(folder / "state" / "state.db"),
        }
        self.config.write_text(json.dumps(document))
        self.config.chmod(0o600)
        inside.command("mount", "--bind", str(self.cron.parent), "/etc/cron.d")
        self.run("apply")

    @property
    def gate(self) -> bool:
        return "allowsync_web" in self.inside.command("nft", "list", "tables")

    def run(self, *words: str) -> ProgramResult:
        return self.inside.run(allowsync, *words, "--config", self.config)

    def terminal(self, *words: str) -> Terminal:
        return Terminal("clear", *words, "--config", self.config, inside=self.inside)

    def schedule(self, config: Path | None = None, *, ours: bool = True) -> None:
        line = f"*/5 * * * * root allowsync apply --quiet --config {config or self.config}\n"
        self.cron.write_text(marked(line) if ours else line)


@pytest.fixture
def machine(as_root: None, tmp_path: Path) -> Iterator[Machine]:
    with Namespace() as inside:
        inside.keep_mounts()
        yield Machine(tmp_path, inside)


@pytest.mark.root
def test_the_question_names_each_target_and_the_ports_that_open(machine: Machine) -> None:
    with machine.terminal() as terminal:
        asked = terminal.until(QUESTION)
        assert f"web/nftables: {OPEN}" in asked.replace("\n    ", " ")
        left = "web/file: its entries will be removed; rules that admit only these then admit no "
        "host"
        assert left in asked.replace("\n    ", " ")
        terminal.type("n\n")
        terminal.until("nothing was changed")
        assert terminal.end() == 130
    assert machine.gate
    with machine.terminal("--only", "web/file") as terminal:
        assert "nftables" not in terminal.until("? [y/N]: ")
        terminal.type("y\n")
        assert terminal.end() == 0
    assert (machine.gate, machine.file.exists()) == (True, False)


@pytest.mark.root
def test_a_schedule_is_stopped_when_that_is_wanted(machine: Machine) -> None:
    machine.schedule()
    with machine.terminal() as terminal:
        asked = terminal.until(QUESTION)
        assert "schedule: active (/etc/cron.d/allowsync): its next run restores them" in asked
        terminal.type("y\n")
        terminal.until(STOP)
        terminal.type("\n")
        assert terminal.end() == 0
        assert "schedule: stopped; 'allowsync schedule install'" in terminal.shown
    assert (machine.gate, machine.cron.exists()) == (False, False)


@pytest.mark.root
def test_a_schedule_that_stays_is_said_to_undo_it(machine: Machine) -> None:
    machine.schedule()
    with machine.terminal() as terminal:
        terminal.until(QUESTION)
        terminal.type("y\n")
        terminal.until(STOP)
        terminal.type("n\n")
        assert terminal.end() == 0
        shown = " ".join(re.sub(r"\x1b\[\d+m", "", terminal.shown).split())
    assert "its next run restores web/nftables, web/file" in shown
    assert (machine.gate, machine.cron.exists()) == (False, True)


@pytest.mark.root
def test_without_a_question_it_is_said_and_in_a_document(machine: Machine) -> None:
    machine.schedule()
    done = machine.run("clear", "--yes")
    emptied = "cleared; rules that admit only its entries admit no host now"
    assert (done.code, done.out) == (0, f"web/nftables: cleared\nweb/file: {emptied}\n")
    assert done.err == (
        "schedule: still active (/etc/cron.d/allowsync): its next run restores web/nftables, "
        "web/file; to stop it: allowsync schedule remove\n"
    )
    again = "cleared; nothing was recorded there"
    assert machine.run("clear", "--yes").out == f"web/nftables: {again}\nweb/file: {again}\n"
    machine.run("apply")
    told = machine.run("clear", "--yes", "--json").document
    assert [one["opened_ports"] for one in told["targets"]] == [["443/tcp", "8096/tcp"], []]
    assert told["schedule"] == {
        "scheduler": "cron",
        "next_run": None,
        "stopped": False,
        "reason": None,
        "puts_back": ["web/nftables", "web/file"],
    }
    stopped = machine.run("clear", "--yes", "--stop-schedule", "--json").document["schedule"]
    assert (stopped["stopped"], stopped["puts_back"]) == (True, [])
    assert not machine.cron.exists()
    assert machine.run("clear", "--yes", "--json").document["schedule"] is None


@pytest.mark.root
def test_a_file_that_is_left_because_of_others_lines_is_not_called_cleared(
    machine: Machine,
) -> None:
    machine.file.write_text(f"# friends of ours\n{machine.file.read_text()}")
    left = (
        f"{machine.file} has lines above allowsync's heading and is left alone; delete these "
        "lines, or move it away"
    )
    done = machine.run("clear", "--yes")
    assert (done.code, done.out) == (1, "web/nftables: cleared\n")
    assert done.err == f"web/file: could not be cleared: {left}\n"
    told = machine.run("clear", "--yes", "--only", "web/file", "--json").document
    assert told["targets"][0]["reason"] == left
    assert (told["exit_code"], told["targets"][0]["outcome"]) == (1, "failed")
    machine.file.write_text(machine.file.read_text().partition("\n")[2])
    assert machine.run("clear", "--yes", "--only", "web/file").code == 0
    assert not machine.file.exists()


@pytest.mark.root
def test_a_schedule_of_another_configuration_undoes_nothing(machine: Machine) -> None:
    machine.schedule(machine.config.with_name("other.yaml"))
    assert machine.run("clear", "--yes").err == ""
    assert machine.cron.exists()


@pytest.mark.root
def test_a_schedule_by_hand_is_not_removed(machine: Machine) -> None:
    machine.schedule(ours=False)
    done = machine.run("clear", "--yes", "--stop-schedule")
    assert (done.code, machine.gate, machine.cron.exists()) == (1, False, True)
    assert "could not be stopped: /etc/cron.d/allowsync was written by hand" in done.err


@pytest.mark.root
def test_what_is_no_longer_configured_names_its_ports_too(machine: Machine) -> None:
    document = json.loads(machine.config.read_text())
    document["allowlists"] = {"other": {"targets": [{"file": {"path": str(machine.file)}}]}}
    machine.config.write_text(json.dumps(document))
    done = machine.run("clear", "--only", "web/nftables")
    assert (done.code, machine.gate) == (2, True)
    assert f"web/nftables: {OPEN}" in done.err
