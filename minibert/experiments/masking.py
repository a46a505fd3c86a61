"""What the 80/10/10 of masked language modelling buys: five ways to corrupt the chosen places, and their controls.

An arm is named by three shares in per cent, those of the chosen 15 % that become [MASK] / a random token / stay the
same token. (Table 8 of Devlin et al. 2019 has them in another order: mask, same, random.) All arms see the same rows,
choose the same places, start from the same weights, and are scored on the same places of held-out speeches.

A thousand steps show the start of learning only: being asked for tokens that can be seen is an easy lesson, which may
help off the plateau of the word frequencies. Table 8 compares models after a million steps, and finds 0.8 between them.

Measures. `accuracy` and `loss` (nats): at 15 % of the places, all [MASK]. The rest is about text without any [MASK],
which is what a model reads after pre-training:

- `own token`: how often the vocabulary head names the token that stands at an open place. With 100/0/0 nothing was
  ever asked there.
- `shift`: how far the states of untouched places move when other tokens of their row become [MASK], as a share of the
  variance of all states: 0 = not at all. `loss at random`: the nats at the same 15 % of places where a random token
  stands in place of [MASK].
- `probe F1` and `tuned F1`: which words begin with a capital, told from lower-cased text (names, and the starts of
  sentences). A logistic regression on the frozen last states, and fine-tuning of everything, with the same labels.
"""

from functools import cache

import torch
from torch import Tensor

from minibert.experiments.neighbour_counts import CONTROLS, score_counts
from minibert.experiments.record import Experiment
from minibert.experiments.small_bert import (
    SETTINGS,
    TINY,
    config_of,
    fine_tune,
    held_out_places,
    new_model,
    pretrain,
    score,
    split_speeches,
    states,
    texts_of,
)
from minibert.model.task_models import TokenClassifier
from minibert.objectives import IGNORE, mask_tokens
from minibert.tasks.probe import fit_probe
from minibert.tasks.rows import pack_rows

SPLITS = {
    "80/10/10": (0.8, 0.1, 0.1),
    "100/0/0": (1.0, 0.0, 0.0),
    "80/20/0": (0.8, 0.2, 0.0),
    "80/0/20": (0.8, 0.0, 0.2),
    "0/100/0": (0.0, 1.0, 0.0),
}


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """All measures of one arm. The untrained model is the control of all but the counts, which control `accuracy`."""
    if arm in CONTROLS:
        return score_counts(settings, arm, seed)
    if arm == "untrained":
        model = new_model(settings, seed).eval()
    else:
        model = pretrain(settings, 0.15, settings["splits"][arm], seed)
    intact, masked, labels = held_out_places(settings)
    asked = labels != IGNORE
    randomised = _randomised(settings, intact, asked)
    return score(model, masked, labels) | {
        "own token": score(model, intact, labels)["accuracy"],
        "shift": _shift(states(model.encoder, intact), states(model.encoder, masked), ~asked),
        "loss at random": score(model, randomised, labels)["loss"],
        **_capitals(settings, model, seed),
    }


def _randomised(settings: dict, intact: Tensor, asked: Tensor) -> Tensor:
    """The rows with a random token at each place that is asked for. Shape: (R, T) and (R, T) bool -> (R, T)."""
    tokenizer, generator = texts_of(settings).tokenizer, torch.Generator().manual_seed(1)
    special, size, mask = tokenizer.special_ids, tokenizer.vocab_size, tokenizer.mask_id
    drawn, _ = mask_tokens(intact, special, size, mask, 1.0, (0.0, 1.0, 0.0), generator=generator)
    return torch.where(asked, drawn, intact)


def _shift(before: Tensor, after: Tensor, here: Tensor) -> float:
    """Mean squared distance over mean squared distance from the mean: (R, T, D) twice and (R, T) bool -> a number.

    >>> _shift(torch.tensor([[[0.0], [2.0]]]), torch.tensor([[[0.0], [3.0]]]), torch.ones(1, 2, dtype=torch.bool))
    0.5
    """
    before, after = before[here], after[here]
    return ((after - before).square().sum(1).mean() / (before - before.mean(0)).square().sum(1).mean()).item()


@cache
def _capital_rows(count: int, vocab_size: int, row: int, rows: int, test_rows: int) -> list[tuple[Tensor, Tensor]]:
    """Rows and, at the first token of each word of letters, whether it was written with a capital; -100 elsewhere.

    Two pairs of (R, T): rows of training speeches and of held-out ones.
    """
    tokenizer, pairs = texts_of({"speeches": count, "vocab_size": vocab_size, "row": row}).tokenizer, []
    for speeches, wanted in zip(split_speeches(count), (rows, test_rows), strict=True):
        ids, labels = [], []
        each = -(-wanted // len(speeches)) * row  # tokens of each speech
        for speech in speeches:
            text = speech.text[: 8 * each]
            encoded = tokenizer.encode(text, add_special_tokens=False)
            first = [not token.startswith("##") and token[0].isalpha() for token in encoded.tokens]
            found = [
                int(text[start].isupper()) if is_first else IGNORE
                for is_first, (start, _) in zip(first, encoded.offsets, strict=True)
            ]
            whole = min(len(found), each) // row * row
            ids.append(torch.tensor(encoded.ids[:whole]).view(-1, row))
            labels.append(torch.tensor(found[:whole]).view(-1, row))
        pairs.append((torch.cat(ids)[:wanted], torch.cat(labels)[:wanted]))
    return pairs


def _capitals(settings: dict, model, seed: int) -> dict[str, float]:
    """F1 of "begins with a capital": frozen states with a logistic regression, and everything fine-tuned."""
    key = (settings["speeches"], settings["vocab_size"], settings["row"])
    (ids, labels), (test_ids, test_labels) = _capital_rows(*key, settings["label_rows"], settings["test_rows"])
    here, test_here = labels != IGNORE, test_labels != IGNORE
    probe = fit_probe(states(model.encoder, ids)[here], labels[here])
    guess = probe.logits(states(model.encoder, test_ids)[test_here]).argmax(-1)
    tagger = TokenClassifier(config_of(settings), labels=2, generator=torch.Generator().manual_seed(seed))
    tagger.encoder.load_state_dict(model.encoder.state_dict())
    fine_tune(tagger, ids, labels, settings["tuning_steps"], settings["tuning_rate"], seed)
    with torch.no_grad():
        batch = pack_rows(test_ids)
        tuned = tagger.packed(batch.ids, batch.cu_seqlens).logits.argmax(-1)[test_here.flatten()]
    truth = test_labels[test_here]
    return {"probe F1": _f1(guess, truth), "tuned F1": _f1(tuned, truth)}


def _f1(guess: Tensor, truth: Tensor) -> float:
    """2 right / (found + there) of class 1; 0 when there is nothing to find.

    >>> _f1(torch.tensor([1, 1, 0]), torch.tensor([1, 0, 0]))
    0.6666666666666666
    """
    return 2 * int((guess & truth).sum()) / max(1, int(guess.sum() + truth.sum()))


MASKING = Experiment(
    name="masking",
    question="What does the 80/10/10 split buy?",
    settings=SETTINGS
    | {"splits": SPLITS, "label_rows": 2000, "test_rows": 2000, "tuning_steps": 150, "tuning_rate": 1e-3},
    arms=(*SPLITS, "untrained", *CONTROLS),
    measure=_one,
    tiny=TINY | {"label_rows": 40, "test_rows": 40, "tuning_steps": 2},
)
