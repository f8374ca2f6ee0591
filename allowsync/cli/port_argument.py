"""A port as an argument: `443`, `443/udp`, `8000-8010/tcp`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click

from allowsync.model.target import PortRange

if TYPE_CHECKING:
    _Type = click.ParamType[PortRange]
else:
    _Type = click.ParamType  # generic since click 8.4

_PORTS: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp))?")


class PortArgument(_Type):
    """A port or a range of ports; TCP by default."""

    name = "port"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> PortRange:
        """The argument as a range."""
        if isinstance(value, PortRange):
            return value
        match = _PORTS.fullmatch(str(value).strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if match and 1 <= first <= last <= 65535:
            return PortRange(first, last, match[3] or "tcp")
        from allowsync.text import quote

        what = f"expected a port from 1 to 65535 such as 443 or 443/udp, got {quote(str(value))}"
        return self.fail(what, param, ctx)
