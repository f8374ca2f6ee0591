"""Tools that are written in Python, warm: started without their imports.

What is found by their names hands itself over to a process that has all imported, and that becomes
the tool in the same namespaces, with the same streams (see `tests.support.warm_script`).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


def _plugins(package: str) -> tuple[str, ...]:
    """The names of all modules in a folder of a package that is not imported here."""
    top, _, folder = package.partition(".")
    spec = find_spec(top)
    places = (spec.submodule_search_locations or ()) if spec else ()
    found = iter_modules(str(Path(one, folder)) for one in places)
    return tuple(f"{package}.{one.name}" for one in found)


PYTHON: Final = "/usr/bin/python3"
SERVER: Final = Path(__file__).with_name("warm_script.py")
ROOT: Final = Path(__file__).parent.parent.parent
# Python, a script of it or `-c`, and what is imported before.
TOOLS: Final = {
    "fail2ban-client": (PYTHON, "/usr/bin/fail2ban-client", "fail2ban.client.fail2banclient"),
    "ufw": (PYTHON, "/usr/sbin/ufw", "ufw.frontend", "ufw.parser", "ufw.util", "gettext"),
    "apprise-python": (
        sys.executable,
        str(ROOT / "allowsync/notify/apprise_worker.py"),
        *_plugins("apprise.plugins"),
    ),
    "template-python": (sys.executable, "-c", "allowsync_backends.file.template_worker"),
    "allowsync-python": (
        *(sys.executable, "-c", "ctypes", "click", "sqlite3", "yaml", "allowsync.cli.apply_run"),
        *("allowsync.config.cache", "allowsync.engine.run", "allowsync.dns.process"),
        *("allowsync.dns.child", "allowsync.dns.aliases", "allowsync.dns.transport.tcp"),
        *("allowsync.dns.transport.workers", "allowsync.system.sandbox", "socket"),
        *("allowsync.report.json", "allowsync_backends.file.backend"),
        *("allowsync_backends.ipset.gate_backend", "allowsync_backends.nftables.gate_backend"),
    ),
}
# Nothing is imported but what is built into Python: it takes a few milliseconds.
STARTED: Final = """\
#!/usr/bin/python3 -SI
import _socket, posix, sys
door = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
door.connect({path!r})
here = [posix.open(one, posix.O_RDONLY) for one in (".", "/proc/self/ns/mnt", "/proc/self/ns/net")]
handles = b"".join(one.to_bytes(4, sys.byteorder) for one in (0, 1, 2, *here))
order = repr((sys.argv[1:], posix.environ, posix.getppid())).encode()
door.sendmsg([order], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, handles)])
code = int(door.recv(16) or b"120")
if code < 0:
    posix.kill(posix.getpid(), -code)
posix._exit(code)
"""


@contextmanager
def warm_tools(*names: str) -> Iterator[Path]:
    """A folder with some tools in it, for `fake_programs`, which serves as long as it lasts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="warm-")))
        folder.chmod(0o755)
        for name in names:
            program = folder / name
            stack.callback(os.close, _serve(folder / f"{name}.socket", *TOOLS[name]))
            program.write_text(STARTED.format(path=f"{program}.socket"))
            program.chmod(0o755)
        yield folder


def _serve(path: Path, python: str, *arguments: str) -> int:
    """Start what becomes a tool. It ends once what is returned is closed, with us at the latest."""
    end, life = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(str(path))
        door.listen()
        subprocess.Popen(
            (python, "-I", SERVER, str(door.fileno()), str(end), *arguments),
            pass_fds=(door.fileno(), end),
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        ).returncode = 0  # it is not waited for
    os.close(end)
    return life
