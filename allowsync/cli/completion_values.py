"""Names of the configuration, for shell completion. An unreadable configuration has none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from allowsync.cli.options import config_in
from allowsync.config import ConfigError, load, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click
    from click.shell_completion import CompletionItem

    from allowsync.config.settings import Config


def allowlists(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """The allowlists and denylists whose names begin with this text, with their targets."""
    return [
        _item(name, ", ".join(one.name for one in config.targets if one.allowlist == name))
        for config in _configuration(ctx)
        for name in (*config.allowlists, *config.denylists)
        if name.startswith(begun)
    ]


def targets(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """The allowlists whose names begin with this text, and the targets of a complete one."""
    named = begun.partition("/")[0]
    return allowlists(ctx, param, begun) + [
        _item(target.name, f"of {target.allowlist}")
        for config in _configuration(ctx)
        for target in config.targets
        if target.allowlist == named and target.name.startswith(begun)
    ]


def hosts(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """The hosts whose names begin with this text, with their hostnames or networks."""
    return [
        _item(name, ", ".join(host.hostnames or map(str, (*host.networks, *host.sources))))
        for config in _configuration(ctx)
        for name, host in config.hosts.items()
        if name.startswith(begun)
    ]


def _item(name: str, about: str) -> CompletionItem:
    from click.shell_completion import CompletionItem

    return CompletionItem(name, help=about)


def _configuration(ctx: click.Context) -> Iterator[Config]:
    """Yield the configuration, or nothing: completion reports no problem."""
    place = locate(config_in(ctx), os.environ, os.geteuid())
    try:
        yield load(place, environ=os.environ, uid=os.geteuid())
    except ConfigError:
        return
