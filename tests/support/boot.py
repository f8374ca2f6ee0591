"""A minimal Debian that really boots: systemd as process 1, in namespaces of its own.

Its root is made once, by mmdebstrap, and kept in `.cache/boot`, and so is a layer with allowsync. A
machine is a layer over both, or a copy where there can be no layer, so many can boot at once. There
is no network but what is inside; the host's firewall, network and services are not touched.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from tests.support.documents import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE: Final = ROOT / ".cache" / "boot"
SUITE: Final = "bookworm"
PYTHON: Final = "3.11"  # that of the suite
MIRROR: Final = "http://deb.debian.org/debian"
PACKAGES: Final = (
    *("systemd", "systemd-sysv", "dbus", "cron", "iproute2"),
    *("nftables", "ipset", "iptables", "ufw", "firewalld"),
    *("python3", "python3-venv"),
    *("nginx-light", "apache2", "caddy"),
)
# Would only take time.
IDLE: Final = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer")
# Are there for the tests that start them.
SLEEPING: Final = ("nginx.service", "apache2.service", "caddy.service", "firewalld.service")

# Where trees of control groups are: one for all, or two (systemd.io/CGROUP_DELEGATION).
GROUPS: Final = tuple(Path("/sys/fs/cgroup") / one for one in (".", "unified", "systemd"))

# A network that comes up as networks do, with nobody at the other end.
CABLE: Final = """\
    [NetDev]
    Name=cable0
    Kind=veth
    [Peer]
    Name=cable1
    """
ADDRESS: Final = "198.51.100.2"
ADDRESSES: Final = f"""\
    [Match]
    Name=cable0 cable1
    [Network]
    Address={ADDRESS}/24
    LinkLocalAddressing=no
    """

DRIVER: Final = """\
    [Unit]
    Description=What a test does in here
    After=multi-user.target
    [Service]
    Type=oneshot
    ExecStart=-/bin/sh -c '/test/script > /test/out 2>&1'
    ExecStartPost=systemctl poweroff --no-block
    TimeoutStartSec=240
    [Install]
    WantedBy=graphical.target
    """


class Machine:
    """A Debian with allowsync installed in it, as files and as something to boot.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self._base = base()
        self._lower = [self._base]
        self._top, self._work, self._all = (folder / one for one in ("top", "work", "all"))
        for one in (self._top, self._work, self._all):
            one.mkdir()
        self._folder = folder
        self._layered = self._can_layer()
        if not self._layered:
            self._all.rmdir()
            _run("cp", "-a", "--reflink=auto", str(self._base), str(self._all))
            self._top = self._all
        self.write("/etc/systemd/network/cable.netdev", CABLE)
        self.write("/etc/systemd/network/cable.network", ADDRESSES)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file, while the machine is off."""
        file = self._top / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
        file.chmod(mode)

    def read(self, path: str) -> str:
        """What the machine wrote into a file, once it is off."""
        return (self._top / path.lstrip("/")).read_text()

    def install(self) -> None:
        """Install allowsync as it is in the checkout; the test servers beside it."""
        shutil.copytree(ROOT / "testkit", self._top / "test" / "testkit")
        if self._layered:
            self._lower.insert(0, installed())
        else:
            self.install_here()

    def install_here(self) -> None:
        """Build allowsync, and install it in this machine alone."""
        wheels = self._folder / "wheels"
        _run(
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--disable-pip-version-check"),
            *("--wheel-dir", str(wheels), str(ROOT)),
        )
        (wheel,) = wheels.glob("*.whl")
        target = self._top / "tmp" / wheel.name
        target.parent.mkdir(exist_ok=True)
        target.parent.chmod(0o1777)
        wheel.rename(target)
        pip = "/opt/allowsync/bin/pip install --quiet --disable-pip-version-check --no-deps"
        self.chroot(f"{pip} /tmp/{wheel.name}")
        self.chroot("ln -s /opt/allowsync/bin/allowsync /usr/local/bin/allowsync")

    def chroot(self, line: str) -> str:
        """Carry out a line of shell in the machine's files, without booting."""
        return self._inside(f'exec chroot "$1" sh -euc {_quoted(line)}', 150)

    def boot(self, script: str, *, seconds: float = 240) -> str:
        """Boot, carry out a script as root, shut down. What the script printed."""
        self.write("/etc/systemd/system/test.service", DRIVER)
        link = self._top / "etc/systemd/system/graphical.target.wants/test.service"
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to("/etc/systemd/system/test.service")
        self.write("/test/script", "#!/bin/sh\n" + dedent(script), 0o755)
        (self._top / "test/out").unlink(missing_ok=True)
        name = "allowsync-" + sha256(str(self._folder).encode()).hexdigest()[:10]
        with _own_groups(name) as enter:
            console = self._inside(
                f'{enter} exec systemd-nspawn --quiet --directory="$1" --boot --private-network '
                f"--register=no --keep-unit --link-journal=no --machine={name}",
                seconds,
            )
        out = self._top / "test/out"
        assert out.exists(), f"the machine did not get so far:\n{console[-4000:]}"
        return out.read_text()

    @property
    def _mount(self) -> str:
        lower = ":".join(map(str, self._lower))
        layers = f"lowerdir={lower},upperdir={self._top},workdir={self._work}"
        return f'mount -t overlay -o {_quoted(layers)} overlay "$1"'

    def _can_layer(self) -> bool:
        """Whether there can be a layer here; on top of another overlay there cannot."""
        argv = ("unshare", "--mount", "sh", "-c", self._mount, "sh", str(self._all))
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    def _inside(self, line: str, seconds: float) -> str:
        """Run a line with the layers mounted at `$1`; the mount ends with it."""
        script = f"{self._mount} && {line}" if self._layered else line
        return _run(
            *("unshare", "--mount", "--propagation", "private"),
            *("sh", "-c", script, "sh", str(self._all)),
            seconds=seconds,
        )


def base() -> Path:
    """The root that a machine is a layer over, made if need be."""
    recipe = repr((SUITE, PACKAGES, IDLE, SLEEPING, _dependencies()))
    root = CACHE / sha256(recipe.encode()).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone("lock"):
        if not root.exists():
            half = CACHE / "half"
            _remove(half)
            _make(half)
            half.rename(root)
    return root


def installed() -> Path:
    """The layer with allowsync as it is in the checkout, made if need be; those before it go."""
    layer = CACHE / f"installed-{_checkout()}"
    with _alone("lock of the layer"):
        if not layer.exists():
            half = CACHE / "half-installed"
            _remove(half, *CACHE.glob("installed-*"))
            half.mkdir()
            Machine(half).install_here()
            (half / "top").rename(layer)
            _remove(half)
    return layer


def _checkout() -> str:
    """What an installation comes from, and what it is put on, as a digest."""
    digest = sha256(base().name.encode())
    files = [ROOT / "pyproject.toml", *ROOT.glob("allowsync/**/*"), *ROOT.glob("backends/**/*")]
    for file in sorted(files):
        if file.is_file() and file.suffix != ".pyc":
            digest.update(f"{file}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _own_groups(name: str) -> Iterator[str]:
    """Control groups for one machine, and a line of shell that enters them.

    A machine is in a group below that of its starter. Two in one would have the same services.
    """
    made = [tree / name for tree in GROUPS if os.access(tree / "cgroup.procs", os.W_OK)]
    for one in made:
        one.mkdir()
    try:
        yield " ".join(f"echo $$ > {one}/cgroup.procs &&" for one in made)
    finally:
        for one in made:
            for folder, _, _ in os.walk(one, topdown=False):
                Path(folder).rmdir()


def _remove(*several: Path) -> None:
    _run("rm", "-rf", "--one-file-system", *map(str, several))


def _make(root: Path) -> None:
    _run(
        *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"),
        *(SUITE, str(root), MIRROR),
        seconds=280,
    )
    wheels = root / "wheels"
    _run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--python-version", PYTHON, "--only-binary=:all:", "--dest", str(wheels)),
        *_dependencies(),
    )
    _run("chroot", str(root), "python3", "-m", "venv", "/opt/allowsync")
    _run(
        *("chroot", str(root), "/opt/allowsync/bin/pip", "install", "--quiet", "--no-index"),
        *("--find-links", "/wheels", *_dependencies()),
    )
    _run("systemctl", f"--root={root}", "mask", *IDLE)
    _run("systemctl", f"--root={root}", "disable", *SLEEPING)
    _run("systemctl", f"--root={root}", "enable", "systemd-networkd.service")
    _run("rm", "-rf", str(wheels), str(root / "var/cache/apt"))


def _dependencies() -> tuple[str, ...]:
    """What allowsync needs, with what a fleet needs, as its pyproject.toml says."""
    import tomllib

    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    return (*project["dependencies"], *project["optional-dependencies"]["fleet"])


@contextmanager
def _alone(name: str) -> Iterator[None]:
    with (CACHE / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(*argv: str, seconds: float = 120) -> str:
    """Run a program that must succeed. What it printed, errors included."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            out, _ = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
        raise AssertionError(f"{argv[0]} took longer than {seconds:g} s:\n{out[-4000:]}") from None
    assert process.returncode == 0, f"{argv}:\n{out[-4000:]}"
    return out


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


if __name__ == "__main__":
    installed()
