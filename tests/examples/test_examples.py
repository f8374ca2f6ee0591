"""Every configuration we show is one that works, and every command we name exists."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import click
import pytest

from allowsync.cli.group import cli
from allowsync.config import ConfigError, load
from allowsync.config.schema.yaml_loader import read_yaml
from tests.support.documents import ROOT, DocumentBlock, blocks, command_lines

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.config.settings import Config

NOBODY = 65534
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
RULESETS = sorted((ROOT / "examples").glob("*.nft"))
YAML_BLOCKS = blocks("yaml")
WHOLE = [
    one
    for one in YAML_BLOCKS
    if "hosts:" in one.text and "\nallowlists:" in one.text
    if "- spool:" not in one.text  # the backend of a third party, on the page about writing one
]


def loaded(path: Path) -> Config:
    return load(path, environ={"HOME": "/home/somebody"}, uid=NOBODY)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_loads_as_it_stands(example: Path) -> None:
    config = loaded(example)
    assert config.hosts
    assert config.targets


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_host_of_an_example_is_on_an_allowlist(example: Path) -> None:
    config = loaded(example)
    used = {name for allowlist in config.allowlists.values() for name in allowlist.hosts}
    assert used == config.hosts.keys()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_says_what_it_is_for_before_anything_else(example: Path) -> None:
    assert example.read_text().startswith("# ")


@pytest.mark.parametrize("block", WHOLE, ids=str)
def test_a_whole_configuration_in_the_documentation_loads(
    block: DocumentBlock, tmp_path: Path
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(block.text)
    try:
        config = loaded(file)
    except ConfigError as error:
        pytest.fail(f"{block}: {error}")
    assert config.targets


@pytest.mark.parametrize("block", YAML_BLOCKS, ids=str)
def test_every_piece_of_yaml_in_the_documentation_can_be_parsed(block: DocumentBlock) -> None:
    assert read_yaml(block.text.encode()) is not None


def test_the_documentation_shows_whole_configurations() -> None:
    assert {"README.md", "docs/quick-start.md"} <= {one.document for one in WHOLE}


@pytest.mark.parametrize(("where", "line"), command_lines())
def test_every_command_the_documentation_names_exists_with_its_options(
    where: str, line: str
) -> None:
    words = line.split("#")[0].removeprefix("sudo ").split()[1:]
    command: click.Command | None = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command = command.get_command(click.Context(command), words.pop(0))
    assert command is not None, f"{where}: {line}"
    options = {name for parameter in command.params for name in parameter.opts}
    used = {word for word in words if word.startswith("-")} - {"--help"}
    assert used <= options, f"{where}: {line}"


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("ruleset", RULESETS, ids=lambda path: path.name)
def test_an_example_ruleset_takes_what_its_configuration_puts_into_it(
    ruleset: Path, tmp_path: Path
) -> None:
    example = ruleset.with_suffix(".yaml")
    config = loaded(example)
    fixed = [network for host in config.hosts.values() for network in host.networks]
    script = (
        f"nft -f {ruleset} && nft -f {ruleset} || exit 99\n"
        f"allowsync apply --offline --quiet --config {own(example, tmp_path)} "
        f"--state {tmp_path}/state/state.db\n"
        "echo $?; nft list ruleset"
    )
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": path_of_allowsync()},
    )
    first, _, listed = done.stdout.partition("\n")
    # 3: the fixed networks are in; of hosts with names nothing is known without the DNS.
    assert first == "3", done.stderr
    assert fixed
    assert all(str(network) in listed for network in fixed)


def own(example: Path, folder: Path) -> Path:
    """A copy of an example that belongs to root, as a configuration has to."""
    copy = folder / example.name
    copy.write_text(example.read_text())
    copy.chmod(0o600)
    return copy


def path_of_allowsync() -> str:
    import sys
    from pathlib import Path

    return f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
