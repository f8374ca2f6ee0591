"""The process that asks: it enters namespaces of its own, which its caller must not."""

from __future__ import annotations

import json
import os
import sys

from allowsync.packetpath.document import from_answers, to_questions
from allowsync.packetpath.inquiry import inquire
from allowsync.packetpath.isolation import end_with_parent


def main() -> None:
    """Answer the questions on standard input."""
    end_with_parent()
    asked = json.load(sys.stdin)
    if os.getppid() != asked["parent"]:  # it ended before the kernel was told
        sys.exit(1)
    json.dump(
        from_answers(inquire(to_questions(asked["questions"]), asked.get("known", ()))), sys.stdout
    )


if __name__ == "__main__":
    main()
