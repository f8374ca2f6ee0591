"""A configuration as plain values: defaults filled in, secrets masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allowsync.config.hosts import HOST_OPTIONS
from allowsync.config.sections import LIMITS, POLICY, RESOLVER, SINGLE_OPTIONS
from allowsync.config.targets import NAME_KEY, options_kind

if TYPE_CHECKING:
    from allowsync.config.settings import Allowlist, Config, Target
    from allowsync.model.types import Host, Policy


def shown(config: Config) -> dict[str, Any]:
    """The whole configuration, in the order of the reference; it can be loaded again."""
    hosts = [one for one in config.hosts.values() if not one.followed]
    if config.hosts_file is not None:
        hosts = hosts[: -config.hosts_file.count]
    allowlists = config.allowlists.values()
    singles = {name: one.kind.show(getattr(config, name)) for name, one in SINGLE_OPTIONS.items()}
    return {
        "hosts": {host.name: _host(host, config.policy) for host in hosts},
        "allowlists": {allowlist.name: _allowlist(allowlist) for allowlist in allowlists},
        **_denylists(config),
        "resolver": RESOLVER.show(config.resolver),
        "policy": POLICY.show(config.policy),
        "limits": LIMITS.show(config.limits),
        **singles,
    }


def _host(host: Host, policy: Policy) -> dict[str, Any]:
    """A host in its long form, with its overrides of the policy."""
    values = {
        "hostname": host.hostnames,
        "networks": (*host.networks, *host.publishers),
        "lists": host.lists,
        "families": host.families,
        "ipv4_prefix": host.ipv4_prefix,
        "ipv6_prefix": host.ipv6_prefix,
        "until": host.until,
    }
    own = {name: HOST_OPTIONS[name].kind.show(value) for name, value in values.items() if value}
    common = POLICY.show(policy)
    overrides = {name: one for name, one in POLICY.show(host.policy).items() if one != common[name]}
    return own | overrides


def _allowlist(allowlist: Allowlist) -> dict[str, Any]:
    roles = ("publish", "follow", "retired")
    return {
        **({} if allowlist.follow else {"hosts": list(allowlist.hosts)}),
        "targets": [_target(target) for target in allowlist.targets],
        **{role: True for role in roles if getattr(allowlist, role)},
    }


def _denylists(config: Config) -> dict[str, Any]:
    """The section `denylists`, if there is one."""
    shown = {
        one.name: {
            **({"lists": list(one.lists)} if one.lists else {}),
            "networks": list(map(str, one.networks)),
            "except": list(map(str, one.spared)),
            "targets": [_target(target) for target in one.targets],
        }
        for one in config.denylists.values()
    }
    return {"denylists": shown} if shown else {}


def _target(target: Target) -> dict[str, Any]:
    name = target.name.partition("/")[2]
    named = {} if name == target.backend.name else {NAME_KEY: name}
    if target.options is None:  # its backend cannot be loaded
        return {target.backend.name: named}
    kind = options_kind(target.backend, target.effect)
    return {target.backend.name: named | kind.show(target.options)}
