"""What trained models are used for: blanks filled, texts compared; whatever mode the model is in."""

import pytest
import torch

from minibert import ByteLevelBPETokenizer, Encoder, EncoderConfig, MaskedLanguageModel, WordPieceTokenizer
from minibert.tasks import embed_texts, fill_blanks

TEXTS = ["the cat was running and jumping", "the dog was sitting and barking", "a cat sat on the mat"]
WORDPIECE = WordPieceTokenizer.train(TEXTS * 3, vocab_size=60)
BYTES = ByteLevelBPETokenizer.train(TEXTS * 3, vocab_size=290, pattern="gpt2")


def make(cls=MaskedLanguageModel, tok=WORDPIECE, family="bert", **changes):
    sizes = dict(vocab_size=tok.vocab_size, hidden=32, intermediate=48, layers=2, heads=2, max_len=16)
    config = EncoderConfig.preset(f"{family}-nano").replace(**sizes | changes)
    return cls(config, generator=torch.Generator().manual_seed(0))


def prefer(model, token_id):
    """Make the model sure of one token, whatever the text."""
    with torch.no_grad():
        model.decoder.bias.zero_()[token_id] = 50.0
    return model


@pytest.mark.parametrize("top", [1, 5, 55])
def test_words_are_ranked_by_probability(top):
    model = make().eval()
    ranked = fill_blanks("the [MASK] was [MASK]", model, WORDPIECE, top)
    assert len(ranked) == 2 and all(len(words) == top for words in ranked)
    for words in ranked:
        assert [p for _, p in words] == sorted((p for _, p in words), reverse=True)
    logits = model(torch.tensor([WORDPIECE.encode("the [MASK] was [MASK]").ids])).logits[0]
    for words, place in zip(ranked, (2, 4), strict=True):
        expected = logits[place, 5:].softmax(-1)  # the five special tokens are the first
        for word, probability in words:
            assert probability == pytest.approx(expected[WORDPIECE.token_to_id(word) - 5].item(), abs=1e-6)


@pytest.mark.parametrize("special", WORDPIECE.special_ids)
def test_special_tokens_are_never_proposed(special):
    model = prefer(make(), special)
    words = fill_blanks("the [MASK] was", model, WORDPIECE, WORDPIECE.vocab_size - 5)[0]
    assert WORDPIECE.id_to_token(special) not in {word for word, _ in words}
    assert sum(p for _, p in words) == pytest.approx(1, abs=1e-5)  # over the real tokens


def test_ids_beyond_the_tokenizer_are_never_proposed():
    """Published models round their vocabulary up; the last rows have no token."""
    model = prefer(make(vocab_size=64), 63)
    assert WORDPIECE.vocab_size == 60
    assert fill_blanks("the [MASK]", model, WORDPIECE, 55)[0][0][1] < 0.9


def test_continuations_keep_their_mark_and_byte_level_words_lose_their_space():
    piece = next(i for i in range(5, 60) if WORDPIECE.id_to_token(i).startswith("##"))
    assert fill_blanks("the [MASK]", prefer(make(), piece), WORDPIECE, 1)[0][0][0] == WORDPIECE.id_to_token(piece)
    model = prefer(make(tok=BYTES, head_bias=True, decoder_bias=True), BYTES.token_to_id("\u0120cat"))
    assert fill_blanks("the [MASK]", model, BYTES, 1)[0][0][0] == "cat"


def test_dropout_is_off_and_every_mode_is_put_back():
    model = make(dropout_attn_out=0.5).train()
    model.head.eval()
    modes = [module.training for module in model.modules()]
    assert fill_blanks("the [MASK]", model, WORDPIECE) == fill_blanks("the [MASK]", model, WORDPIECE)
    assert modes == [module.training for module in model.modules()]
    with pytest.raises(ValueError, match="no \\[MASK\\]"):
        fill_blanks("the cat", model, WORDPIECE)
    encoder = make(Encoder, dropout_attn_out=0.5).train()
    assert torch.equal(embed_texts(TEXTS, encoder, WORDPIECE), embed_texts(TEXTS, encoder, WORDPIECE))
    assert encoder.training and all(module.training for module in encoder.modules())
    with pytest.raises(ValueError, match="split it"):
        embed_texts(["cat " * 99], encoder, WORDPIECE, truncate=False)
    assert encoder.training


def test_what_cannot_be_filled_is_explained():
    model = make()
    with pytest.raises(ValueError, match="the text has 42 tokens, the model positions for 16"):
        fill_blanks("[MASK]" + " cat" * 39, model, WORDPIECE)
    rotary = make(family="modernbert")  # no learned positions, no limit
    assert len(fill_blanks("[MASK]" + " cat" * 39, rotary, WORDPIECE)) == 1
    no_mask = WordPieceTokenizer({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4})
    with pytest.raises(ValueError, match="the tokenizer has no mask token"):
        fill_blanks("the [MASK]", model, no_mask)
    for top in (0, 56, 2.0, True):
        with pytest.raises(ValueError, match="expected 1 to 55"):
            fill_blanks("the [MASK]", model, WORDPIECE, top)
    with pytest.raises(ValueError, match="Encoder does not score the 60 tokens"):
        fill_blanks("the [MASK]", make(Encoder), WORDPIECE)


@pytest.mark.parametrize("pool", ["mean", "cls"])
def test_vectors_have_length_1_and_do_not_depend_on_the_batch(pool):
    encoder = make(Encoder)
    texts = [*TEXTS, "cat", "the cat"]
    together = embed_texts(texts, encoder, WORDPIECE, pool)
    alone = torch.cat([embed_texts([text], encoder, WORDPIECE, pool) for text in texts])
    assert together.shape == (5, 32) and torch.allclose(together, alone, atol=1e-6)
    assert torch.allclose(together.norm(dim=-1), torch.ones(5), atol=1e-6)
    hidden = encoder.eval()(torch.tensor([WORDPIECE.encode(texts[0]).ids])).hidden[0]
    expected = hidden.mean(0) if pool == "mean" else hidden[0]
    assert torch.allclose(together[0], expected / expected.norm(), atol=1e-6)


def test_batches_and_generators_make_no_difference():
    encoder = make(Encoder)
    once = embed_texts(TEXTS, encoder, WORDPIECE)
    assert torch.allclose(embed_texts((text for text in TEXTS), encoder, WORDPIECE, batch_size=2), once, atol=1e-6)


def test_a_long_text_is_cut_to_what_the_model_reads_or_refused():
    encoder, long = make(Encoder), "cat sat on the mat " * 20
    cut = WORDPIECE.encode(long, max_length=16)
    expected = encoder.eval()(torch.tensor([cut.ids])).hidden[0].mean(0)
    vector = embed_texts(["cat", long], encoder, WORDPIECE)[1]
    assert torch.allclose(vector, expected / expected.norm(), atol=1e-6)
    with pytest.raises(ValueError, match="text 1 has 102 tokens, the model was made for 16"):
        embed_texts(["cat", long, "the cat"], encoder, WORDPIECE, truncate=False)
    fits = embed_texts(TEXTS[2:], encoder, WORDPIECE, truncate=False)
    assert torch.equal(fits, embed_texts(TEXTS[2:], encoder, WORDPIECE))


@pytest.mark.parametrize(
    "texts, options, message",
    [
        ("hello", {}, r"texts is one text, 'hello'; give a list: \[text\]"),
        ([], {}, "no text"),
        (7, {}, "texts is a int"),
        (["a", None], {}, "text 1 is a NoneType"),
        ([("a", "b")], {}, "text 0 is a tuple"),
        (["a"], {"pool": "median"}, "expected one of cls, max, mean"),
        (["a"], {"prompt_name": "query"}, "no such prompt; there are: none"),
        (["a"], {"batch_size": 0}, "batch_size=0"),
        (["a"], {"batch_size": 1.5}, "batch_size=1.5"),
    ],
)
def test_what_cannot_be_embedded_is_explained(texts, options, message):
    with pytest.raises(ValueError, match=message):
        embed_texts(texts, make(Encoder), WORDPIECE, **options)
