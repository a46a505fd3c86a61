"""Archives that want to write where they should not, or more than they should."""

import io
import os
import stat
import tarfile
import zipfile

import pytest
from corpora_fakes import make_tar, make_zip

from minibert.corpora.archive import check_name, extract, read_members

HOSTILE = [
    "/etc/passwd",
    "../outside.txt",
    "data/../../outside.txt",
    "data//a.txt",
    "./a.txt",
    "C:/windows/a.txt",
    "C:a.txt",
    "data\\..\\a.txt",
    "data/a.txt:stream",
    "data/aux.txt",
    "NUL",
    "data/a.txt.",
    "data /a.txt",
    "data/a\nb.txt",
    "",
]


MAKERS = [pytest.param(make_zip, id="zip"), pytest.param(make_tar, id="tar")]


@pytest.mark.parametrize("make", MAKERS)
def test_only_wanted_members_are_written(tmp_path, make):
    archive = make(tmp_path / "a", [("p/a.txt", b"one"), ("p/deep/b.txt", b"two"), ("p/code.py", b"three")])
    assert extract(archive, ["p/*.txt"], tmp_path / "out", limit=6) == {"p/a.txt": 3, "p/deep/b.txt": 3}
    found = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert found == ["p/a.txt", "p/deep/b.txt"]
    assert (tmp_path / "out/p/deep/b.txt").read_bytes() == b"two"


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_leave_the_folder_are_refused(name):
    with pytest.raises(ValueError, match="not a plain relative path"):
        check_name(name)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("name", ["/abs.txt", "../up.txt", "p/../../up.txt", "C:/a.txt"])
def test_one_hostile_name_refuses_the_whole_archive(tmp_path, make, name):
    archive = make(tmp_path / "a", [("p/a.txt", b"one"), (name, b"evil")])
    with pytest.raises(ValueError, match="refusing the archive"):
        extract(archive, ["p/*"], tmp_path / "out", limit=100)
    assert not (tmp_path / "out").exists() and sorted(os.listdir(tmp_path)) == ["a"]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("second", ["p/a.txt", "p/A.TXT"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_may_come_once(tmp_path, make, second):
    archive = make(tmp_path / "a", [("p/a.txt", b"one"), (second, b"two")])
    with pytest.raises(ValueError, match="twice"):
        extract(archive, ["p/*"], tmp_path / "out", limit=100)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    info = tarfile.TarInfo("p/a.txt")
    info.type, info.linkname = kind, "/etc/passwd"
    archive = make_tar(tmp_path / "a", [(info, b"")])
    with pytest.raises(ValueError, match="link or a device"):
        extract(archive, ["p/*"], tmp_path / "out", limit=100)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, kind):
    info = zipfile.ZipInfo("p/a.txt")
    info.external_attr = (kind | 0o777) << 16
    archive = make_zip(tmp_path / "a", [(info, b"/etc/passwd")])
    with pytest.raises(ValueError, match="link or a device"):
        extract(archive, ["p/*"], tmp_path / "out", limit=100)


@pytest.mark.parametrize("make", MAKERS)
def test_declared_sizes_beyond_the_limit_are_refused_before_writing(tmp_path, make):
    archive = make(tmp_path / "a", [("p/a.txt", b"x" * 60), ("p/b.txt", b"x" * 60)])
    with pytest.raises(ValueError, match="declares 120 bytes where at most 100"):
        extract(archive, ["p/*"], tmp_path / "out", limit=100)
    assert not (tmp_path / "out").exists()


def test_more_bytes_than_declared_are_refused(tmp_path, monkeypatch):
    archive = make_zip(tmp_path / "a", [("p/a.txt", b"x" * 10)])
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda self, info: io.BytesIO(b"x" * 11))
    with pytest.raises(ValueError, match="longer than it declares"):
        extract(archive, ["p/*"], tmp_path / "out", limit=100)
    with pytest.raises(ValueError, match="not as long as it declares"):
        read_members(io.BytesIO(archive.read_bytes()), ["p/*"], limit=100)


def test_a_zip_whose_header_lies_about_the_size_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a", [("p/a.txt", b"x" * 1000)])
    raw = archive.read_bytes()
    archive.write_bytes(raw.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(ValueError, match="not a readable"):
        extract(archive, ["p/*"], tmp_path / "out", limit=100)


@pytest.mark.parametrize("make", MAKERS)
def test_truncated_and_foreign_files_are_refused(tmp_path, make):
    archive = make(tmp_path / "a", [("p/a.txt", os.urandom(5000))])
    archive.write_bytes(archive.read_bytes()[:2000])
    with pytest.raises(ValueError, match="not a readable"):
        extract(archive, ["p/*"], tmp_path / "out", limit=10_000)
    archive.write_bytes(b"<html>Sign in to this network</html>")
    with pytest.raises(ValueError, match="not a readable"):
        extract(archive, ["p/*"], tmp_path / "out2", limit=10_000)


def test_a_pattern_without_a_match_names_itself(tmp_path):
    archive = make_zip(tmp_path / "a", [("p/a.txt", b"one")])
    with pytest.raises(ValueError, match=r"no member that matches 'p/\*.csv'"):
        extract(archive, ["p/*.txt", "p/*.csv"], tmp_path / "out", limit=100)


def test_an_inner_archive_is_read_in_memory_under_the_same_rules(tmp_path):
    inner = make_tar(tmp_path / "inner", [("d/a.txt", b"one"), ("d/b.txt", b"two")]).read_bytes()
    assert read_members(io.BytesIO(inner), ["d/b.txt"], limit=3) == {"d/b.txt": b"two"}
    with pytest.raises(ValueError, match="at most 2"):
        read_members(io.BytesIO(inner), ["d/b.txt"], limit=2)
    evil = make_tar(tmp_path / "evil", [("../a.txt", b"one")]).read_bytes()
    with pytest.raises(ValueError, match="refusing"):
        read_members(io.BytesIO(evil), ["*"], limit=100)
