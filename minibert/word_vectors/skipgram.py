"""Skip-gram and CBOW with negative sampling: word vectors from the question "which words stand near each other?".

Skip-gram predicts each word near a centre from the centre; CBOW predicts the centre from the mean of the words near it.
Neither asks for the probability of one word among all V. They only tell a true pair from pairs with random words. The
original C code walks from word to word. Here a batch is some rows of T words, and all its pairs are one (T, T) table.

Each loss stands here twice: as a formula, whose gradient autograd finds, and with its gradients written out, which
takes the training loop about 40 % less time. A test compares them.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, pad, softplus

from minibert.word_vectors.sampling import keep_probabilities, noise_probabilities
from minibert.word_vectors.vectors import Trained, WordVectors, check_settings
from minibert.word_vectors.words import WordCorpus

ROW, ROWS, NOISE = 32, 16, 64  # words in a row (T), rows in a batch (B), noise words for a batch (M)
AHEAD = 64  # batches whose windows are made in one go


def windows(texts: Tensor, reach: Tensor) -> Tensor:
    """Which words of a row are near which: up to `reach` places to either side, in the same text, never itself.

    Shape: texts (B, T) the text that each word comes from, -1 for padding; reach (B, T) -> bool (B, T, T), whose row
        i marks the context of word i.

    Raises:
        ValueError: if the shapes differ.

    Source: Mikolov et al. 2013a, section 3.2 (the reach is drawn anew for each centre: near words count more).

    >>> windows(torch.tensor([[0, 0, 0, 1]]), torch.tensor([[1, 1, 2, 2]]))[0].int().tolist()
    [[0, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    """
    if texts.dim() != 2 or texts.shape != reach.shape:
        raise ValueError(f"texts {tuple(texts.shape)} and reach {tuple(reach.shape)}: expected (B, T) twice")
    place = torch.arange(texts.shape[1])
    distance = (place[:, None] - place).abs()  # (T, T)
    same = (texts[:, :, None] == texts[:, None]) & (texts >= 0)[:, None]  # (B, T, T)
    return same & (distance > 0) & (distance <= reach[:, :, None])


def skipgram_loss(centre: Tensor, context: Tensor, near: Tensor, noise: Tensor, negatives: int = 5) -> Tensor:
    """The mean over true pairs of -log s(centre . context) - sum over k noise words of log s(-centre . noise).

    s is the sigmoid and k is `negatives`. To save work the batch shares its M noise words: each counts k / M times for
    each pair, so on average the sum is the one with k words drawn for each pair.

    Shape: centre and context (B, T, D), near (B, T, T) bool, noise (M, D) -> ().

    Raises:
        ValueError: for other shapes.

    Source: Mikolov et al. 2013b, section 2.2, equation 4.

    >>> x = torch.zeros(1, 2, 3)
    >>> near = torch.tensor([[[False, True], [True, False]]])
    >>> round(skipgram_loss(x, x, near, torch.zeros(9, 3)).item(), 4)  # (1 + 5) log 2: nothing learned
    4.1589
    """
    _check_shapes(centre, context, near, noise)
    pairs = near.sum(-1)  # (B, T), the true pairs of each centre
    true = (logsigmoid(centre @ context.mT) * near).sum()  # scores (B, T, T)
    false = (logsigmoid(-centre @ noise.T).sum(-1) * pairs).sum() * negatives / len(noise)  # scores (B, T, M)
    return -(true + false) / pairs.sum().clamp(min=1)


def cbow_loss(context: Tensor, centre: Tensor, near: Tensor, noise: Tensor, negatives: int = 5) -> Tensor:
    """The same with one pair for each word: the mean of the words near it, and the word itself.

    Shape: context and centre (B, T, D), near (B, T, T) bool, noise (M, D) -> (), the mean over words with a context.

    Raises:
        ValueError: for other shapes.

    Source: Mikolov et al. 2013a, section 3.1.

    >>> x = torch.zeros(1, 2, 3)
    >>> near = torch.tensor([[[False, True], [True, False]]])
    >>> round(cbow_loss(x, x, near, torch.zeros(9, 3)).item(), 4)
    4.1589
    """
    _check_shapes(context, centre, near, noise)
    size = near.sum(-1)  # (B, T)
    mean = near.to(context.dtype) @ context / size.clamp(min=1)[..., None]  # (B, T, D)
    true = logsigmoid((mean * centre).sum(-1))  # (B, T)
    false = logsigmoid(-mean @ noise.T).sum(-1) * negatives / len(noise)  # (B, T)
    return -((true + false) * (size > 0)).sum() / (size > 0).sum().clamp(min=1)


def skipgram_gradients(
    centre: Tensor, context: Tensor, near: Tensor, noise: Tensor, negatives: int = 5
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`skipgram_loss` and its gradients, without autograd: for each pair s(score) - label, times the other row.

    Shape: as there -> (), then gradients of the shapes of centre (B, T, D), context (B, T, D) and noise (M, D).

    Source: Mikolov et al. 2013b, section 2.2, the derivative of equation 4.

    >>> x = torch.ones(1, 2, 3)
    >>> loss, *gradients = skipgram_gradients(x, x, torch.eye(2).flip(0).bool()[None], torch.zeros(9, 3))
    >>> [tuple(gradient.shape) for gradient in gradients]
    [(1, 2, 3), (1, 2, 3), (9, 3)]
    """
    _check_shapes(centre, context, near, noise)
    near = near.to(centre.dtype)
    pairs = near.sum(-1, keepdim=True)  # (B, T, 1)
    total = pairs.sum().clamp(min=1)
    near, share = near / total, pairs * (negatives / len(noise) / total)  # how much a true and a noise pair count
    true, false = centre @ context.mT, centre @ noise.T  # scores (B, T, T) and (B, T, M)
    loss = (softplus(-true) * near).sum() + (softplus(false).sum(-1, keepdim=True) * share).sum()
    true, false = true.sigmoid_().sub_(1).mul_(near), false.sigmoid_().mul_(share)  # now the errors
    return loss, true @ context + false @ noise, true.mT @ centre, false.flatten(0, 1).T @ centre.flatten(0, 1)


def cbow_gradients(
    context: Tensor, centre: Tensor, near: Tensor, noise: Tensor, negatives: int = 5
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`cbow_loss` and its gradients, without autograd; each word of a window has an equal part of its mean's gradient.

    Shape: as there -> (), then gradients of the shapes of context (B, T, D), centre (B, T, D) and noise (M, D).

    Source: Mikolov et al. 2013a, section 3.1.

    >>> x = torch.ones(1, 2, 3)
    >>> loss, *gradients = cbow_gradients(x, x, torch.eye(2).flip(0).bool()[None], torch.zeros(9, 3))
    >>> [tuple(gradient.shape) for gradient in gradients]
    [(1, 2, 3), (1, 2, 3), (9, 3)]
    """
    _check_shapes(context, centre, near, noise)
    near = near.to(context.dtype)
    size = near.sum(-1, keepdim=True)  # (B, T, 1)
    near, asks = near / size.clamp(min=1), (size > 0).to(context.dtype)
    share = asks / asks.sum().clamp(min=1)  # how much each word's question counts
    mean = near @ context  # (B, T, D)
    true, false = (mean * centre).sum(-1, keepdim=True), mean @ noise.T  # scores (B, T, 1) and (B, T, M)
    counted = share * (negatives / len(noise))
    loss = (softplus(-true) * share).sum() + (softplus(false).sum(-1, keepdim=True) * counted).sum()
    true, false = true.sigmoid_().sub_(1).mul_(share), false.sigmoid_().mul_(counted)  # now the errors
    of_mean = true * centre + false @ noise  # (B, T, D)
    return loss, near.mT @ of_mean, true * mean, false.flatten(0, 1).T @ mean.flatten(0, 1)


def train_word_vectors(
    corpus: WordCorpus,
    kind: str = "skipgram",
    width: int = 64,
    half_window: int = 5,
    negatives: int = 5,
    threshold: float = 1e-4,
    epochs: int = 3,
    learning_rate: float = 0.025,
    *,
    generator: torch.Generator,
) -> Trained:
    """Train skip-gram or CBOW vectors of size `width` on a corpus, all randomness from `generator`.

    Unlike the original program it takes steps of Adam on batches of 512 words, and a window ends where a row of 32
    words ends; the cuts lie elsewhere in each epoch. The learning rate falls to 0 in a straight line. `epochs=0`
    returns the vectors as they are drawn: the untrained control.

    Raises:
        ValueError: for a kind other than "skipgram" and "cbow", sizes below 1, or no generator.

    Source: Mikolov et al. 2013a, section 3; 2013b, section 2.

    >>> from minibert.word_vectors.words import count_corpus
    >>> corpus = count_corpus([["the", "cat", "sat"], ["the", "dog", "sat"]] * 20)
    >>> trained = train_word_vectors(corpus, width=4, epochs=1, generator=torch.Generator().manual_seed(0))
    >>> trained.vectors.matrix.shape, len(trained.losses)
    (torch.Size([4, 4]), 1)
    """
    if kind not in ("skipgram", "cbow"):
        raise ValueError(f"kind={kind!r}: expected 'skipgram' or 'cbow'")
    check_settings(generator, learning_rate, epochs=epochs, width=width, half_window=half_window, negatives=negatives)
    keep, noise = keep_probabilities(corpus.counts, threshold)[corpus.ids], noise_probabilities(corpus.counts)
    V = len(corpus.words)
    drawn = [0.1 * torch.randn(V, width, generator=generator) for _ in range(2)]
    tables = torch.cat(drawn)  # (2 V, D): row i and row V + i belong to word i
    tables.grad = torch.zeros_like(tables)
    optimizer = torch.optim.Adam([tables], lr=learning_rate, fused=True)
    gradients_of = skipgram_gradients if kind == "skipgram" else cbow_gradients
    losses = []
    for epoch in range(epochs):
        rows = _rows(torch.rand(keep.shape, generator=generator) < keep, generator)  # (rows, T)
        rows = rows[torch.randperm(len(rows), generator=generator)]
        steps = -(len(rows) // -ROWS)
        noise_ids = torch.multinomial(noise, steps * NOISE, replacement=True, generator=generator).split(NOISE)
        for step, (ids, near) in enumerate(_batches(corpus, rows, half_window, generator)):
            used = torch.cat([ids.flatten(), V + ids.flatten(), V + noise_ids[step]])  # (2 B T + M,)
            first, second, third = tables.index_select(0, used).split([ids.numel(), ids.numel(), NOISE])
            loss, *gradients = gradients_of(
                first.view(*ids.shape, -1), second.view(*ids.shape, -1), near, third, negatives
            )
            tables.grad.zero_().index_add_(0, used, torch.cat([gradient.flatten(0, -2) for gradient in gradients]))
            optimizer.param_groups[0]["lr"] = learning_rate * (1 - (epoch + step / steps) / epochs)
            optimizer.step()
            losses.append(loss.item())
    vectors = WordVectors(corpus.words, tables[:V])
    return Trained(vectors, vectors, WordVectors(corpus.words, tables[V:]), losses)


def _batches(corpus: WordCorpus, rows: Tensor, half_window: int, generator: torch.Generator) -> Iterator[tuple]:
    """The words (B, T) and the windows (B, T, T) of each batch; rows are places of the corpus, -1 where none is."""
    for places in rows.split(AHEAD * ROWS):
        ids, texts = corpus.ids[places], corpus.texts[places].where(places >= 0, -1)
        near = windows(texts, torch.randint(1, half_window + 1, ids.shape, generator=generator))
        yield from zip(ids.split(ROWS), near.split(ROWS), strict=True)


def _rows(kept: Tensor, generator: torch.Generator) -> Tensor:
    """Cut the places that are kept into rows of T, beginning anywhere in the first row; -1 fills both ends."""
    places = kept.nonzero().squeeze(1)
    start = int(torch.randint(ROW, (), generator=generator))
    return pad(places, (start, -(start + len(places)) % ROW), value=-1).view(-1, ROW)


def _check_shapes(first: Tensor, second: Tensor, near: Tensor, noise: Tensor) -> None:
    B, T, D = first.shape if first.dim() == 3 else (0, 0, 0)
    if not B or second.shape != first.shape or near.shape != (B, T, T) or noise.dim() != 2 or noise.shape[1] != D:
        shapes = ", ".join(str(tuple(x.shape)) for x in (first, second, near, noise))
        raise ValueError(f"shapes {shapes}: expected vectors (B, T, D) twice, near (B, T, T) and noise (M, D)")
