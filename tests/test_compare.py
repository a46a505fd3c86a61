"""`compare`: the table is right for presets, for our folders and for those that transformers saved."""

import json

import pytest
from click.testing import CliRunner
from tiny_transformers import tiny_model

from minibert.__main__ import main
from minibert.bench import compare
from minibert.commands.compare import ENDINGS
from minibert.config import EncoderConfig
from minibert.experiments import stored
from minibert.presets import PRESETS
from minibert.shipped_models import SHIPPED


def call(*arguments: str):
    done = CliRunner().invoke(main, ["compare", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_without_names_every_preset_stands_in_the_table():
    lines = call().stdout.splitlines()
    assert [line.split()[0] for line in lines[: len(PRESETS) + 1]] == ["model", *PRESETS]
    assert "109,514,298" in lines[1] and "2,403,092,736" in call("eurobert-2.1b").stdout
    assert call("bert-base", "bert-base").stdout.count("bert-base") == 1


@pytest.mark.parametrize("family", ["bert", "modernbert", "eurobert"])
def test_a_folder_of_transformers_is_counted_as_transformers_counts(family, tmp_path):
    theirs = tiny_model(family, "MaskedLanguageModel")
    theirs.save_pretrained(tmp_path)
    (tmp_path / "README.md").write_text("---\nlanguage:\n- en\n- de\n---\n# Tiny\n", encoding="utf-8")
    out = tmp_path / "table.json"
    call(tmp_path, "--length", 4, "--length", 40, "--out", out)
    (row,) = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert sum(row["parameters"].values()) == sum(p.numel() for p in theirs.parameters())
    assert (row["family"], row["languages"], row["context"]) == (family, "en, de", 48)
    assert list(row["flops_a_token"]) == ["4", "40"] and row["measured"] is None


def test_every_ending_holds_the_same_rows(tmp_path):
    names = ("bert-base", "modernbert-nano")
    for ending in ENDINGS:
        done = call(*names, "--out", tmp_path / f"table{ending}")
        text = (tmp_path / f"table{ending}").read_text(encoding="utf-8")
        assert all(name in text for name in names)
        assert "85054464" in text.replace(",", "") and "85,054,464" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"table{ending}" for ending in ENDINGS)


def test_the_three_forms_have_the_same_cells():
    rows = [compare.describe(name, EncoderConfig.preset(name)) for name in ("bert-base", "eurobert-210m")]
    cells = compare.cells(rows)
    markdown = [[cell.strip() for cell in line.strip("|").split("|")] for line in compare.as_markdown(rows).split("\n")]
    assert [markdown[0], *markdown[2:]] == cells
    text = [line.split("  ") for line in compare.as_text(rows)]
    assert [[cell.strip() for cell in line if cell.strip()] for line in text] == cells
    html = compare.as_html(rows)
    assert html.count("<tr>") == len(cells) and all(f">{cell}</t" in html for line in cells for cell in line)


def test_what_was_measured_is_kept_with_the_hardware(tmp_path):
    out = tmp_path / "measured.json"
    done = call("bert-nano", "modernbert-nano", "--measure", "--workload", "2x16", "--repeats", 2, "--out", out)
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["machine"]["processor"] and report["versions"]["torch"] and report["repeats"] == 2
    for row in report["rows"]:
        found = row["measured"]
        assert len(found["seconds"]) == 2 and found["tokens_per_second"] > 0
        assert found["live_bytes"] > 4 * 128 * report["workload"]["tokens"]  # the states of all tokens at least
    assert "tokens/s" in done.stdout and report["machine"]["processor"] in done.stdout


def test_nothing_is_measured_that_was_not_asked_for(monkeypatch):
    monkeypatch.setattr(compare, "STORED", compare.STORED.with_name("nowhere.json"))
    monkeypatch.setattr(compare.stored_report, "__defaults__", (compare.STORED,))
    assert "tokens/s" not in call("bert-nano").stdout


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_is_its_folder_and_not_its_preset(name):
    line = call(name).stdout.splitlines()[1]
    assert "English" in line or "languages" in line


def test_scores_are_those_of_the_stored_experiment():
    header, line = call("modernbert-nano").stdout.splitlines()[:2]
    assert header.split("  ")[-1].strip() == "bits/byte"
    assert float(line.split()[-1]) == pytest.approx(
        stored("three_encoders").mean("bits per byte")["modernbert-nano"], abs=0.006
    )
    assert "bits/byte" not in call("bert-base").stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("no-such-model",), "no model 'no-such-model'.*or a preset"),
        (("bert-nano", "--out", "table.png"), r"expected a file .*\.md, \.html"),
        (("bert-nano", "--out", "nowhere/table.md"), "folder that exists"),
        (("bert-nano", "--measure", "--workload", "1x300"), "128 positions.*8x128"),
        (("bert-nano", "--measure", "--workload", "many"), "workload 'many'"),
        (("eurobert-2.1b", *[n for n in PRESETS if "large" in n], "eurobert-610m", "--measure"), "name fewer"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments, complaint, monkeypatch):
    small = {"processor": "one", "memory_gib": 4.0}
    monkeypatch.setattr(compare, "machine", lambda: small)
    with pytest.raises(ValueError, match=complaint):
        call(*arguments)


@pytest.mark.parametrize(
    ("card", "languages"),
    [
        ("---\nlanguage: en\n---", ["en"]),
        ("---\nlanguage: [en, 'fr']\ntags:\n- x\n---", ["en", "fr"]),
        ('---\nlicense: mit\nlanguage:\n  - "en"\n  - no\npipeline_tag: fill-mask\n---\nlanguage: de', ["en", "no"]),
        ("# A model\n\nlanguage: en", []),
        ("", []),
    ],
)
def test_the_languages_of_a_card(card, languages):
    assert compare.languages_of_card(card) == languages
