"""What tells whether a file has changed. Imports next to nothing."""

import os
import stat


def numbers(found: os.stat_result) -> tuple[int, ...]:
    """What `FileSight.numbers` holds: one definition for who writes it down and who looks again."""
    lasting = (found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_gid)
    if stat.S_ISDIR(found.st_mode):
        return lasting
    return (*lasting, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
