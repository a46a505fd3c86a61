"""A lock that only one process holds, and that the operating system takes back when the process dies."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Wait until no other process is inside `only_one(path)`; says once on stderr that it waits.

    The lock file stays (removing it would let two processes lock two different files of one name).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, only_one(Path(folder) / "lock"):
    ...     print("alone")
    alone
    """
    with path.open("a+b") as file:
        announced = False
        while not _try_lock(file.fileno()):
            if not announced:
                print("waiting for another process that is fetching data ...", file=sys.stderr)
                announced = True
            time.sleep(0.2)
        yield  # closing the file releases the lock


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
