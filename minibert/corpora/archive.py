"""Take named members out of a wheel, a zip or a tar.gz, and nothing else, wherever the archive wants to write.

An archive is somebody else's list of paths. Before a byte is written every name in it must be a plain
relative path that means the same file on Linux, macOS and Windows, no name may come twice, and the
members that are wanted must be ordinary files that together stay inside a limit: the declared sizes
and, because headers lie, the bytes that really come out.
"""

import fnmatch
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

_CHUNK = 1 << 20
_WINDOWS_DEVICES = {"con", "prn", "aux", "nul"} | {f"{port}{i}" for port in ("com", "lpt") for i in range(10)}


@dataclass(frozen=True)
class Member:
    """One entry of an archive: its name, declared size in bytes, and whether it is an ordinary file."""

    name: str
    size: int
    regular: bool
    folder: bool
    info: zipfile.ZipInfo | tarfile.TarInfo


def check_name(name: str) -> None:
    """Refuse a member name that could leave the folder it is extracted into.

    Raises:
        ValueError: absolute, `..`, empty parts, backslash, drive letter or colon, control characters,
            a device name of Windows, or a part that ends in a dot or a space (Windows drops those).

    >>> check_name("package/data/a.txt")
    >>> check_name("package/../../.profile")
    Traceback (most recent call last):
        ...
    ValueError: archive member 'package/../../.profile' is not a plain relative path; refusing the archive
    """
    parts = name.removesuffix("/").split("/")
    bad = any(
        part in ("", ".", "..") or part[-1] in ". " or part.split(".")[0].lower() in _WINDOWS_DEVICES for part in parts
    )
    if bad or any(letter in '\\:<>"|?*' or ord(letter) < 32 for letter in name):
        raise ValueError(f"archive member {name!r} is not a plain relative path; refusing the archive")


@contextmanager
def _opened(archive: Path | IO[bytes]) -> Iterator[tuple[list[Member], object]]:
    """The members of a zip or tar.gz (told apart by content) and a function that opens one of them."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                yield [_zip_member(info) for info in opened.infolist()], opened.open
        else:
            if not isinstance(archive, Path):
                archive.seek(0)  # is_zipfile read from it
            source = {"name": archive} if isinstance(archive, Path) else {"fileobj": archive}
            with tarfile.open(mode="r:*", **source) as opened:
                members = [Member(i.name, i.size, i.isreg() and not i.issparse(), i.isdir(), i) for i in opened]
                yield members, opened.extractfile
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, zlib.error) as error:
        raise ValueError(f"{archive}: not a readable wheel, zip or tar.gz ({error})") from error


def _zip_member(info: zipfile.ZipInfo) -> Member:
    kind = stat.S_IFMT(info.external_attr >> 16)  # Unix type bits; 0 when the zip was made without them
    regular = kind in (0, stat.S_IFREG) and not info.is_dir() and not info.flag_bits & 1  # bit 0: encrypted
    return Member(info.filename, info.file_size, regular, info.is_dir(), info)


def _wanted(archive: str, members: list[Member], patterns: Sequence[str], limit: int) -> list[Member]:
    seen: set[str] = set()
    for member in members:
        check_name(member.name)
        key = member.name.rstrip("/").casefold()  # macOS and Windows do not tell A.txt from a.txt
        if key in seen:
            raise ValueError(f"{archive} names {member.name!r} twice; refusing the archive")
        seen.add(key)
    chosen = [m for m in members if not m.folder and any(fnmatch.fnmatchcase(m.name, p) for p in patterns)]
    for member in chosen:
        if not member.regular:
            raise ValueError(
                f"{archive}: {member.name!r} is a link or a device, not a plain file; refusing the archive"
            )
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(m.name, pattern) for m in chosen):
            raise ValueError(f"{archive} has no member that matches {pattern!r}; is it the right package?")
    declared = sum(member.size for member in chosen)
    if declared > limit:
        raise ValueError(f"{archive} declares {declared:,} bytes where at most {limit:,} are expected; refusing it")
    return chosen


def extract(archive: Path, patterns: Sequence[str], folder: Path, limit: int) -> dict[str, int]:
    """Write the members that match `patterns` (shell wildcards; `*` also crosses `/`) below `folder`.

    Args:
        archive: a wheel, zip or tar.gz.
        limit: most bytes that all wanted members together may have.

    Returns:
        name -> bytes written, in the archive's order.

    Raises:
        ValueError: hostile or duplicate names, links, devices, too many bytes, a pattern without a match,
            or a broken archive. What was already written stays: extract into a folder you can throw away.
    """
    written: dict[str, int] = {}
    with _opened(archive) as (members, open_member):
        for member in _wanted(archive.name, members, patterns, limit):
            target = folder / PurePosixPath(member.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_member(member.info) as source, target.open("xb") as sink:
                left = min(member.size, limit - sum(written.values()))
                while chunk := source.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise ValueError(f"{archive.name}: {member.name!r} is longer than it declares; refusing it")
                    sink.write(chunk)
            written[member.name] = target.stat().st_size
    return written


def read_members(archive: IO[bytes], patterns: Sequence[str], limit: int, label: str = "archive") -> dict[str, bytes]:
    """The wanted members of an archive that is itself a member, as bytes in memory.

    Raises:
        ValueError: as `extract`.
    """
    contents: dict[str, bytes] = {}
    with _opened(archive) as (members, open_member):
        for member in _wanted(label, members, patterns, limit):
            with open_member(member.info) as source:
                contents[member.name] = source.read(member.size + 1)
            if len(contents[member.name]) != member.size:
                raise ValueError(f"{label}: {member.name!r} is not as long as it declares; refusing it")
    return contents


def remove(folder: Path) -> None:
    """Delete a folder and all in it; a file that somebody still holds open (Windows) is left for the next time."""
    shutil.rmtree(folder, ignore_errors=True)
