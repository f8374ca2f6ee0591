"""Of what a program said, the line that tells why it failed."""

from __future__ import annotations

import pytest
from allowsync_backends.file.error_summary import LONGEST, gist

UNNAMED = "AH00558: apache2: Could not reliably determine the server's fully qualified domain name"
HOMELESS = '{"level":"warn","ts":1.5,"msg":"unable to determine directory"}'


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("", ""),
        ("\n \n", ""),
        ("\n  bad syntax \nusage: x\n", "bad syntax"),
        (
            f"{UNNAMED}\nAH00526: Syntax error on line 2 of /f:\nip address '1/33' is no\nmore",
            "AH00526: Syntax error on line 2 of /f: ip address '1/33' is no",
        ),
        (f"{HOMELESS}\nError: F:2: no such import\n", "Error: F:2: no such import"),
        (f'{HOMELESS}\n{{"level":"error","msg":"no such import"}}\n', "no such import"),
        ('{"level":"error","ts":1}', '{"level":"error","ts":1}'),
        ('{"level":"error"', '{"level":"error"'),
        ("nginx: [warn] old\nnginx: [emerg] unknown\n", "nginx: [emerg] unknown"),
        ("[NOTICE]   (1) : path\n[ALERT]    (1) : cannot bind\n", "[ALERT]    (1) : cannot bind"),
        ("[WARNING]  (1) : only this\n", "[WARNING]  (1) : only this"),
        ('level=info msg="asked"\nlevel=fatal msg="refused"', 'level=fatal msg="refused"'),
        ("it ends:", "it ends:"),
        ("x" * 1000, "x" * LONGEST),
    ],
)  # fmt: skip
def test_the_line_that_tells_why_is_told(said: str, what: str) -> None:
    assert gist(said) == what
