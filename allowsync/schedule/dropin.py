"""The drop-ins of the services: permissions beyond those of the units (pure).

The units run as a user who may change the packet filter and nothing else. A drop-in is empty if
nothing has to be added. See systemd.exec(5) for every directive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value
from allowsync.schedule.requirements import STATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.schedule.requirements import Requirements, SecretNames

# Restores as well, before other programs load rules that name the restored sets.
EARLY: Final = "allowsync-early.service"

CREDENTIALS: Final = "/etc/credstore"  # systemd's own search path (systemd.exec(5))
ENVIRONMENT: Final = "/etc/allowsync/environment"

# The file that allowsync-follow.service writes, and allowsync-follow.path watches.
CHANGED: Final = "/run/allowsync-follow/changed"


class ServiceSpec(Value):
    """The inputs of the drop-ins.

    Attributes:
        requirements: The requirements of the configuration.
        program: The absolute path of `allowsync`.
        arguments: The arguments of every `apply`, such as `--config`.
        as_root: Whether the service is root.
    """

    requirements: Requirements
    program: str
    arguments: tuple[str, ...] = ()
    as_root: bool = True


def service(shape: ServiceSpec) -> str:
    """The drop-in of allowsync.service."""
    sections = [
        _section("Unit", _order(shape)),
        _section(
            "Service",
            [
                *_user(shape),
                *_command(shape, ("apply",)),
                *_walls(shape.requirements),
                *_without_capset(shape),
                *_woken(shape.requirements),
                *_secrets(shape.requirements),
            ],
        ),
    ]
    return "\n".join(filter(None, sections))


def restore(shape: ServiceSpec) -> str:
    """The drop-in of allowsync-restore.service."""
    return _offline(
        shape, _order(shape, EARLY) if shape.requirements.needs.before else _order(shape)
    )


def early(shape: ServiceSpec) -> str:
    """The drop-in of allowsync-early.service."""
    return _offline(
        shape,
        [
            "# What loads rules that may name our sets.",
            f"Before={' '.join(shape.requirements.needs.before)}",
        ],
    )


def follow(shape: ServiceSpec) -> str:
    """The drop-in of allowsync-follow.service."""
    found = shape.requirements.follower
    lines = [*(_root() if shape.as_root else ()), *_command(shape, ("follow", "--touch", CHANGED))]
    return _section("Service", [*lines, *(() if found is None else _secrets(found))])


def _offline(shape: ServiceSpec, order: list[str]) -> str:
    """The drop-in of a restoring service, with its ordering at boot."""
    only = [] if shape.requirements.everything else list(shape.requirements.restored)
    chosen = ("apply", "--offline", *(word for name in only for word in ("--only", name)))
    sections = [
        _section("Unit", order),
        _section(
            "Service",
            [
                *_user(shape),
                *_command(shape, chosen),
                *_walls(shape.requirements),
                *_raw(shape),
                *_secrets(shape.requirements),
            ],
        ),
    ]
    return "\n".join(filter(None, sections))


def demands(requirements: Requirements) -> tuple[str, ...]:
    """The directives that give the service its permissions, without user and command."""
    lines = (*_walls(requirements), *_secrets(requirements))
    return tuple(line for line in lines if not line.startswith("#"))


def _section(name: str, lines: list[str]) -> str:
    return "\n".join([f"[{name}]", *lines, ""]) if lines else ""


def _order(shape: ServiceSpec, *more: str) -> list[str]:
    after = (*more, *shape.requirements.needs.after)
    return ["# What loads rules of its own at boot.", f"After={' '.join(after)}"] if after else []


def _user(shape: ServiceSpec) -> Iterator[str]:
    capabilities = shape.requirements.needs.capabilities
    if shape.as_root:
        yield from _root()
    elif capabilities:
        yield f"AmbientCapabilities={' '.join(capabilities)}"


def _root() -> Iterator[str]:
    yield "# Something here takes root, so the user of the unit does not do."
    yield "User=root"
    yield "Group=root"
    yield "AmbientCapabilities="
    yield "ExecStartPre="


def _command(shape: ServiceSpec, chosen: tuple[str, ...]) -> Iterator[str]:
    """The command line, if it differs from the unit's own."""
    arguments = shape.arguments
    if not shape.as_root:
        if not arguments and "--only" not in chosen:
            return
        if "--state" not in arguments:
            # Without root, the default state would be in a home.
            arguments = (*arguments, "--state", str(STATE))
    words = (shape.program, *chosen, *arguments)
    yield "ExecStart="
    yield f"ExecStart={' '.join(map(_argument, words))}"


def _walls(requirements: Requirements) -> Iterator[str]:
    needs = requirements.needs
    if needs.capabilities:
        yield f"CapabilityBoundingSet={' '.join(needs.capabilities)}"
    if needs.locks:
        yield "# A file that is not there could not be made where everything is read-only."
        yield f"ExecStartPre=+touch {' '.join(map(_argument, needs.locks))}"
    if needs.writes:
        yield "# The dash: a missing path fails one target, not the whole service."
        yield f"ReadWritePaths={' '.join(quoted('-' + one) for one in needs.writes)}"
    if needs.all_of_proc:
        yield "ProcSubset=all"
    if needs.commands:
        yield "# For commands such as `systemctl reload`."
        yield "RestrictAddressFamilies=AF_UNIX"
        yield "SystemCallFilter=@resources"


def _raw(shape: ServiceSpec) -> Iterator[str]:
    """Address families: at boot there is no network, but iptables queries sets by a raw socket."""
    if "CAP_NET_RAW" in shape.requirements.needs.capabilities:
        yield "RestrictAddressFamilies=AF_INET AF_INET6"


def _without_capset(shape: ServiceSpec) -> Iterator[str]:
    """A filter for capset: with raw sockets it would exceed the exposure limit of the service."""
    if "CAP_NET_RAW" in shape.requirements.needs.capabilities:
        yield "# Too much beside raw sockets. So what reads the DNS keeps its capabilities."
        yield "SystemCallFilter=~capset"


def _woken(requirements: Requirements) -> Iterator[str]:
    """The commands around a run, which allowsync-follow.path may have started."""
    if requirements.follower is not None:
        yield "# What is heard from here on wakes another run, some seconds after this one."
        yield f"ExecStartPre=-+rm -f {CHANGED}"
        yield "ExecStopPost=-sleep 2"


def _secrets(requirements: Requirements | SecretNames) -> Iterator[str]:
    for name in requirements.credentials:
        yield f"LoadCredential={name}:{CREDENTIALS}/{name}"
    if requirements.variables:
        yield f"# {', '.join(requirements.variables)}"
        yield f"EnvironmentFile={ENVIRONMENT}"


def quoted(word: str) -> str:
    """A word quoted for systemd (systemd.syntax(7), and systemd.unit(5) about `%`)."""
    safe = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("%", "%%")
    plain = safe == word and word and not any(c in word for c in " \t';")
    return word if plain else f'"{safe}"'


def _argument(word: str) -> str:
    """A quoted word of a command line, with `$` escaped (systemd.service(5))."""
    return quoted(word).replace("$", "$$")
