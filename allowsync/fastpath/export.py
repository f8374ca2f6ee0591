"""What a glance leaves for those who watch: the file of metrics, and a ping to the monitor.

A row says what to leave, where, and how:

    metrics      path         the file's text, with marks for what differs from run to run
    pinged       kind         what is said to the monitor
    slice        path         where in that file the monitor's URL stands, and the file's numbers
    env          variable
    credential   name

The URL may be a secret, so it is not in the state: it is read again from where it was found.
"""

import os

from allowsync.notify.exposition import SECONDS, STARTED, number
from allowsync.notify.http_ping import composed, deliver
from allowsync.system.files import replace_file
from allowsync.system.fingerprint import numbers

LONGEST_URL = 2048  # characters
LARGEST_SECRET = 64 * 1024  # bytes


def told(rows: "list[tuple[str, str, str]]", started: float, seconds: float) -> bool:
    """Leave everything. Whether all of it could be left.

    Args:
        rows: What to leave.
        started: When the run started, in seconds since 1970.
        seconds: How long it took.

    Raises:
        OSError: The metrics could not be written, or the URL not be read.
        ValueError: The URL is not where it was, or is none.
    """
    url = ""
    for kind, name, value in rows:
        if kind == "metrics":
            text = value.replace(STARTED, number(started)).replace(SECONDS, number(seconds))
            replace_file(name, text.encode())
        elif kind != "pinged":
            url = url_from(kind, name, value)
    pinged = [(name, value) for kind, name, value in rows if kind == "pinged"]
    return all(_ping(url, kind, seconds, said) for kind, said in pinged)


def url_from(kind: str, name: str, value: str) -> str:
    """The monitor's URL.

    Raises:
        OSError: The file it is in cannot be read.
        ValueError: It is not there any more, or is none.
    """
    if kind == "slice":
        url = _slice(name, [int(one) for one in value.split()])
    elif kind == "env":
        url = os.environ.get(name, "")
    elif kind == "credential":
        with open(os.path.join(os.environ.get("CREDENTIALS_DIRECTORY", ""), name), "rb") as file:
            url = file.read(LARGEST_SECRET).decode()
    else:
        raise ValueError(kind)
    url = url.removesuffix("\n").removesuffix("\r")
    fits = url.startswith(("http://", "https://")) and url.isprintable() and " " not in url
    if not fits or len(url) > LONGEST_URL:
        raise ValueError(kind)
    return url


def _slice(path: str, place: "list[int]") -> str:
    start, length, *was = place
    with open(path, "rb") as file:
        if list(numbers(os.fstat(file.fileno()))) != was:
            raise ValueError(path)
        return os.pread(file.fileno(), length, start).decode()


def _ping(url: str, kind: str, seconds: float, said: str) -> bool:
    request = composed(url, kind, 0, seconds, said)
    return request is None or not deliver(*request)
