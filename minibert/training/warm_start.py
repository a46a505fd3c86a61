"""A BERT that starts from counts, so that a short run need not find first what can be counted.

Three things are put into an untrained model; afterwards it is an ordinary one, and training may change all of it:

- token vectors from how often tokens stand near each other, and the output's bias from how often they stand at all;
- a table of positions made of waves, in channels of its own;
- queries and keys of the first layer that turn these waves, so that each head begins by looking at one neighbour.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

REACH = 2  # tokens to each side that count as neighbours
OFFSETS = (-1, 1, -2, 2)  # where the first layer's heads look
SHARPNESS = 2.0  # of the first looks: four fifths of a head's attention at its offset, among speeches
BEND = 1.3  # of the waves' frequencies: evenly spaced ones would meet again after 2 F tokens


@torch.no_grad()
def start_from_counts(model, documents: Sequence[Sequence[Sequence[int]]], seed: int = 0) -> None:
    """Put counts of the training text into an untrained BERT with learned positions; `seed` begins the factoring.

    `documents` are lists of sentences of token ids, as `PretrainingData` holds them. The waves of the positions take as
    many channels as a head has, the token vectors the others.

    Raises:
        ValueError: a model of another family, or text without two tokens in a sentence.

    >>> from minibert import EncoderConfig, PretrainingModel
    >>> config = EncoderConfig.preset("bert-nano").replace(vocab_size=9, mask_id=4)
    >>> model = PretrainingModel(config)
    >>> start_from_counts(model, [[[5, 6, 7], [5, 8]]])
    >>> model.decoder.bias.argmax().item()
    5
    """
    config = model.config
    if config.family != "bert" or config.position != "learned":
        raise ValueError(f"a {config.family} with position={config.position!r}: only a BERT with learned positions "
                         "starts from counts; RoPE finds neighbours by itself")  # fmt: skip
    text = [torch.tensor([token for sentence in document for token in sentence]) for document in documents]
    embeddings, width = model.encoder.embeddings, config.hidden - config.head_size
    frequency = torch.bincount(torch.cat(text), minlength=config.vocab_size) + 0.5
    vectors = neighbour_vectors(text, config.vocab_size, width, seed) * config.init_std
    unseen = vectors.norm(dim=1) < 0.05 * vectors.norm(dim=1).mean()
    vectors[unseen] = embeddings.token.weight[unseen, :width] / 2
    embeddings.token.weight.zero_()[:, :width] = vectors
    if model.decoder.bias is not None:
        model.decoder.bias.copy_((frequency / frequency.sum()).log())
    look_at_neighbours(model.encoder)


def neighbour_vectors(text: Sequence[Tensor], size: int, width: int, seed: int = 0) -> Tensor:
    """Vectors whose products follow how much oftener than by chance two tokens stand near each other.

    Positive pointwise mutual information of tokens at most `REACH` apart, factored. The mean square of all entries is
    1. Shape: text, a list of documents (T,) int64 -> (size, width).

    Raises:
        ValueError: no two tokens stand near each other.

    Source: Levy and Goldberg 2014, sections 4 and 5.

    >>> text = [torch.tensor([0, 1, 2, 3, 2, 1, 0])]
    >>> neighbour_vectors(text, 5, 3).shape
    torch.Size([5, 3])
    """
    near = [document[:-k] * size + document[k:] for k in range(1, REACH + 1) for document in text if len(document) > k]
    if not near:
        raise ValueError(f"{len(text)} documents hold no two tokens: nothing can be counted; give longer text")
    pairs, counts = torch.cat(near).unique(return_counts=True)
    left, right = torch.cat([pairs // size, pairs % size]), torch.cat([pairs % size, pairs // size])  # both ways
    table = torch.sparse_coo_tensor(
        torch.stack([left, right]), counts.repeat(2).double(), (size, size), check_invariants=True
    )
    table = table.coalesce()
    (left, right), counts = table.indices(), table.values()
    totals = torch.zeros(size, dtype=counts.dtype).index_add(0, left, counts)
    information = (counts * totals.sum() / (totals[left] * totals[right])).clamp(min=1).log()
    matrix = torch.sparse_coo_tensor(
        torch.stack([left, right]), information.float(), (size, size), check_invariants=True
    )
    rank = min(width, size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # the factoring begins with random vectors
        u, s, _ = torch.svd_lowrank(matrix, q=min(rank + 16, size), niter=3)
    vectors = torch.zeros(size, width)
    vectors[:, :rank] = u[:, :rank] * s[:rank].sqrt()
    return vectors / vectors.square().mean().sqrt()


def look_at_neighbours(encoder, offsets: Sequence[int] = OFFSETS) -> None:
    """Make the positions waves, and the first layer's heads look from each token to the one at their offset.

    Position t has cos(w t) and sin(w t) for the F frequencies w in the last K = 2 F channels. A head's key copies these
    channels, its query turns them on by its offset o: their product is the sum of cos(w (t + o - s)), which is largest
    at s = t + o. That is what RoPE does in every layer, written into the weights of one. Heads beyond the offsets stay
    as they are.

    >>> from minibert import Encoder, EncoderConfig
    >>> encoder = Encoder(EncoderConfig.preset("bert-nano"))
    >>> with torch.no_grad():
    ...     _ = encoder.embeddings.token.weight.zero_()
    ...     look_at_neighbours(encoder, [-1, 1])
    ...     seen = encoder(torch.full((1, 5), 7), output_attentions=True).attentions[0][0]
    >>> seen[1].argmax(-1).tolist()  # the head with offset 1; the last token has no neighbour there
    [1, 2, 3, 4, 4]
    """
    config, embeddings = encoder.config, encoder.embeddings
    width, size = config.hidden, config.head_size
    count = size // 2  # F
    waves = math.pi * ((torch.arange(count) + 0.5) / count) ** BEND  # (F,)
    angles = torch.arange(config.max_len)[:, None] * waves  # (T, F)
    embeddings.position.weight.zero_()
    embeddings.position.weight[config.position_offset :, width - size :][: config.max_len] = (
        torch.cat([angles.cos(), angles.sin()], 1) * config.init_std * math.sqrt(2)
    )
    if embeddings.segment is not None:
        embeddings.segment.weight.mul_(0.3)
        embeddings.segment.weight[:, width - size :] = 0
    query, key, _ = encoder.blocks[0].attention.query_key_value.weight.split([width, *[config.groups * size] * 2])
    for head, offset in enumerate(offsets[: config.heads]):
        rows = slice(head * size, (head + 1) * size)
        cos, sin = (waves * offset).cos().diag(), (waves * offset).sin().diag()
        query[rows], key[rows] = 0, 0
        query[rows, width - size :] = SHARPNESS * torch.cat([torch.cat([cos, -sin], 1), torch.cat([sin, cos], 1)])
        key[rows, width - size :] = SHARPNESS * torch.eye(size)
