"""Small archives, and a tiny package with its catalogue entry, for the tests of fetching."""

import hashlib
import io
import tarfile
import zipfile

from minibert.corpora.catalogue import Entry
from minibert.corpora.download import _TEMPORARY


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return path


def make_tar(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


FILES = {
    "tiny_data/a.txt": b"alpha\n",
    "tiny_data/b.txt": b"beta\n",
    "tiny_data/code.py": b"raise SystemExit('imported')",
}


def make_wheel(folder, files=FILES):
    folder.mkdir(parents=True, exist_ok=True)
    info = "tiny_data-1.0.dist-info"
    metadata = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\nRequires-Dist: not-there\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    path = folder / "tiny_data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**files, **metadata}.items():
            archive.writestr(name, content)
    return path


def entry_for(archive, **changes):
    values = {
        "name": "tiny",
        "what": "a test",
        "package": "tiny-data",
        "version": "1.0",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "members": ("tiny_data/*.txt",),
        "fetched": archive.stat().st_size,
        "kept": 11,
        "licence": "none",
    }
    return Entry(**(values | changes))


def left_behind(cache):
    """The temporary folders in a cache."""
    return [p.name for p in cache.iterdir() if p.name.startswith(_TEMPORARY)]
