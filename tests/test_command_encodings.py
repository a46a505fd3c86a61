"""Commands where input and output are not UTF-8, as on Windows and in containers; texts that begin with a dash."""

import io
import json
import os
import subprocess
import sys

import pytest

from minibert.__main__ import COMMANDS, run

CODE_PAGES = ["cp1252", "cp437", "cp932", "ascii", "utf-16"]
TEXT = "café Ġ 漢 😀"


def command(monkeypatch, *arguments, encoding="utf-8", stdin=None):
    """Exit code, stdout and stderr of a command whose streams are in `encoding`; `stdin` is bytes."""
    out, error = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "argv", ["minibert", *arguments])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(error, encoding=encoding))
    if stdin is not None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding=encoding))
    with pytest.raises(SystemExit) as end:
        run()
    sys.stdout.flush(), sys.stderr.flush()
    return end.value.code or 0, out.getvalue().decode(encoding), error.getvalue().decode(encoding)


def tokens(monkeypatch, *arguments, **streams):
    code, out, error = command(monkeypatch, "tokenize", "--json", *arguments, **streams)
    assert code == 0, error
    return [json.loads(line)["tokens"] for line in out.splitlines()]


@pytest.mark.parametrize("encoding", CODE_PAGES)
def test_json_is_the_same_in_every_code_page(monkeypatch, encoding):
    assert tokens(monkeypatch, TEXT, encoding=encoding) == tokens(monkeypatch, TEXT)


@pytest.mark.parametrize("encoding", CODE_PAGES)
@pytest.mark.parametrize(
    "arguments",
    [
        ("tokenize", TEXT),
        ("tokenize", "--rust", TEXT),
        ("fill", f"{TEXT} [MASK]"),
        ("attend", TEXT),
        ("embed", "--model", "modernbert-nano", "--similarity", TEXT, "b"),
        ("info",),
        ("data", "list"),
        ("data", "show", "code"),
        ("experiment",),
    ],
    ids=" ".join,
)
def test_commands_finish_in_every_code_page(monkeypatch, arguments, encoding):
    code, out, error = command(monkeypatch, *arguments, encoding=encoding)
    assert code == 0 and out, error


def test_characters_that_the_code_page_lacks_are_written_as_escapes(monkeypatch):
    _, out, _ = command(monkeypatch, "tokenize", "of the", encoding="cp1252")
    assert r"\u0120the" in out
    _, out, _ = command(monkeypatch, "tokenize", "of the", encoding="utf-8")
    assert "Ġthe" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_needs_no_unicode(monkeypatch, name):
    assert command(monkeypatch, name, "--help", encoding="ascii")[0] == 0


def test_errors_are_printed_in_every_code_page(monkeypatch):
    code, _, error = command(monkeypatch, "fill", TEXT, encoding="cp437")
    assert code == 1 and error.startswith("Error: no [MASK]") and "Traceback" not in error


@pytest.mark.parametrize(
    ("stdin", "encoding"),
    [
        ("café\nÜber\n".encode("cp1252"), "cp1252"),
        ("café\nÜber\n".encode("cp437"), "cp437"),
        ("café\nÜber\n".encode(), "cp1252"),  # a UTF-8 file through a pipe, whatever the console is set to
        ("café\r\nÜber\r\n".encode("utf-8-sig"), "cp1252"),
        ("café\r\nÜber\r\n".encode("utf-16"), "cp1252"),
        ("café\r\nÜber\r\n".encode("utf-16"), "utf-8"),
        ("\ufeffcafé\n\ufeffÜber\n".encode(), "utf-8"),  # two files, each with its mark
        ("café\rÜber\r".encode(), "utf-8"),
    ],
)
def test_standard_input_is_read_as_it_was_written(monkeypatch, stdin, encoding):
    assert tokens(monkeypatch, stdin=stdin, encoding=encoding) == tokens(monkeypatch, "café", "Über")


def test_the_nine_marks_that_are_no_line_ends_stay_in_their_text(monkeypatch):
    stdin = "one\u2028a\x85b\x0bc\x0cd\x1ce\x1df\x1eg\u2029h\ntwo\n".encode()
    assert len(tokens(monkeypatch, stdin=stdin)) == 2


@pytest.mark.parametrize("stdin", [b"", b"\n \n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_standard_input_without_text_is_wrong_usage(monkeypatch, stdin):
    code, _, error = command(monkeypatch, "tokenize", stdin=stdin)
    assert code == 2 and "standard input holds no text" in error


def test_standard_input_in_no_known_encoding_is_named(monkeypatch):
    code, _, error = command(monkeypatch, "tokenize", stdin=b"caf\xe9", encoding="utf-8")
    assert code == 1 and "standard input is not UTF-8 (byte 3)" in error
    code, _, error = command(monkeypatch, "tokenize", stdin=b"a\0b\0", encoding="utf-8")
    assert code == 1 and "standard input holds zero bytes" in error


@pytest.mark.parametrize(
    "text",
    ["-5 degrees", "- a list item", "-5", "--", "-- he said", "---", "-", "-most of it", "--json is a word", "-é"],
)
@pytest.mark.parametrize("marked", [False, True])
def test_a_text_may_begin_with_a_dash(monkeypatch, text, marked):
    if text == "--" and not marked:
        pytest.skip("alone it marks that texts follow")
    expected = tokens(monkeypatch, stdin=text.encode())
    assert tokens(monkeypatch, *(["--"] if marked else []), text) == expected
    assert tokens(monkeypatch, "first", *(["--"] if marked else []), text)[1:] == expected


def test_the_second_text_of_a_pair_may_begin_with_a_dash_too(monkeypatch):
    pair = tokens(monkeypatch, "--pair", "-5 degrees", "a")
    assert pair == tokens(monkeypatch, "a", "--pair=-5 degrees") and len(pair) == 1


def test_options_stand_before_or_after_texts_with_dashes(monkeypatch):
    assert tokens(monkeypatch, "-5 degrees", "-m", "bert-nano") == tokens(monkeypatch, "-m", "bert-nano", "-5 degrees")
    code, out, _ = command(monkeypatch, "attend", "- a", "--layer", "-1", "--top", "1")
    assert code == 0 and len(out.splitlines()) == 4


@pytest.mark.parametrize("wrong", ["-word", "--jsn"])
def test_a_misspelt_option_is_no_text_and_the_message_says_how_to_write_one(monkeypatch, wrong):
    code, _, error = command(monkeypatch, "tokenize", "a", wrong)
    assert code == 2 and "goes after --" in error
    code, _, error = command(monkeypatch, "tokenize", "a", "--model")
    assert code == 2 and "'--model' requires an argument" in error


def test_arguments_are_read_where_the_locale_is_ascii(monkeypatch):
    environment = os.environ | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    environment.pop("PYTHONIOENCODING", None)
    arguments = [sys.executable, "-m", "minibert", "tokenize", "--json", "-m", "bert-nano", TEXT]
    done = subprocess.run(arguments, env=environment, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert [json.loads(done.stdout)["tokens"]] == tokens(monkeypatch, "-m", "bert-nano", TEXT)


class _Broken(io.TextIOWrapper):
    def write(self, text):
        raise UnicodeEncodeError("charmap", text, 0, 1, "character maps to <undefined>")


def test_results_are_written_before_they_are_printed(monkeypatch, tmp_path):
    """Where printing fails, the picture and the file are there."""
    from minibert.bench import tokenizers
    from minibert.commands.attend import attend
    from minibert.commands.bench import bench

    report = {"bench": "tokenizers", "results": [], "machine": {}, "versions": {}}
    monkeypatch.setattr(tokenizers, "run", lambda repeats: report)
    monkeypatch.setattr("minibert.bench.table.table", lambda results: ["a line"])
    for function, arguments, file in (
        (attend, ["a b", "--plot", str(tmp_path / "map.png")], "map.png"),
        (bench, ["tokenizers", "--out", str(tmp_path / "bench.json")], "bench.json"),
    ):
        monkeypatch.setattr(sys, "stdout", _Broken(io.BytesIO(), encoding="cp1252"))
        with pytest.raises(UnicodeEncodeError):
            function.main(arguments, standalone_mode=False)
        assert (tmp_path / file).stat().st_size > 0
