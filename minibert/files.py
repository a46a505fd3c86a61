"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(file: str | Path) -> Iterator[Path]:
    """A temporary path beside `file` to write to; when the block ends, what stands there replaces `file`.

    The new file is on the disk before it takes the old one's place, so that neither a kill nor a power cut leaves half
    of it. When the block raises, the old file stays and the temporary one goes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.bin") as staged:
    ...         _ = staged.write_bytes(b"new")
    ...     [path.name for path in Path(folder).iterdir()]
    ['a.bin']
    """
    file = Path(file)
    staged = file.with_name(file.name + ".tmp")
    try:
        staged.write_bytes(b"")
        mode = staged.stat().st_mode  # what the umask gives to any new file; some writers leave it to its owner alone
        yield staged
        staged.chmod(mode)
        with staged.open("rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(staged, file)
    finally:
        staged.unlink(missing_ok=True)


def write_text(file: str | Path, text: str) -> None:
    """Write a text file in one step, as UTF-8 with the newlines as they are: the old file or the whole new one.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(Path(folder) / "a.txt", "caf\u00e9\\n")
    ...     (Path(folder) / "a.txt").read_bytes()
    b'caf\\xc3\\xa9\\n'
    """
    with replacing(file) as staged:
        staged.write_text(text, encoding="utf-8", newline="\n")
