"""Tags for words: the first token of each word is found, whatever the tokenizer makes of it."""

import unicodedata

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert import ByteLevelBPETokenizer, EncoderConfig, TokenClassifier, WordPieceTokenizer
from minibert.tasks.tagging import Aligned, align, tag

TEXT = (
    "Dorothy lived in the midst of the great Kansas prairies, with Uncle Henry. Café! @user http://x.y/z #sun's 10,000"
)
TOKENIZERS = {
    "wordpiece": WordPieceTokenizer.train([TEXT] * 3, vocab_size=110),
    "bytes": ByteLevelBPETokenizer.train([TEXT] * 3, vocab_size=300, pattern="gpt2"),
}
WORDS = st.one_of(
    st.sampled_from(TEXT.split()),
    st.text(st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1, max_size=6),
).filter(lambda word: not any(c.isspace() for c in word))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(TOKENIZERS)), st.lists(WORDS, min_size=1, max_size=8))
def test_each_word_has_the_tokens_that_it_has_by_itself(name, words):
    tok = TOKENIZERS[name]
    found = align(words, tok)
    assert list(found.ids) == tok.encode(" ".join(words)).ids
    frame = tok.encode(" ".join(words)).special_mask.index(0) if any(p is not None for p in found.places) else 0
    expected, place = [], frame
    for number, word in enumerate(words):
        pieces = tok.ids((" " if number and name == "bytes" else "") + word)
        space_alone = pieces[:1] == tok.ids(" ")  # a token for the space between two words belongs to neither
        expected.append(place + space_alone if pieces else None)
        place += len(pieces)
    if name == "wordpiece" or unicodedata.is_normalized("NFC", " ".join(words)):
        assert list(found.places) == expected


def test_words_behind_the_limit_and_words_of_nothing_have_no_token():
    tok = TOKENIZERS["wordpiece"]
    whole = align(TEXT.split(), tok)
    short = align(TEXT.split(), tok, 8)
    assert len(short.ids) == 8 and short.ids[:7] == whole.ids[:7]
    assert short.places == tuple(place if place < 7 else None for place in whole.places)
    assert align(["Kansas", "\u200d", "the"], tok).places[1] is None  # WordPiece drops control characters
    assert align(["Kansas", "\u200d", "the"], tok).labels([5, 6, 7]).count(6) == 0


def test_labels_stand_at_first_tokens_only():
    aligned = Aligned((2, 7, 8, 9, 3), (1, 3))
    assert aligned.labels([4, 0]) == [-100, 4, -100, 0, -100]


@pytest.mark.parametrize("name", sorted(TOKENIZERS))
def test_the_tag_of_a_word_is_read_at_its_first_token_alone_and_in_batches(name):
    tok, tags = TOKENIZERS[name], ["O", "B-X", "I-X"]
    family = {"wordpiece": "bert", "bytes": "modernbert"}[name]
    config = EncoderConfig.preset(f"{family}-nano").replace(vocab_size=tok.vocab_size, hidden=32, heads=2, layers=2)
    model = TokenClassifier(config, 3, torch.Generator().manual_seed(0)).train()
    texts = [["Dorothy", "lived"], TEXT.split(), ["Kansas"], ["midst", "great", "of"]]
    together = tag(texts, model, tok, tags, batch_size=3)
    assert model.training and together == [tag([words], model, tok, tags)[0] for words in texts]
    model.eval()
    for words, found in zip(texts, together, strict=True):
        aligned = align(words, tok)
        with torch.no_grad():
            logits = model(torch.tensor([aligned.ids])).logits[0]
        assert found == [tags[int(logits[place].argmax())] for place in aligned.places]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda tok: align([], tok), "at least one word"),
        (lambda tok: align("Kansas", tok), "at least one word"),
        (lambda tok: align(["a b"], tok), "word 0 is 'a b'"),
        (lambda tok: align(["a", ""], tok), "word 1 is ''"),
        (lambda tok: Aligned((2, 3), (1,)).labels([1, 2]), "2 tags for 1 words"),
        (lambda tok: tag([["a"]], TokenClassifier(EncoderConfig.preset("bert-nano"), 3), tok, ["O"]), "1 tags, but"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(TOKENIZERS["wordpiece"])
