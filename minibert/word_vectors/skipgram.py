"""Skip-gram and CBOW with negative sampling: word vectors from the question "which words stand near each other?".

Skip-gram predicts each word near a centre from the centre; CBOW predicts the centre from the mean of the words near it.
Neither asks for the probability of one word among all V. They only tell a true pair from pairs with random words. The
original C code walks from word to word. Here a batch is some rows of T words, and all its pairs are one (T, T) table.
"""

import torch
from torch import Tensor
from torch.nn.functional import embedding, logsigmoid, pad

from minibert.word_vectors.sampling import keep_probabilities, noise_probabilities
from minibert.word_vectors.vectors import Trained, WordVectors, check_settings
from minibert.word_vectors.words import WordCorpus

ROW, ROWS, NOISE = 32, 16, 64  # words in a row (T), rows in a batch (B), noise words for a batch (M)


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
    tables = [0.1 * torch.randn(len(corpus.words), width, generator=generator) for _ in range(2)]  # (V, D) each
    first, second = (table.requires_grad_() for table in tables)
    optimizer = torch.optim.Adam([first, second], lr=learning_rate, fused=True)
    loss_of = skipgram_loss if kind == "skipgram" else cbow_loss
    losses = []
    for epoch in range(epochs):
        rows = _rows(torch.rand(keep.shape, generator=generator) < keep, generator)  # (rows, T)
        batches = rows[torch.randperm(len(rows), generator=generator)].split(ROWS)
        drawn = torch.multinomial(noise, len(batches) * NOISE, replacement=True, generator=generator)
        for number, (places, noise_ids) in enumerate(zip(batches, drawn.split(NOISE), strict=True)):
            ids, texts = corpus.ids[places], corpus.texts[places].where(places >= 0, -1)  # (B, T)
            near = windows(texts, torch.randint(1, half_window + 1, ids.shape, generator=generator))  # (B, T, T)
            loss = loss_of(embedding(ids, first), embedding(ids, second), near, embedding(noise_ids, second), negatives)
            optimizer.param_groups[0]["lr"] = learning_rate * (1 - (epoch + number / len(batches)) / epochs)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    vectors = WordVectors(corpus.words, first)
    return Trained(vectors, vectors, WordVectors(corpus.words, second), losses)


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
