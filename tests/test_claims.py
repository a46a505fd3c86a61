"""The page of claims: complete, up to date, and every link and number alive."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from minibert.commands.claims import VERDICTS, Claim, Place, main, page, read_claims, read_places, troubles

ROOT = Path(__file__).parents[1]


def test_every_claim_has_a_verdict():
    claims = read_claims()
    numbers = [int(claim.id.removeprefix("A")) for claim in claims]
    assert numbers == list(range(1, 75))
    assert {claim.verdict for claim in claims} <= set(VERDICTS)
    for claim in claims:
        assert len(claim.claim.split()) >= 6 and len(claim.found.split()) >= 6, claim.id


def test_every_link_is_alive_and_every_number_is_shown():
    assert troubles(read_claims(), read_places()) == []


def test_a_claim_links_to_a_cell_that_computes():
    places = read_places()
    for claim in read_claims():
        assert not claim.cells or any(places[cell].count for cell in claim.cells), f"{claim.id} links to text only"


def test_the_page_is_what_the_claims_give():
    done = CliRunner().invoke(main, ["--check"])
    assert done.exit_code == 0, done.output


def test_the_page_can_be_found():
    for file in ("README.md", "notebooks/00_start_here.ipynb"):
        assert "claims.md" in (ROOT / file).read_text(encoding="utf-8"), file


def test_links_point_at_cells_as_jupyterlab_reads_them():
    links = re.findall(r"\]\(([^()]+)\)", (ROOT / "notebooks" / "claims.md").read_text(encoding="utf-8"))
    inside = [link for link in links if not link.startswith("https://")]
    assert len(inside) >= 29
    for link in inside:
        name, _, cell = link.partition("#cell-id=")
        cells = json.loads((ROOT / "notebooks" / name).read_text(encoding="utf-8"))["cells"]
        assert cell in {each["id"] for each in cells}, link


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (dict(verdict="true"), "expected one of holds"),
        (dict(cells=()), "name the cells"),
        (dict(reason="too large"), "reason belongs to"),
        (dict(verdict="not at this scale"), "reason belongs to"),
    ],
)
def test_a_claim_without_verdict_or_evidence_is_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        Claim(**(dict(id="A0", claim="It is so.", verdict="holds", found="It is.", cells=("n/a",)) | change))


def test_an_id_occurs_once(tmp_path):
    one = dict(id="A0", claim="It is so.", verdict="holds", found="It is.", cells=["n/a"])
    file = tmp_path / "claims.json"
    file.write_text(json.dumps([one, one]), encoding="utf-8")
    with pytest.raises(ValueError, match="A0 stand there twice"):
        read_claims(file)


@pytest.mark.parametrize(
    ("found", "shown", "missing"),
    [
        ("It has 109,482,240.", "109482240", []),
        ("It has 109,482,240.", "assert n == 109_482_240; print('109,482,240')", []),
        ("It reaches 0.93.", "0.93 +- 0.01", []),
        ("It reaches 0.93.", "0.931", ["A0 says 0.93, which no linked cell shows"]),
        ("It reaches 93.", "0.93", ["A0 says 93, which no linked cell shows"]),
        ("All 4 agree.", "4.0", ["A0 says 4, which no linked cell shows"]),
    ],
)
def test_numbers_have_to_be_shown_as_they_are_said(found, shown, missing):
    claim = Claim("A0", "It is so.", "holds", found, ("n/a",))
    assert troubles([claim], {"n/a": Place("", "", 1, shown)}) == missing


def test_a_dead_link_is_found_and_the_page_is_left(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data").mkdir()
    one = dict(id="A0", claim="It is so.", verdict="holds", found="It is.", cells=["01_n/a"])
    (tmp_path / "data" / "claims.json").write_text(json.dumps([one]), encoding="utf-8")
    done = CliRunner().invoke(main, ["--root", str(tmp_path)])
    assert done.exit_code == 1 and "no such cell" in done.output
    assert not (tmp_path / "notebooks" / "claims.md").exists()

    cell = dict(cell_type="code", id="a", source=["1"], outputs=[], execution_count=1)
    (tmp_path / "notebooks" / "01_n.ipynb").write_text(json.dumps(dict(cells=[cell])), encoding="utf-8")
    assert CliRunner().invoke(main, ["--root", str(tmp_path), "--check"]).exit_code == 1
    assert CliRunner().invoke(main, ["--root", str(tmp_path)]).exit_code == 0
    assert CliRunner().invoke(main, ["--root", str(tmp_path), "--check"]).exit_code == 0


def test_the_page_says_why_a_claim_was_not_tested():
    claim = Claim("A0", "It is so.", "not at this scale", "Not tried.", reason="It takes 64 chips.")
    assert "**Why not here.** It takes 64 chips." in page([claim], {})
    assert troubles([claim], {}) == []


def test_a_table_is_read_and_a_live_picture_is_not(tmp_path):
    (tmp_path / "notebooks").mkdir()
    pages = ("<table><tr><td>625</td></tr></table>", "<div><script>[626]</script></div>")
    outputs = [dict(data={"text/plain": "<HTML>", "text/html": [page]}) for page in pages]
    cell = dict(id="b", cell_type="code", execution_count=1, source=["HTML(table)"], outputs=outputs)
    (tmp_path / "notebooks" / "n.ipynb").write_text(json.dumps(dict(cells=[cell])), encoding="utf-8")
    shown = read_places(tmp_path)["n/b"].text
    assert "625" in shown and "626" not in shown
