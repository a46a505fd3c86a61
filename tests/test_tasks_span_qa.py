"""Span answers: windows lose nothing, labels find the answer again, the best span is that of a plain loop."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert import ByteLevelBPETokenizer, EncoderConfig, SpanReader, WordPieceTokenizer
from minibert.tasks.span_qa import Answer, best_answers, label, null_score, read_answers, windows

TEXT = "Dorothy lived in the midst of the great Kansas prairies, with Uncle Henry - a farmer - and Aunt Em. Café!"
QUESTION = "Where did Dorothy live?"
TOKENIZERS = {
    "wordpiece": WordPieceTokenizer.train([TEXT, QUESTION] * 3, vocab_size=90),
    "bytes": ByteLevelBPETokenizer.train([TEXT, QUESTION] * 3, vocab_size=300, pattern="gpt2"),
}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(TOKENIZERS)), st.integers(1, 40), st.integers(1, 60), st.integers(1, 9))
def test_windows_are_the_whole_input_in_parts(name, room, stride, max_question):
    tok = TOKENIZERS[name]
    text_ids = tok.encode(TEXT, add_special_tokens=False)
    asked = tok.encode(QUESTION, add_special_tokens=False)
    asked = tok.encode(QUESTION[: asked.offsets[min(max_question, len(asked)) - 1][1]], add_special_tokens=False)
    frame = len(tok.encode(QUESTION, TEXT)) - len(text_ids) - len(tok.encode(QUESTION, add_special_tokens=False))
    whole = tok.encode(QUESTION[: asked.offsets[-1][1]], TEXT)
    own = [place for place, special in enumerate(whole.special_mask) if not special][len(asked) :]
    around = whole.ids[: own[0]] + whole.ids[own[-1] + 1 :]
    cut = windows(QUESTION, TEXT, tok, frame + len(asked) + room, stride, max_question)
    assert all(len(window.ids) <= frame + len(asked) + room for window in cut)
    shown = {}
    for window in cut:
        inside = [(span, token) for span, token in zip(window.spans, window.ids, strict=True) if span is not None]
        assert 0 < len(inside) <= room
        shown.update(inside)
        assert [token for span, token in zip(window.spans, window.ids, strict=True) if span is None] == around
    assert len(shown) == len(set(text_ids.offsets)) and set(shown) == set(text_ids.offsets)
    central = [span for window in cut for span, yes in zip(window.spans, window.central, strict=True) if yes]
    assert sorted(central) == sorted(text_ids.offsets)  # each token counts once


def test_a_token_counts_where_most_of_its_surroundings_are_shown():
    tok = TOKENIZERS["wordpiece"]
    cut = windows(QUESTION, TEXT, tok, 24, 4)
    spans = tok.encode(TEXT, add_special_tokens=False).offsets
    for number, window in enumerate(cut):
        for span, central in zip(window.spans, window.central, strict=True):
            if span is None:
                continue
            seen = []
            for other in cut:
                inside = [s for s in other.spans if s is not None]
                here = inside.index(span) if span in inside else None
                seen.append(-1 if here is None else min(here, len(inside) - 1 - here) + 0.01 * len(inside))
            assert central == (seen.index(max(seen)) == number)
    assert len(cut) == 1 + -(-(len(spans) - (24 - 3 - len(tok.encode(QUESTION, add_special_tokens=False)))) // 4)


@pytest.mark.parametrize("name", sorted(TOKENIZERS))
@pytest.mark.parametrize("answer", ["Kansas", "the great Kansas prairies", "Dorothy", "Café!", "a farmer", "em. Caf"])
def test_a_label_leads_back_to_the_answer(name, answer):
    start = TEXT.casefold().index(answer.casefold())
    span = (start, start + len(answer))
    cut = windows(QUESTION, TEXT, TOKENIZERS[name], 60, 7)
    found = [(window, label(window, span)) for window in cut]
    assert any(places != (0, 0) for _, places in found)
    for window, (first, last) in found:
        inside = [s for s in window.spans if s is not None]
        holds = inside[0][0] <= span[0] and inside[-1][1] >= span[1]
        assert ((first, last) != (0, 0)) == holds
        if holds:
            low, high = window.spans[first][0], window.spans[last][1]
            assert low <= span[0] and high >= span[1]  # a token may stick out, never fall short
            if name == "wordpiece" and answer != "em. Caf":
                assert (low, high) == span


def naive(cut, logits, text, longest):
    """Every start and every end of every window, one by one."""
    found = {}
    for window, scores in zip(cut, logits, strict=True):
        for i, first in enumerate(window.spans):
            for j, last in enumerate(window.spans):
                if first is None or last is None or not window.central[i] or j < i or j - i + 1 > longest:
                    continue
                span, score = (first[0], last[1]), float(scores[i, 0].double() + scores[j, 1].double())
                found[span] = max(score, found.get(span, score))
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [Answer(text[start:end], start, end, score) for (start, end), score in ranked]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("longest", [1, 3, 30])
def test_the_best_answers_are_those_of_a_plain_loop(seed, longest):
    cut = windows(QUESTION, TEXT, TOKENIZERS["wordpiece"], 20 + 3 * seed, 5)
    generator = torch.Generator().manual_seed(seed)
    logits = [torch.randn(len(window.ids), 2, generator=generator) * 3 for window in cut]
    assert best_answers(cut, logits, TEXT, 12, longest) == naive(cut, logits, TEXT, longest)[:12]


def test_question_and_special_tokens_are_never_an_answer():
    (window,) = windows(QUESTION, TEXT, TOKENIZERS["wordpiece"])
    logits = torch.tensor([[0.0, 0.0] if span else [50.0, 50.0] for span in window.spans])
    assert all(answer.score == 0 and answer.text in TEXT for answer in best_answers([window], [logits], TEXT))
    assert null_score([logits]) == 100.0
    assert null_score([logits, logits - 1]) == 98.0


@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_a_reader_is_asked_in_batches_and_alone_alike(family):
    tok = TOKENIZERS["wordpiece"]
    config = EncoderConfig.preset(f"{family}-nano").replace(vocab_size=tok.vocab_size, hidden=32, heads=2, layers=2)
    model = SpanReader(config, torch.Generator().manual_seed(0)).train()
    options = dict(count=5, max_length=26, stride=6)
    together, none = read_answers(QUESTION, TEXT, model, tok, **options)
    alone, none_alone = read_answers(QUESTION, TEXT, model, tok, batch_size=1, **options)
    assert model.training and len(together) == 5 and none == pytest.approx(none_alone, abs=1e-5)
    assert [a.text for a in together] == [a.text for a in alone]
    cut = windows(QUESTION, TEXT, tok, 26, 6)
    model.eval()
    with torch.no_grad():
        logits = [
            model(torch.tensor([w.ids]), segment_ids=torch.tensor([w.segment_ids]) if config.segments else None).logits[
                0
            ]
            for w in cut
        ]
    assert together[0].text == naive(cut, logits, TEXT, 30)[0].text
    assert together[0].score == pytest.approx(naive(cut, logits, TEXT, 30)[0].score, abs=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda tok: windows(QUESTION, "", tok), "has no token"),
        (lambda tok: windows(QUESTION, TEXT, tok, 8), "no room for the text"),
        (lambda tok: windows(QUESTION, TEXT, tok, stride=0), "stride=0"),
        (lambda tok: label(windows(QUESTION, TEXT, tok)[0], (5, 5)), "characters 5 to 5"),
        (lambda tok: best_answers(windows(QUESTION, TEXT, tok), [torch.zeros(3, 2)], TEXT), r"logits \(3, 2\)"),
        (lambda tok: best_answers(windows(QUESTION, TEXT, tok), [], TEXT), "1 windows, 0 logits"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(TOKENIZERS["wordpiece"])
