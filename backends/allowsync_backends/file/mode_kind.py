"""The kind of a file's permissions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from allowsync.config.kinds import Leaf, UnfitError

if TYPE_CHECKING:
    from allowsync.config.schema.nodes import Scalar

_MODE: Final = re.compile(r"0?[0-7]{3}")
_WRITABLE_BY_ALL: Final = 0o002


class ModeKind(Leaf[int]):
    """Permissions as chmod(1) takes them in octal: `0644`, with or without quotes."""

    pure = True

    @property
    def expected(self) -> str:
        """An example of permissions."""
        return "permissions such as 0644"

    def read(self, scalar: Scalar) -> int:
        """Read the permission bits. A world-writable file is refused."""
        if _MODE.fullmatch(scalar.text) is None:
            raise UnfitError
        mode = int(scalar.text, 8)
        if mode & _WRITABLE_BY_ALL:
            raise UnfitError(f"{scalar.text} would let everyone change the file")
        return mode

    def schema(self) -> dict[str, Any]:
        """Return the schema: octal digits, quoted or not."""
        return {"type": ["string", "integer"], "pattern": f"^(?:{_MODE.pattern})$"}

    def show(self, value: int) -> str:
        """Format four octal digits."""
        return f"{value:04o}"
