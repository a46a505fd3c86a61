"""Real text: does a BERT that is told where its neighbours are beat the counts of neighbours?

Three nets differ in how they know places. All have BERT's learned table of positions. Two of them add to each attention
score a number that depends on the head and on the distance between the two tokens, as T5 does, and that is learned too.
Cold, these numbers start at 0. Warm, each of the first four heads starts with +5 at one distance: one left, one right,
two left, two right. So these heads look at a neighbour from the first step on; what to make of it they must learn.

Is it still BERT? Not to the letter. BERT has no bias of distances, and the warm start is knowledge about language put
in by hand. Everything else is BERT's: the table of positions, post-norm, GELU, the tied vocabulary, the masked words.

The text is the presidents' speeches letter by letter, with space, comma and full stop; whole presidents are held out.
All nets see the same rows with the same places hidden. The controls count neighbours in the very rows that the nets are
trained on; the strongest counts both neighbours jointly.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from minibert.experiments.neighbour_counts import CONTROLS, JOINT, score_counts
from minibert.experiments.record import Experiment
from minibert.experiments.small_bert import (
    BERT_SPLIT,
    LETTERS,
    SETTINGS,
    SPECIAL,
    TINY,
    config_of,
    held_out_places,
    pretrain,
    score,
)
from minibert.model.attention import Attention
from minibert.model.models import MaskedLanguageModel

NETS = {"learned positions": None, "bias from 0": 0.0, "bias from +5": 5.0}
DISTANCES = (-1, 1, -2, 2)


class RelativeAttention(nn.Module):
    """The weights of an `Attention`, with a learned number for each head and distance added to the scores.

    `start` is what the number of head h is at distance DISTANCES[h] in the beginning; all others are 0. The rows of a
    batch have one length, at most `longest`.

    Shape: x (N, D) -> (N, D) and None. Source: Raffel et al. 2020, section 2.1 (without its buckets).

    >>> from minibert import EncoderConfig
    >>> layer = RelativeAttention(Attention(EncoderConfig.preset("bert-nano"), layer=0), longest=3, start=5.0)
    >>> layer.bias[0].tolist()
    [0.0, 5.0, 0.0, 0.0, 0.0]
    """

    def __init__(self, attention: Attention, longest: int, start: float):
        super().__init__()
        self.query_key_value, self.output = attention.query_key_value, attention.output
        self.heads, self.head_size, self.longest = attention.heads, attention.head_size, longest
        bias = torch.zeros(self.heads, 2 * longest - 1)
        for head, distance in enumerate(DISTANCES[: self.heads]):
            bias[head, longest - 1 + distance] = start
        self.bias = nn.Parameter(bias)

    def forward(self, x: Tensor, context) -> tuple[Tensor, None]:
        length = context.max_seqlen
        places = torch.arange(length)
        apart = places - places[:, None] + self.longest - 1  # (T, T): where in `bias` key j stands for query i
        parts = self.query_key_value(x).view(-1, length, 3, self.heads, self.head_size)  # (B, T, 3, H, K)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (B, H, T, K) each
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=self.bias[:, apart])
        return self.output(mixed.transpose(1, 2).reshape(len(x), -1)), None


def new_net(settings: dict, arm: str, seed: int) -> MaskedLanguageModel:
    """An untrained net of one arm; what the arms share has the same weights.

    >>> net = new_net(WARM_START.settings | WARM_START.tiny, "bias from +5", seed=0)
    >>> net.encoder.blocks[0].attention.bias.shape
    torch.Size([2, 63])
    """
    plain = dict(position="learned", rope_theta=None, pool="bert", max_len=settings["row"])  # as BERT has it
    config = config_of(settings).replace(**plain)
    model = MaskedLanguageModel(config, torch.Generator().manual_seed(seed))
    if NETS[arm] is not None:
        for block in model.encoder.blocks:
            block.attention = RelativeAttention(block.attention, settings["row"], NETS[arm])
    return model


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Masked accuracy and loss (nats) on the same held-out places for every arm."""
    if arm not in NETS:
        return score_counts(settings, arm, seed)
    model = pretrain(settings, settings["rate"], BERT_SPLIT, seed, new_net(settings, arm, seed))
    _, masked, labels = held_out_places(settings)
    return score(model, masked, labels)


WARM_START = Experiment(
    name="warm_start",
    question="On speeches, letter by letter: what does a bias of distances bring, started at 0 or at +5?",
    settings=SETTINGS
    | dict(
        letters=True,
        vocab_size=len(SPECIAL) + len(LETTERS),
        row=32,
        layers=2,
        heads=4,
        rows_a_step=32,
        steps=600,
        learning_rate=3e-3,
        held_out_rows=1500,
        rate=0.3,
    ),
    arms=(*NETS, *CONTROLS[1:], JOINT),
    measure=_one,
    tiny={name: value for name, value in TINY.items() if name != "vocab_size"} | dict(heads=2),
)
