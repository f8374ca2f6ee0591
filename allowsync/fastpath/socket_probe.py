"""Asking what a server has loaded, at its Unix socket: one line, and the answer up to its end."""

import re
import socket
import time

TIMEOUT = 5.0  # seconds
LARGEST = 1 << 20  # bytes

# What is asked has to be one of these: a state somebody tampered with must not say what to tell a
# server. HAProxy takes several commands from one line, so words of nothing but a path's letters.
QUESTION = re.compile(r"show acl /[A-Za-z0-9/._+-]{1,1024}")


def answered(name: str) -> bytes:
    """What is answered to a question.

    Args:
        name: The socket's path, a zero, and the question.

    Raises:
        ValueError: It may be something else than a question.
        OSError: There is no answer, it took too long, or it is endless.
    """
    path, _, question = name.partition("\0")
    if not path.startswith("/") or not QUESTION.fullmatch(question):
        raise ValueError(name)
    deadline = time.monotonic() + TIMEOUT
    parts, size = [], 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(TIMEOUT)
        connection.connect(path)
        connection.sendall(f"{question}\n".encode())
        while part := connection.recv(1 << 16):
            parts.append(part)
            size += len(part)
            left = deadline - time.monotonic()
            if left <= 0 or size > LARGEST:
                raise OSError(name)
            connection.settimeout(left)
    return b"".join(parts)
