"""Texts filled step by step, and scored by hiding one token at a time, against plain loops."""

import pytest
import torch

from minibert import MaskedLanguageModel, load_tokenizer
from minibert.shipped_models import shipped
from minibert.tasks.unmasking import ORDERS, order_of_filling, pseudo_log_likelihood, unmask

TEXT = "The people of the [MASK] [MASK] shall have [MASK]."


@pytest.fixture(scope="module")
def nano():
    folder = shipped("modernbert-nano")
    return MaskedLanguageModel.from_pretrained(folder), load_tokenizer(folder)


@pytest.mark.parametrize("order", ORDERS)
def test_every_step_takes_the_best_guess_of_its_moment(nano, order):
    model, tok = nano
    ids = tok.encode(TEXT).ids
    before = list(ids)
    filled, steps = unmask(ids, model, tok, order)
    assert ids == before and tok.mask_id not in filled
    assert [a for a, b in zip(ids, filled, strict=True) if b != a] == [tok.mask_id] * 3
    text = list(ids)
    for step in steps:
        logits = model(torch.tensor([text])).logits[0].detach()
        logits[:, list(tok.special_ids)] = -torch.inf
        hidden = [place for place, token in enumerate(text) if token == tok.mask_id]
        assert list(step.guesses) == hidden
        for place, (token, sure) in step.guesses.items():
            probabilities = logits[place].softmax(-1)
            assert token == int(probabilities.argmax()) and sure == pytest.approx(probabilities.max().item(), abs=1e-5)
        best = max(hidden, key=lambda place: step.guesses[place][1])
        wanted = {"confident": (best,), "left to right": (hidden[0],), "at once": tuple(hidden)}[order]
        assert step.chosen == wanted
        for place in step.chosen:
            text[place] = step.guesses[place][0]
    assert text == filled and sorted(order_of_filling(steps)) == [p for p, t in enumerate(ids) if t == tok.mask_id]


def test_the_score_of_a_text_is_that_of_one_hidden_token_after_the_other(nano):
    model, tok = nano
    text = "The state of the union is strong, and its people are free. " * 4  # more tokens than go into one batch
    ids = tok.encode(text).ids
    expected = []
    for place in range(1, len(ids) - 1):
        row = torch.tensor([ids])
        row[0, place] = tok.mask_id
        with torch.no_grad():
            expected.append(model(row).logits[0, place].log_softmax(-1)[ids[place]])
    found = pseudo_log_likelihood(text, model, tok)
    assert len(found) > 32 and torch.allclose(found, torch.stack(expected), atol=1e-4)


def test_what_cannot_be_done_is_refused(nano):
    model, tok = nano
    with pytest.raises(ValueError, match="nothing to fill"):
        unmask(tok.encode("no blank").ids, model, tok)
    with pytest.raises(ValueError, match="order='random'"):
        unmask(tok.encode(TEXT).ids, model, tok, "random")
    with pytest.raises(ValueError, match="no token to hide"):
        pseudo_log_likelihood("", model, tok)
