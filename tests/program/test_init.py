"""`allowsync init`: on a real terminal, and by flags alone."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest

from allowsync.setup.detect import default_zone
from testkit.fake_dns.nameserver import NameServer
from tests.support.netns import Namespace
from tests.support.program import allowsync
from tests.support.tmux import COLUMNS, Tmux

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ZONES: dict[str, object] = {
    "alice.example.org": ["81.2.69.1", "2a01:4f8:1:2::7"],
    "bob.example.org": ["192.168.1.7"],
}
FLAGS = ("--host", "alice=alice.example.org", "--port", "8096/tcp", "--backend", "nftables")


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    with Namespace() as namespace:
        yield namespace


@pytest.fixture
def server(inside: Namespace) -> Iterator[NameServer]:
    """A name server that only the namespace can reach."""
    with inside.run(NameServer, ZONES) as running:
        yield running


def shown(path: Path) -> dict[str, object]:
    done = allowsync("config", "show", "--config", path, "--output", "json")
    assert done.code == 0, done.err
    return done.document


@pytest.mark.root
def test_a_conversation_ends_in_a_dry_run_of_what_was_wished(
    inside: Namespace, server: NameServer, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "config.yaml"
    state = tmp_path / "state" / "state.db"
    flags = ("--nameserver", str(server), "--state", str(state))
    environ = {"SSH_CONNECTION": "81.2.69.200 50000 81.2.69.9 22"}
    with Tmux(inside, tmp_path, "init", path, *flags, environ=environ) as screen:
        screen.until("Host 1")
        screen.type("alice nowhere")
        screen.until("is not a whole hostname")
        screen.type("alice alice.example.org")
        screen.until("alice.example.org is 81.2.69.1 and 2a01:4f8:1:2::7 now")
        screen.until("Host 2")
        screen.type("bob bob.example.org")
        screen.until("a private address")
        screen.until("Host 3")
        screen.type("")
        screen.until("Firewall [")
        screen.type("nftables")
        screen.until("Ports:")
        screen.type("http")
        screen.until("expected a port such as")
        screen.type("8096 22/tcp")
        screen.until("Always allow 81.2.69.200")
        screen.type("y")
        screen.until("The name of the list? [jellyfin]")
        screen.type("")
        screen.until("Write it to")
        assert not path.exists()
        screen.type("y")
        last = screen.until("ended with ")
    assert "jellyfin/nftables" in last
    assert "+ 81.2.69.1 " in last
    assert "+ 81.2.69.200 " in last
    assert "A check:" in last
    assert "allowsync apply --confirm 60s" in last
    assert "allowsync schedule install" in last
    assert path.stat().st_mode & 0o777 == 0o600
    config = shown(path)
    assert set(config["hosts"]) == {"alice", "bob", "me"}  # type: ignore[call-overload]
    assert not state.exists()
    assert inside.command("nft", "list", "ruleset") == ""


@pytest.mark.root
def test_what_was_mistyped_is_replaced_or_taken_out(
    inside: Namespace, server: NameServer, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    flags = ("--nameserver", str(server), "--backend", "nftables")
    with (
        inside.run(socket.create_server, ("127.0.0.1", 8096)),
        Tmux(inside, tmp_path, "init", path, *flags) as screen,
    ):
        for number, typed, answer in (
            (1, "alice alcie.example.org", "alcie.example.org has no address now"),
            (2, "alice alice.example.org", "alice is replaced"),
            (2, "bobby bob.example.org", "a private address"),
            (3, "-bob", "there is no 'bob' to take out; there is alice, bobby"),
            (3, "-bobby", "bobby is removed"),
            (2, "", "Ports [8096/tcp]"),  # Jellyfin's, as it listens there
        ):
            screen.until(f"Host {number}")
            screen.type(typed)
            screen.until(answer)
        screen.type("")
        screen.until("of the list? [jellyfin]")
        screen.type("films")
        screen.until("Write it to")
        screen.type("y")
        screen.until("ended with ")
    hosts = shown(path)["hosts"]
    assert isinstance(hosts, dict)
    assert list(hosts) == ["alice"]
    assert "alcie" not in path.read_text()
    assert targets(path)[0]["nftables"]["ports"] == ["8096/tcp"]


@pytest.mark.root
@pytest.mark.parametrize("key", ["C-c", "C-d"])
def test_ending_it_early_leaves_nothing_behind(inside: Namespace, tmp_path: Path, key: str) -> None:
    path = tmp_path / "new" / "config.yaml"
    with Tmux(inside, tmp_path, "init", path, *FLAGS, "--no-dry-run") as screen:
        screen.until("The name of the list?")
        screen.type("")
        screen.until("Write it to")
        screen.type(key)
        screen.until("ended with 130")
    assert not path.parent.exists()


@pytest.fixture
def clients(inside: Namespace) -> Iterator[None]:
    """Two clients at 8096/tcp, one with an address that is never granted."""
    here, friend, private = "81.2.70.1", "81.2.69.160", "192.168.7.7"
    inside.batch(*(f"addr add {one}/32 dev lo" for one in (here, friend, private)))
    with ExitStack() as stack:
        server = stack.enter_context(inside.run(socket.create_server, (here, 8096)))
        for one in (friend, private):
            connect = partial(socket.create_connection, (here, 8096), 5, (one, 0))
            stack.enter_context(inside.run(connect))
            stack.enter_context(server.accept()[0])
        yield


@pytest.mark.root
def test_clients_that_are_connected_are_offered_as_hosts(
    inside: Namespace, clients: None, tmp_path: Path
) -> None:
    path, state = tmp_path / "config.yaml", tmp_path / "state.db"
    question = "81.2.69.160 is connected to 8096/tcp: add as a host? [y/N]"
    flags = (*FLAGS, "--no-dry-run", "--state", str(state))
    with Tmux(inside, tmp_path, "init", path, *flags) as screen:
        screen.until(question)
        screen.type("")
        screen.until("81.2.69.160 is connected to 8096/tcp now, and would be cut off")
        screen.type("C-c")
        shown_so_far = screen.until("ended with 130")
    assert "192.168.7.7 is connected to 8096/tcp: add" not in shown_so_far
    assert not path.exists()
    with Tmux(inside, tmp_path, "init", path, *flags) as screen:
        screen.until(question)
        screen.type("y")
        screen.until("Its name [guest]")
        screen.type("Carol!")
        screen.until("a name of 1 to 40")
        screen.type("carol")
        screen.until("The name of the list?")
        screen.type("")
        screen.until("Write it to")
        screen.type("y")
        screen.until("ended with 0")
    assert shown(path)["hosts"]["carol"]["networks"] == ["81.2.69.160/32"]  # type: ignore[index]


@pytest.mark.root
def test_a_list_at_cloudflare_is_asked_about(inside: Namespace, tmp_path: Path) -> None:
    path, token = tmp_path / "new" / "config.yaml", tmp_path / "token"
    flags = ("--network", "office=81.2.70.0/24", "--no-dry-run")
    answers = (
        ("Firewall [", "cloudflare"),
        ("The name of the list?", "films"),
        ("Account id", "12"),
        ("expected an account id", "0123456789abcdef0123456789abcdef"),
        ("List [films]", ""),
        ("File that holds the API token", str(token)),
    )
    for key, last in (("C-c", ()), ("y", answers[-1:])):
        with Tmux(inside, tmp_path, "init", path, *flags) as screen:
            for question, answer in (*answers[:-1], *last):
                screen.until(question)
                screen.type(answer)
            screen.until("Write it to" if last else answers[-1][0])
            screen.type(key)
            screen.until(f"ended with {0 if last else 130}")
        assert path.parent.exists() == bool(last)
    assert 'api_token_file: "' + str(token) in path.read_text()


@pytest.mark.root
def test_a_jellyfin_that_listens_here_is_pointed_out(inside: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    flags = ("--network", "office=81.2.70.0/24", "--no-dry-run")
    answers = (
        ("The name of the list?", "films"),
        ("Where Jellyfin is [http://127.0.0.1:8096]", ""),
        ("Which of its lists to keep [remote_filter]", "KnownProxies"),
        ("known_proxies", "known_proxies"),
        ("File that holds an API key [/etc/allowsync/jellyfin.key]", ""),
    )
    with (
        inside.run(socket.create_server, ("127.0.0.1", 8096)),
        Tmux(inside, tmp_path, "init", path, *flags) as screen,
    ):
        assert "Jellyfin seems to run here" in screen.until("Firewall [")
        screen.type("jellyfin")
        for question, answer in answers:
            screen.until(question)
            screen.type(answer)
        screen.until("Write it to")
        screen.type("y")
        screen.until("ended with 0")
    assert targets(path)[0]["jellyfin"].items() >= {
        ("url", "http://127.0.0.1:8096"),
        ("setting", "known_proxies"),
    }


@pytest.mark.root
def test_the_zone_of_firewalld_is_asked_for(inside: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    flags = ("--network", "office=81.2.70.0/24", "--backend", "firewalld", "--no-dry-run")
    with Tmux(inside, tmp_path, "init", path, *flags, "--allowlist", "films") as screen:
        for question, answer in (
            ("Ports", "443/tcp"),
            (f"Zone that packets arrive in [{default_zone()}]", "of two words"),
            ("expected a zone such as public", "home"),
        ):
            screen.until(question)
            screen.type(answer)
        screen.until("Write it to")
        screen.type("y")
        screen.until("ended with 0")
    assert targets(path)[0]["firewalld"].items() >= {("zone", "home")}
    usual = ("--port", "443/tcp", "--yes", "--force", "--allowlist", "films")
    assert allowsync("init", path, *flags, *usual).code == 0
    assert targets(path)[0]["firewalld"].items() >= {("zone", default_zone())}


PLACES = {
    "apache": "/etc/apache2/allowsync/films.conf",
    "caddy": "/etc/caddy/allowsync/films.caddy",
    "haproxy": "/etc/haproxy/films.lst",
    "nginx": "/etc/nginx/allowsync/films.conf",
    "traefik": "/etc/traefik/dynamic/allowsync-films.yml",
}
OFFICE = ("--network", "office=81.2.70.0/24")


@pytest.mark.parametrize(("backend", "place"), PLACES.items(), ids=PLACES)
def test_flags_write_a_target_of_a_web_server(tmp_path: Path, backend: str, place: str) -> None:
    path = tmp_path / "config.yaml"
    flags = (*OFFICE, "--allowlist", "films", "--state", str(tmp_path / "state.db"))
    done = allowsync("init", path, *flags, "--backend", backend, "--no-dry-run")
    assert done.code == 0, done.err
    ((_, options),) = (one.popitem() for one in targets(path))
    assert options["path"] == place
    unit = ("--option", f"path={tmp_path}/x.yml", "--option", "unit=web.service")
    done = allowsync("init", path, *flags, "--backend", backend, *unit, "--force", "--no-dry-run")
    assert done.code == 0, done.err
    ((_, options),) = (one.popitem() for one in targets(path))
    assert (options["path"], options["unit"]) == (f"{tmp_path}/x.yml", "web.service")


def targets(path: Path) -> list[dict[str, dict[str, object]]]:
    found = shown(path)["allowlists"]["films"]["targets"]  # type: ignore[index]
    assert isinstance(found, list)
    return found


def test_a_target_is_checked_and_tried_and_what_comes_next_is_said(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    account = ("--option", "account_id=0123456789abcdef0123456789abcdef")
    token = ("--option", f"api_token_file={tmp_path}/token")
    flags = (*OFFICE, "--backend", "cloudflare", *account, *token)
    done = allowsync("init", path, *flags, "--state", tmp_path / "state.db")
    assert done.code == 1
    checked, _, rest = done.out.partition("A dry run, which changes nothing:")
    assert "error: friends/cloudflare: " in checked
    assert "file not found" in checked
    assert f"allowsync apply --confirm 60s --config {path}" in rest
    assert f"  allowsync schedule install --config {path}" in rest


def test_who_came_by_sudo_is_told_commands_with_sudo(tmp_path: Path) -> None:
    path, state = tmp_path / "config.yaml", tmp_path / "state.db"
    flags = (*OFFICE, "--backend", "nginx", "--option", f"path={tmp_path}/list", "--state", state)
    for user, typed in (("admin", "  sudo allowsync"), ("root", "  allowsync")):
        done = allowsync("init", path, *flags, "--force", environ={"SUDO_USER": user})
        assert f"{typed} apply --confirm 60s --config {path}" in done.out
        assert f"{typed} schedule install --config {path}" in done.out


@pytest.mark.root
def test_no_line_of_the_conversation_is_wider_than_a_terminal(
    inside: Namespace, tmp_path: Path
) -> None:
    with Tmux(inside, tmp_path, "init", tmp_path / "c.yaml", "--no-dry-run") as screen:
        for question, answer in (
            ("Host 1", "alice a.example.org"),
            ("Host 2", ""),
            ("Firewall [", "nftables"),
            ("Ports:", "443/udp"),
            ("of the list?", ""),
        ):
            screen.until(question)
            screen.type(answer)
        lines = screen.until("Write it to").splitlines()
    ours = [line for line in lines if str(tmp_path) not in line]
    assert max(map(len, ours)) <= COLUMNS
    told = " ".join(" ".join(lines).split())
    here, _, lacking = told.partition("Or a server")[0].partition("Not usable here: ")
    for name in ("nftables", "ipset", "ufw", "firewalld"):
        assert (f" {name} " in here) != (name in lacking)
    assert "looked in" not in told


@pytest.mark.root
def test_a_web_server_in_front_of_the_service_is_pointed_out(
    inside: Namespace, tmp_path: Path
) -> None:
    with (
        inside.run(socket.create_server, ("127.0.0.1", 8096)),
        inside.run(socket.create_server, ("127.0.0.1", 443)),
        Tmux(inside, tmp_path, "init", tmp_path / "c.yaml", "--no-dry-run") as screen,
    ):
        for question, answer in (
            ("Host 1", "alice a.example.org"),
            ("Host 2", ""),
            ("Firewall [", "nftables"),
        ):
            screen.until(question)
            screen.type(answer)
        told = " ".join(screen.until("Ports [8096/tcp]").split())
    assert "A web server listens at 443: a service behind it is open to" in told


@pytest.mark.root
def test_flags_alone_do_it_all(inside: Namespace, server: NameServer, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    done = inside.run(
        allowsync, "init", path, *FLAGS, "--host", "bob=bob.example.org",
        "--network", "office=81.2.70.0/24", "--allowlist", "films",
        "--nameserver", str(server), "--state", tmp_path / "state.db",
    )  # fmt: skip
    assert done.code == 3, done.err  # bob has no address that could be let in
    assert f"Written: {path}" in done.out
    assert "+ 81.2.69.1 " in done.out
    assert "a private address" in done.err
    assert set(shown(path)["hosts"]) == {"alice", "bob", "office"}  # type: ignore[call-overload]
    assert not (tmp_path / "state.db").exists()


@pytest.mark.root
def test_a_session_that_would_be_cut_off_is_named(inside: Namespace, tmp_path: Path) -> None:
    flags = ("--network", "office=81.2.70.0/24", "--port", "22/tcp", "--backend", "nftables")
    environ = {"SSH_CONNECTION": "81.2.69.200 50000 81.2.69.9 22"}
    path, state = tmp_path / "config.yaml", tmp_path / "state.db"

    def run(*arguments: str | Path, environ: dict[str, str] = environ) -> str:
        return inside.run(lambda: allowsync(*arguments, environ=environ)).err

    assert "comes from 81.2.69.200 to port 22/tcp" in run("init", path, *flags, "--state", state)
    assert "comes from 81.2.69.200 to port 22/tcp" in run("apply", "--dry-run", "--config", path)
    assert "comes from 81.2.69.200 to port 22/tcp" in run("apply", "--config", path)
    assert "comes from 81.2.69.200 to port 22/tcp" in run("apply", "--force", "--config", path)
    run("apply", "--config", path, environ={})  # as by the schedule, or from a console
    assert "comes from" not in run("apply", "--config", path)


@pytest.mark.parametrize(
    ("flags", "missing"),
    [
        ((), "--host NAME=HOSTNAME (or --network NAME=NETWORK) and --port"),
        (("--host", "a=a.example.org", "--backend", "nftables"), "pass --port PORT/PROTO"),
        (("--port", "80/tcp", "--backend", "nftables", "--yes"), "pass --host NAME=HOSTNAME"),
    ],
)
def test_what_is_missing_without_a_terminal_is_named(
    tmp_path: Path, flags: tuple[str, ...], missing: str
) -> None:
    done = allowsync("init", tmp_path / "config.yaml", *flags)
    assert done.code == 2
    assert missing in " ".join(done.err.split())
    assert not (tmp_path / "config.yaml").exists()


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--host", "alice=localhost"), "not a whole hostname"),
        (("--host", "alice"), "expected a name and a hostname"),
        (("--port", "http"), "expected a port such as"),
        (("--backend", "iptables"), "no backend 'iptables' (did you mean 'ipset'?)"),
        (("--backend", "ngnix"), "no backend 'ngnix' (did you mean 'nginx'?)"),
        (("--backend", "pf"), "no backend 'pf'; found: "),
        (("--backend", "file"), "guards no ports"),
        ((*OFFICE, "--backend", "nginx", "--port", "80/tcp"), "guards no ports: leave out --port"),
        (
            (*OFFICE, "--backend", "nginx", "--option", "pth=/x"),
            "no option 'pth' (did you mean 'path'?)",
        ),
        ((*OFFICE, "--backend", "nftables", "--option", "ports=80"), "say --port PORT/PROTO"),
        (("--hots", "a=a.example.org"), "(did you mean '--host'"),
        ((*OFFICE, "--backend", "nginx", "--option", "path"), "expected OPTION=VALUE"),
        ((*OFFICE, "--option", "path=/x"), "--option needs --backend"),
        ((*OFFICE, "--backend", "cloudflare"), "pass --option account_id=VALUE"),
        ((*OFFICE, "--backend", "cloudflare", "--option", "account_id=1"), "32 hexadecimal digits"),
        (("--allowlist", "Films!"), "expected"),
        (("--nameserver", "dns.example"), "dns.example"),
    ],
)
def test_a_flag_that_cannot_be_used_is_refused(
    tmp_path: Path, flags: tuple[str, ...], why: str
) -> None:
    done = allowsync("init", tmp_path / "config.yaml", *flags)
    assert done.code == 2
    assert why in " ".join(done.err.split())
    assert not (tmp_path / "config.yaml").exists()


def test_a_configuration_is_never_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mine\n")
    flags = (*FLAGS, "--no-dry-run", "--state", str(tmp_path / "state.db"))
    done = allowsync("init", path, *flags)
    assert done.code == 2
    assert "exists already; to change it: allowsync config edit; --force replaces it" in done.err
    assert path.read_text() == "mine\n"
    assert allowsync("init", path, *flags, "--force").code == 0
    assert shown(path)


def test_a_pipe_is_no_place_for_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    os.mkfifo(path)
    flags = (*FLAGS, "--no-dry-run", "--state", str(tmp_path / "state.db"))
    done = allowsync("init", path, *flags, "--force")
    assert done.code == 2
    assert f"{path}: a device, pipe or socket is not replaced; name a file\n" in done.err
    assert list(tmp_path.iterdir()) == [path]


def test_a_program_gets_one_document(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    state = ("--state", str(tmp_path / "state.db"), "--no-dry-run")
    done = allowsync("init", path, *FLAGS, *state, "--output", "json")
    assert done.document == {
        "schema": "allowsync.init/1", "exit_code": 0, "path": str(path), "problems": []
    }  # fmt: skip
    assert allowsync("init", path, *FLAGS, *state, "--output", "json").document["exit_code"] == 2
