"""ELMo: a word's vector is read from two language models, one has read all words before it, the other all after it.

    tokens       the    bank    of    the    river
    forward      h -->  h -->   h --> h -->  h          predicts the next token
    backward     h <--  h <--   h <-- h <--  h          predicts the token before

Each layer's vector of a token is [forward; backward]. The directions never meet before the last layer: that is what
keeps a token from seeing itself, and it is also what BERT gave up. Left out of the original: characters as input, an
output layer that is not the token table, projections from 4,096 to 512 units, the residual connection between the
layers, dropout.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minibert.varlen.padding import find_packing


class BidirectionalLM(nn.Module):
    """Two LSTM language models that share the token table, at the input and at the output, and nothing else.

    One step of an LSTM reads one token's vector x. It keeps a state h and a memory c, both (D,), and computes
    `i, f, g, o = split(W x + U h + b)`, then `c = sigmoid(f) c + sigmoid(i) tanh(g)` and `h = sigmoid(o) tanh(c)`.
    `torch.nn.LSTM` repeats that step along the row. The backward model is the same thing, run on the reversed row.

    Rows may be padded behind their tokens. Each row is reversed within its own length, so that the backward model
    starts on the row's last token and not on padding.

    A token's score is the dot product of the state with the token's own vector, plus a bias: the table is used twice
    (the original has an output layer of its own, also shared by the directions). It learns much faster so.

    Shape: ids (B, T), attention_mask (B, T) or None -> states of L + 1 layers (L + 1, B, T, 2 D): `[..., :D]` forward,
    `[..., D:]` backward, the token's vector twice in layer 0, and 0 on padding.

    Raises:
        ValueError: for sizes below 1, ids outside the vocabulary, or a mask that does not fit or pads on the left.

    Source: Peters et al. 2018 (ELMo), section 3.1; Hochreiter and Schmidhuber 1997; Gers et al. 2000 (LSTM);
    Press and Wolf 2017 (the table used twice).

    >>> model = BidirectionalLM(10, width=4, generator=torch.Generator().manual_seed(0))
    >>> states = model(torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]]))
    >>> tuple(states.shape), states[:, 1, 2].abs().max().item()
    ((3, 2, 3, 8), 0.0)
    """

    def __init__(self, vocab_size: int, width: int, layers: int = 2, *, generator: torch.Generator | None = None):
        for name, size in (("vocab_size", vocab_size), ("width", width), ("layers", layers)):
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise ValueError(f"{name} is {size!r}, expected a whole number of at least 1")
        super().__init__()
        with torch.random.fork_rng(devices=()):  # torch draws weights as it builds; those below replace them
            self.table = nn.Embedding(vocab_size, width)
            self.ahead = nn.ModuleList(nn.LSTM(width, width, batch_first=True) for _ in range(layers))
            self.back = nn.ModuleList(nn.LSTM(width, width, batch_first=True) for _ in range(layers))
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        nn.init.normal_(self.table.weight, std=0.3, generator=generator)
        for lstm in (*self.ahead, *self.back):
            for parameter in lstm.parameters():
                nn.init.uniform_(parameter, -(width**-0.5), width**-0.5, generator=generator)
            with torch.no_grad():
                lstm.bias_ih_l0[width : 2 * width] += 1  # forget gates begin open, or early words are forgotten

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        lengths = row_lengths(ids, attention_mask)  # (B,)
        _check_ids(ids, self.table.num_embeddings)
        real = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]  # (B, T)
        x = self.table(ids)  # (B, T, D)
        ahead, back = [x], [reverse_rows(x, lengths)]
        for forward_lstm, backward_lstm in zip(self.ahead, self.back, strict=True):
            ahead.append(forward_lstm(ahead[-1])[0])  # (B, T, D)
            back.append(backward_lstm(back[-1])[0])  # (B, T, D), still in reversed order
        pairs = [torch.cat([a, reverse_rows(b, lengths)], dim=-1) for a, b in zip(ahead, back, strict=True)]
        return torch.stack(pairs) * real[..., None]  # (L + 1, B, T, 2 D)

    def logits(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the next token from the forward half of the last layer, of the one before from the backward half.

        Shape: states (L + 1, B, T, 2 D) -> two of (B, T, V).
        """
        ahead, back = states[-1].chunk(2, dim=-1)  # (B, T, D) each
        return F.linear(ahead, self.table.weight, self.bias), F.linear(back, self.table.weight, self.bias)


def row_lengths(ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """How many real tokens each row has; padding stands behind them.

    Shape: ids (B, T), attention_mask (B, T) with 1 on real tokens, or None -> (B,).

    Raises:
        ValueError: another rank or type, a mask of another shape, an empty row, a hole, or padding on the left.

    >>> row_lengths(torch.tensor([[5, 6, 7], [8, 0, 0]]), torch.tensor([[1, 1, 1], [1, 0, 0]])).tolist()
    [3, 1]
    """
    if ids.dim() != 2 or ids.numel() == 0 or ids.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"ids: {ids.dtype} {tuple(ids.shape)}, expected integers of shape (B, T) with B, T >= 1")
    if attention_mask is None:
        return torch.full((len(ids),), ids.shape[1], device=ids.device)
    if attention_mask.shape != ids.shape:
        raise ValueError(
            f"attention_mask: shape {tuple(attention_mask.shape)}, expected that of ids {tuple(ids.shape)}"
        )
    find_packing(attention_mask)  # 0 and 1 only, no empty row, no hole
    if not bool(attention_mask[:, 0].all()):
        row = int((attention_mask[:, 0] == 0).nonzero()[0])
        raise ValueError(f"attention_mask: row {row} is padded on the left; expected the padding behind the tokens")
    return attention_mask.long().sum(dim=1)


def reverse_rows(x: Tensor, lengths: Tensor) -> Tensor:
    """Turn each row's first `length` places around, and leave its padding where it is. Twice changes nothing.

    Shape: x (B, T, ...), lengths (B,) -> (B, T, ...).

    Raises:
        ValueError: lengths that do not fit into the rows.

    >>> reverse_rows(torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([3, 2])).tolist()
    [[7, 6, 5], [9, 8, 0]]
    """
    if lengths.shape != x.shape[:1] or int(lengths.min()) < 0 or int(lengths.max()) > x.shape[1]:
        raise ValueError(f"lengths {lengths.tolist()} do not fit rows of shape {tuple(x.shape)}; one for each row")
    place = torch.arange(x.shape[1], device=x.device).expand(x.shape[:2])  # (B, T)
    source = torch.where(place < lengths[:, None], lengths[:, None] - 1 - place, place)  # (B, T)
    return x[torch.arange(len(x), device=x.device)[:, None], source]


class ScalarMix(nn.Module):
    """ELMo's vector for a task: `gamma * sum_j softmax(s)_j h_j`, a learned weighted mean of the layers, scaled.

    One `s` for each layer, the same for all tokens. All begin at 0 and gamma at 1: the plain mean.

    Shape: layers (L + 1, ..., D) -> (..., D)

    Raises:
        ValueError: fewer than one layer, or another number of layers than it was built for.

    Source: Peters et al. 2018, equation 1.

    >>> mix = ScalarMix(2)
    >>> mix(torch.tensor([[1.0, 0.0], [0.0, 1.0]])).tolist()
    [0.5, 0.5]
    """

    def __init__(self, layers: int):
        if isinstance(layers, bool) or not isinstance(layers, int) or layers < 1:
            raise ValueError(f"layers is {layers!r}, expected a whole number of at least 1: how many vectors are mixed")
        super().__init__()
        self.s = nn.Parameter(torch.zeros(layers))
        self.gamma = nn.Parameter(torch.ones(()))

    def forward(self, layers: Tensor) -> Tensor:
        if layers.dim() < 2 or len(layers) != len(self.s):
            raise ValueError(f"layers: shape {tuple(layers.shape)}, expected ({len(self.s)}, ..., D), layers first")
        return self.gamma * torch.tensordot(self.s.softmax(dim=0), layers, dims=1)


def _check_ids(ids: Tensor, vocab_size: int) -> None:
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= vocab_size:
        raise ValueError(f"ids span {low}..{high}, expected 0..{vocab_size - 1}; does the tokenizer fit the model?")
