"""What eurobert-nano knows of each of its fifteen languages, of speeches and of code: on messages that it has not seen.

The nano is one run; a seed draws only which tokens are hidden, how messages are put together, and the weights of the
untrained net. The controls name the hidden tokens without reading what stands around them:

- `counts of the language` say how often each token occurs in the training text of the same group,
- `counts of all` the same for the whole mixture: to do better one must find out the language, and no more,
- `untrained` is the nano before its first step.

Measures of a group: `bits per byte` of the hidden tokens' text, the `accuracy`, and `bits a message`: bits per token
times the tokens of a message, since a byte is a letter in English and a third of one in Hindi. A tenth of the tokens is
hidden, in several rounds. `beside its English` are the bits per byte of single messages that follow their English text
and the separator of parallel lines, `beside another English` the same after the English text of another message: were
they equal, then the nano would take nothing from a translation. The tokenizer's measures are the nano's: `tokens a
message` and `tokens a character`, and the `ratio to English`, tokens of the messages over those of the same messages in
English; the same of `bytes`.
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from minibert import load_tokenizer
from minibert.checkpoints import load_config
from minibert.corpora.mixture import GROUPS, SEPARATOR, languages, messages, passages
from minibert.experiments.record import Experiment
from minibert.experiments.small_bert import ONLY_MASK
from minibert.model.models import MaskedLanguageModel
from minibert.model.outputs import Output
from minibert.objectives import IGNORE, mask_tokens
from minibert.shipped_models import shipped
from minibert.tasks.rows import lay_out
from minibert.training.data import PackedBatch
from minibert.training.evaluation import evaluate, masked_batches, token_byte_lengths

NANO = "eurobert-nano"
PROSE = ("speeches", "code")  # groups that are no messages
ARMS = (NANO, "counts of the language", "counts of all", "untrained")


class Counts(torch.nn.Module):
    """A model that predicts every token with its share of the tokens it has counted, whatever stands around it.

    Every token is given half a count more, so that none is impossible.

    Shape: counts (V,).

    >>> model = Counts(torch.tensor([1.0, 0.0]))
    >>> model.packed(torch.tensor([0, 1]), None, predict_at=torch.tensor([1])).logits.exp().tolist()
    [[0.75, 0.25]]
    """

    def __init__(self, counts: Tensor):
        super().__init__()
        self.logits = ((counts + 0.5) / (counts + 0.5).sum()).log()  # (V,)

    def packed(self, ids: Tensor, cu_seqlens: Tensor, segment_ids=None, predict_at: Tensor | None = None) -> Output:
        """The same scores at each place."""
        return Output(hidden=None, logits=self.logits.expand(len(predict_at), -1))


@cache
def _tokenizer():
    return load_tokenizer(shipped(NANO))


@cache
def _counts(group: str | None) -> Tensor:
    """How often each token occurs in the training passages of a group, or of the whole mixture. Shape: (V,)."""
    tokenizer = _tokenizer()
    texts = passages(group) if group else languages(0)[0]
    ids = torch.tensor([token for passage in texts for token in tokenizer.ids(passage.text)])
    return torch.bincount(ids, minlength=tokenizer.vocab_size).float()


def _model(arm: str, group: str, seed: int) -> torch.nn.Module:
    if arm == NANO:
        return MaskedLanguageModel.from_pretrained(shipped(NANO))
    if arm == "untrained":
        return MaskedLanguageModel(load_config(shipped(NANO)), generator=torch.Generator().manual_seed(seed)).eval()
    return Counts(_counts(group if arm == "counts of the language" else None))


def fertility(tokenizer, language: str) -> dict[str, float]:
    """How many tokens the held-out messages of a language take, beside the same messages in English.

    Raises:
        DataUnavailable: the messages are not in the cache.
    """
    texts = [message.texts for message in messages() if message.held_out and language in message.texts]
    tokens, english = (sum(len(tokenizer.ids(text[name])) for text in texts) for name in (language, "en"))
    size, english_size = (sum(len(text[name].encode("utf-8")) for text in texts) for name in (language, "en"))
    return {
        "messages": len(texts),
        "tokens a message": tokens / len(texts),
        "tokens a character": tokens / sum(len(text[language]) for text in texts),
        "ratio to English": tokens / english,
        "bytes, ratio to English": size / english_size,
    }


def beside(tokenizer, pairs: Sequence[tuple[str, str]], rate: float, seed: int, rows: int = 64) -> list[PackedBatch]:
    """Each text after its English one and the separator, with [MASK] at `rate` of the places of the text alone.

    The seed and the texts decide what is hidden, whatever stands in English before them.

    >>> from minibert import ByteLevelBPETokenizer
    >>> tokenizer = ByteLevelBPETokenizer.train(["a"], 260, special=("[CLS]", "[SEP]", "[MASK]", SEPARATOR))
    >>> [batch] = beside(tokenizer, [("a", "bc")], 1.0, 0)
    >>> [tokenizer.id_to_token(token) for token in batch.ids.tolist()]
    ['[CLS]', 'a', '<|parallel_sep|>', '[MASK]', '[MASK]', '[SEP]']
    """
    generator = torch.Generator().manual_seed(seed)
    ids, labels = [], []
    for english, text in pairs:
        before = torch.tensor([tokenizer.cls_id, *tokenizer.ids(english + SEPARATOR)])
        inputs, targets = mask_tokens(
            torch.tensor(tokenizer.ids(text)), tokenizer.special_ids, tokenizer.vocab_size, tokenizer.mask_id, rate,
            ONLY_MASK, generator=generator,
        )  # fmt: skip
        end = torch.tensor([tokenizer.sep_id])
        ids.append(torch.cat([before, inputs, end]))
        labels.append(torch.cat([torch.full_like(before, IGNORE), targets, torch.full_like(end, IGNORE)]))
    return [lay_out(ids[start : start + rows], labels[start : start + rows]) for start in range(0, len(ids), rows)]


def translations(settings: dict, language: str, seed: int) -> dict[str, float]:
    """Bits per byte of the held-out messages of a language, beside their own English text and beside another one's.

    Raises:
        DataUnavailable: the messages are not in the cache.
    """
    tokenizer = _tokenizer()
    texts = [m.texts for m in messages() if m.held_out and language in m.texts][: settings["pairs"]]
    model, sizes = _model(NANO, language, seed), token_byte_lengths(tokenizer)
    found = {}
    for name, shift in (("beside its English", 0), ("beside another English", 1)):
        english = [text["en"] for text in texts[shift:] + texts[:shift]]
        pairs = [(one, text[language]) for one, text in zip(english, texts, strict=True)]
        batches = [
            batch
            for turn in range(settings["rounds"])
            for batch in beside(tokenizer, pairs, settings["mask_rate"], 100 * seed + turn)
        ]
        found[name] = evaluate(model, batches, sizes)["bits_per_byte"]
    return found


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    tokenizer, measures = _tokenizer(), {}
    sizes = token_byte_lengths(tokenizer)
    for group in settings["groups"]:
        texts = [passage.text for passage in passages(group, "held-out", seed)[: settings["passages"]]]
        batches = [
            batch
            for turn in range(settings["rounds"])
            for batch in masked_batches(
                texts, tokenizer, max_len=settings["max_len"], rate=settings["mask_rate"], seed=100 * seed + turn
            )
        ]
        found = evaluate(_model(arm, group, seed), batches, sizes)
        measures[f"{group}: bits per byte"] = found["bits_per_byte"]
        measures[f"{group}: accuracy"] = found["accuracy"]
        if group in PROSE:
            continue
        tokens = fertility(tokenizer, group)
        bits = found["loss"] / torch.log(torch.tensor(2.0)).item()
        measures[f"{group}: bits a message"] = bits * tokens["tokens a message"]
        if arm == NANO:
            more = translations(settings, group, seed) if group != "en" else {}
            measures |= {f"{group}: {name}": number for name, number in (tokens | more).items()}
    return measures


LANGUAGES = Experiment(
    name="languages",
    question="How well does eurobert-nano fill blanks in each of its languages, and how many tokens do they take?",
    settings={
        "groups": tuple(group for group in GROUPS if group != "parallel"),
        "mask_rate": 0.1,
        "max_len": 512,
        "rounds": 3,
        "passages": 40,
        "pairs": 400,
    },
    arms=ARMS,
    measure=_one,
    tiny={"groups": ("en", "hi"), "rounds": 1, "passages": 2, "pairs": 10},
)
