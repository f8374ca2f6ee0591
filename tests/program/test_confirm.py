"""`apply --confirm` on a real terminal, with a real firewall: what nobody confirms is put back."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from allowsync.state import Busy, Lock
from tests.support.netns import Namespace
from tests.support.program import ProgramResult, allowsync
from tests.support.terminal import Terminal, eventually
from tests.support.tmux import Tmux

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.program import Installation

QUESTION = "Keep it?"
LONG = "300s"


@dataclass
class Machine:
    """A machine with a gate of nftables for a fixed network; no name is asked for."""

    folder: Path
    inside: Namespace
    hosts: tuple[str, ...] = ("81.2.69.0/24",)
    ports: tuple[str, ...] = ("8096/tcp",)

    @property
    def config(self) -> Path:
        path = self.folder / "config.yaml"
        document = {
            "hosts": {"office": {"networks": list(self.hosts)}},
            "allowlists": {"x": {"targets": [{"nftables": {"ports": list(self.ports)}}]}},
            "state": str(self.state),
        }
        path.write_text(json.dumps(document))
        path.chmod(0o600)
        return path

    @property
    def state(self) -> Path:
        return self.folder / "state" / "state.db"

    @property
    def ruleset(self) -> str:
        return self.inside.command("nft", "-s", "list", "ruleset")

    @property
    def busy(self) -> bool:
        try:
            with Lock(self.state):
                return False
        except Busy:
            return True

    def run(self, *arguments: str) -> ProgramResult:
        config = self.config
        return self.inside.run(allowsync, *arguments, "--config", config)

    def confirm(self, time: str = LONG, *more: str) -> Terminal:
        environ = {"RUNTIME_DIRECTORY": os.environ["RUNTIME_DIRECTORY"]}
        words = ("apply", "--confirm", time, *more, "--config", str(self.config))
        return Terminal(*words, inside=self.inside, environ=environ)


@pytest.fixture
def machine(as_root: None, tmp_path: Path) -> Iterator[Machine]:
    with Namespace() as inside:
        yield Machine(tmp_path, inside)


@pytest.mark.root
def test_what_is_confirmed_in_time_stays(machine: Machine) -> None:
    with machine.confirm() as terminal:
        terminal.until(QUESTION)
        assert "81.2.69.0/24" in machine.ruleset
        terminal.type("maybe\n")
        terminal.until(QUESTION)
        terminal.type("yes\n")
        terminal.until("Kept.")
        assert terminal.end() == 0
    assert "81.2.69.0/24" in machine.ruleset
    done = machine.run("apply")
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.root
@pytest.mark.parametrize(("answer", "stays"), [("yes\n", True), ("no\n", False)])
def test_a_state_that_began_anew_is_no_older_one_once_a_run_is_confirmed(
    machine: Machine, answer: str, stays: bool
) -> None:
    assert machine.run("apply").code == 0
    machine.inside.command("nft", "flush", "ruleset")
    machine.state.unlink()
    assert "is gone with what the last run knew" in machine.run("apply", "--dry-run").err
    with machine.confirm() as terminal:
        terminal.until(QUESTION)
        terminal.type(answer)
        terminal.end()
    assert ("with what the last run knew" in machine.run("apply", "--dry-run").err) is not stays
    assert "is an older one" not in machine.run("apply", "--dry-run").err


@pytest.mark.root
def test_nobody_else_runs_while_it_is_asked(machine: Machine) -> None:
    with machine.confirm() as terminal:
        terminal.until(QUESTION)
        assert machine.run("apply").code == 5
        terminal.type("yes\n")
        terminal.end()
    assert machine.run("apply").code == 0


@pytest.mark.root
@pytest.mark.parametrize("answer", ["no\n", "\x04", "\x03"], ids=["no", "ctrl-d", "ctrl-c"])
def test_a_no_puts_a_first_gate_away(machine: Machine, answer: str) -> None:
    with machine.confirm() as terminal:
        terminal.until(QUESTION)
        terminal.type(answer)
        assert terminal.end() == 1
        assert "x/nftables: rolled back" in terminal.shown
    assert machine.ruleset == ""
    assert not machine.state.with_name("state.db.before").exists()


@pytest.mark.root
def test_silence_puts_it_back(machine: Machine) -> None:
    with machine.confirm("1s") as terminal:
        assert terminal.end() == 1
        assert "x/nftables: rolled back" in terminal.shown
    assert machine.ruleset == ""


@pytest.mark.root
def test_what_was_typed_before_is_no_sign_of_life(machine: Machine) -> None:
    with machine.confirm("1s") as terminal:
        terminal.type("yes\n")
        assert terminal.end() == 1
        assert "Input before this line is ignored: type it again." in terminal.shown
    assert machine.ruleset == ""


@pytest.mark.root
def test_while_another_run_is_at_work_nothing_is_touched(machine: Machine) -> None:
    assert machine.run("apply", "--dry-run").code == 0
    with Lock(machine.state), machine.confirm() as terminal:
        assert terminal.end() == 5
    assert machine.ruleset == ""


@pytest.mark.root
@pytest.mark.parametrize("end", ["hang-up", "kill", "terminate"])
def test_who_asks_may_die_and_it_is_put_back_all_the_same(machine: Machine, end: str) -> None:
    assert machine.run("apply").code == 0
    before = machine.ruleset
    machine.hosts, machine.ports = ("81.2.70.0/24",), ("22/tcp",)
    with machine.confirm() as terminal:
        terminal.until(QUESTION)
        assert "dport 22" in machine.ruleset
        assert "81.2.69.0/24" not in machine.ruleset
        if end == "hang-up":
            terminal.hang_up()
        else:
            os.kill(terminal.process.pid, signal.SIGKILL if end == "kill" else signal.SIGTERM)
        assert eventually(lambda: not machine.busy)
    assert machine.ruleset == before


@pytest.mark.root
def test_a_session_of_tmux_that_is_killed_takes_nothing_with_it(machine: Machine) -> None:
    arguments = ("apply", "--confirm", LONG, "--config", machine.config)
    with Tmux(machine.inside, machine.folder, *arguments) as screen:
        screen.until(QUESTION)
        assert "81.2.69.0/24" in machine.ruleset
        screen.ask("kill-session")
        assert eventually(lambda: machine.ruleset == "" and not machine.busy)


@pytest.mark.root
def test_a_gate_somebody_had_edited_is_put_back_as_they_had_it(machine: Machine) -> None:
    assert machine.run("apply").code == 0
    machine.inside.nft("flush chain inet allowsync_x gate")
    before = machine.ruleset
    with machine.confirm() as terminal:
        terminal.until(QUESTION)
        assert machine.ruleset != before
        terminal.type("no\n")
        assert terminal.end() == 1
    assert machine.ruleset == before


@pytest.mark.root
def test_after_that_a_scheduled_run_leaves_a_first_gate_alone(machine: Machine) -> None:
    with machine.confirm() as terminal:
        terminal.until(QUESTION)
        terminal.type("no\n")
        terminal.end()
    for _ in range(2):
        done = machine.run("apply")
        assert done.code == 1
        assert "skipped: its change of" in done.err
        assert machine.ruleset == ""
    told = machine.run("check", "--no-packets").out
    assert "the next 'allowsync apply' repairs it" not in told
    assert "no run repairs it before its change is confirmed" in told
    assert "was not confirmed; retry with --confirm, or apply it with --force" in told
    with machine.confirm() as terminal:
        terminal.until(QUESTION)
        terminal.type("yes\n")
        assert terminal.end() == 0
    assert machine.run("apply").code == 0
    assert "81.2.69.0/24" in machine.ruleset


@pytest.mark.root
def test_after_that_a_gate_keeps_its_ports_and_lets_more_in_but_loses_nobody(
    machine: Machine,
) -> None:
    assert machine.run("apply").code == 0
    machine.hosts, machine.ports = ("81.2.70.0/24",), ("22/tcp",)
    with machine.confirm() as terminal:
        terminal.until(QUESTION)
        terminal.type("no\n")
        terminal.end()
    done = machine.run("apply")
    assert done.code == 4
    assert "UTC was not confirmed; nothing is removed; retry" in done.err
    assert "dport 8096" in machine.ruleset
    assert "dport 22" not in machine.ruleset
    assert "81.2.69.0/24" in machine.ruleset
    assert "81.2.70.0/24" in machine.ruleset
    machine.inside.nft("flush ruleset")  # as after a boot
    assert machine.run("apply", "--offline").code == 4
    assert "dport 8096" in machine.ruleset
    assert machine.run("apply", "--force").code == 0
    assert "dport 22" in machine.ruleset
    assert "81.2.69.0/24" not in machine.ruleset
    assert machine.run("apply").code == 0


@pytest.mark.root
def test_taking_the_change_back_ends_the_wait(machine: Machine) -> None:
    assert machine.run("apply").code == 0
    machine.ports = ("22/tcp",)
    with machine.confirm() as terminal:
        terminal.until(QUESTION)
        terminal.type("no\n")
        terminal.end()
    machine.ports = ("8096/tcp",)
    done = machine.run("apply")
    assert (done.code, done.err) == (0, "")
    machine.ports = ("8096/tcp", "443/tcp")
    assert machine.run("apply").code == 0
    assert "443" in machine.ruleset


@pytest.mark.root
def test_when_nothing_changes_nothing_is_asked(machine: Machine) -> None:
    assert machine.run("apply").code == 0
    with machine.confirm() as terminal:
        assert terminal.end() == 0
        assert "in sync: nothing to do" in terminal.shown
    assert machine.run("apply").code == 0


@pytest.mark.root
def test_if_even_the_one_who_watches_is_killed_later_runs_wait_for_somebody(
    machine: Machine,
) -> None:
    with machine.confirm() as terminal:
        terminal.until(QUESTION)
        os.kill(watcher(terminal), signal.SIGKILL)
        assert terminal.end() == 1
        assert "could not confirm the rollback" in terminal.shown
    machine.inside.nft("flush ruleset")  # as after a boot
    assert machine.run("apply", "--offline").code == 1
    assert machine.ruleset == ""


@pytest.mark.root
def test_after_a_power_cut_the_machine_boots_with_what_was_there_before(machine: Machine) -> None:
    assert machine.run("apply").code == 0
    before = machine.ruleset
    machine.hosts, machine.ports = ("81.2.70.0/24",), ("22/tcp",)
    with machine.confirm() as terminal:
        terminal.until(QUESTION)
        os.kill(watcher(terminal), signal.SIGKILL)
        assert terminal.end() == 1
    machine.inside.nft("flush ruleset")
    machine.hosts = ("81.2.69.0/24",)
    assert machine.run("apply", "--offline").code == 4
    assert machine.ruleset == before


@pytest.mark.root
def test_the_one_who_watches_takes_a_polite_end_for_a_no(machine: Machine) -> None:
    with machine.confirm() as terminal:
        terminal.until(QUESTION)
        os.kill(watcher(terminal), signal.SIGTERM)
        assert terminal.end() == 1
        assert "rolled back" in terminal.shown
    assert machine.ruleset == ""


def _began(pid: int) -> int:
    """When a process began, in clock ticks since the boot (proc(5))."""
    from pathlib import Path

    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def watcher(terminal: Terminal) -> int:
    """The process that has the same command line and is in another session (proc(5)).

    The one that asks the DNS has that command line as well, but is another user; the one that reads
    aliases was made before the question was put.
    """
    from pathlib import Path

    same = Path(f"/proc/{terminal.process.pid}/cmdline").read_bytes()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != terminal.process.pid:
            try:
                mine = f"\nUid:\t{os.getuid()}\t" in (folder / "status").read_text()
                if mine and (folder / "cmdline").read_bytes() == same:
                    found.append(int(folder.name))
            except OSError:
                continue
    _, one = sorted(found, key=_began)
    assert os.getsid(one) != os.getsid(terminal.process.pid)
    return one


def test_a_file_is_put_back_with_the_state(here: Installation) -> None:
    assert here("apply").code == 0
    before, remembered = here.file.read_bytes(), here("status", "--output", "json").document
    here.server.zones["alice.example.org"] = ["81.2.69.99"]
    here.policy["keep_replaced"], here.policy["replaced_runs"] = "0s", 1
    here.write()
    with Terminal("apply", "--confirm", LONG, "--config", here.path) as terminal:
        terminal.until(QUESTION)
        assert "81.2.69.99/32" in here.allowed
        terminal.type("no\n")
        assert terminal.end() == 1
    assert here.file.read_bytes() == before
    now = here("status", "--output", "json").document
    assert [one["grants"] for one in now["hosts"]] == [one["grants"] for one in remembered["hosts"]]


@pytest.mark.parametrize("answer", ["no", "yes"])
def test_a_move_at_several_targets_is_kept_or_put_back_at_all_of_them(
    here: Installation, answer: str
) -> None:
    paths = [here.folder / f"{name}.txt" for name in ("one", "two", "three")]
    here.targets = [{"file": {"name": one.stem, "path": str(one)}} for one in paths]
    assert here("apply").code == 0
    before = [one.read_bytes() for one in paths]
    here.server.zones["alice.example.org"] = ["81.2.69.99", "2a01:4f8:1:2::7"]
    here.policy["keep_replaced"], here.policy["replaced_runs"] = "0s", 1
    here.write()
    with Terminal("apply", "--confirm", LONG, "--config", here.path) as terminal:
        terminal.until(QUESTION)
        after = [one.read_bytes() for one in paths]
        assert [b"81.2.69.99/32" in text for text in after] == [True] * 3
        assert [b"81.2.69.1/32" in text for text in after] == [False] * 3
        terminal.type(f"{answer}\n")
        assert terminal.end() == (answer == "no")
    assert [one.read_bytes() for one in paths] == (before if answer == "no" else after)


def test_a_first_file_is_gone_again(here: Installation) -> None:
    here.write()
    with Terminal("apply", "--confirm", "1s", "--config", here.path) as terminal:
        assert terminal.end() == 1
    assert not here.file.exists()


def test_a_file_somebody_edited_cannot_be_put_back_so_nothing_is_touched(
    here: Installation,
) -> None:
    assert here("apply").code == 0
    edited = here.file.read_text() + "81.2.69.77\n"
    here.file.write_text(edited)
    with Terminal("apply", "--confirm", LONG, "--config", here.path) as terminal:
        assert terminal.end() == 1
        shown = " ".join(terminal.shown.split())
        assert "it could not be restored as it is now" in shown
    assert here.file.read_text() == edited
    assert here("apply").code == 0


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ((), "needs a terminal"),
        (("--dry-run",), "exclude each other"),
        (("--output", "json"), "asks a question"),
        (("--log", "json"), "asks a question"),
    ],
)
def test_without_anybody_to_ask_it_is_refused(
    here: Installation, more: tuple[str, ...], why: str
) -> None:
    done = here("apply", "--confirm", "60s", *more)
    assert done.code == 2
    assert why in done.err + done.out
    assert not here.file.exists()


@pytest.mark.parametrize("time", ["0s", "60", "2h", "soon", "999ms"])
def test_a_time_nobody_could_answer_in_is_refused(here: Installation, time: str) -> None:
    done = here("apply", "--confirm", time)
    assert done.code == 2
    assert "expected a time from 1s to 1h" in done.err
