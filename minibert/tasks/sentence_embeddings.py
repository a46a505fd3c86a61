"""Texts as vectors that can be compared: the base of search.

`embed_texts` gives what one uses, a vector for each text. `embed_layers` and `embed_tokens` give what stands behind it,
for questions such as which layer to take (`combine_layers`), or for search by tokens (`max_sim` in retrieval.py).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from minibert.checkpoints.sentence_folder import POOLING, SIMILARITIES, Dense, Recipe
from minibert.objectives.contrastive import info_nce
from minibert.tasks.inference import inference
from minibert.tokenization.encoding import Batch
from minibert.training.recipe import Recipe as TrainingRecipe
from minibert.varlen import Packing, find_packing, unpad


def embed_texts(
    texts: Iterable[str],
    model,
    tok,
    pool: str | None = None,
    batch_size: int = 32,
    truncate: bool = True,
    prompt_name: str | None = None,
) -> Tensor:
    """One vector per text, on the CPU: the mean over the text's tokens, at length 1.

    A model that was opened from a folder with the files of sentence-transformers does what these say instead (pooling,
    prompts, dense layers, normalisation, lower case). `pool` overrides the pooling: "mean", "cls" (the first token),
    "max", "mean_sqrt_len_tokens", "weightedmean" or "lasttoken". `prompt_name` chooses one of the folder's prompts; by
    default it is the folder's default prompt, if any.

    Of a text with more tokens than the folder's limit, or the model's `max_len`, only the beginning counts; with
    `truncate=False` it is refused instead. The model is in evaluation mode meanwhile, whatever mode it is in before
    and after.

    Shape: B texts -> (B, D) float32; D grows with several poolings and is what the last dense layer makes it.

    Raises:
        ValueError: no text, one text that is not in a list, an unknown `pool` or `prompt_name`, a `batch_size` below 1,
            files of sentence-transformers that ask for what we do not do, or, with `truncate=False`, a text that is too
            long.

    Source: Reimers and Gurevych 2019, section 3.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["the cat sat on the mat"] * 3, vocab_size=40)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> embed_texts(["the cat", "the mat sat"], minibert.Encoder(config), tok).shape
    torch.Size([2, 128])
    """
    texts = _checked(texts)
    recipe = _recipe_of(model)
    if pool is not None and pool not in POOLING:
        raise ValueError(f"pool={pool!r}: expected one of {', '.join(POOLING)}")
    modes = recipe.pooling if pool is None else (pool,)
    prompt = _prompt(recipe, prompt_name)
    texts = [prompt + text for text in texts]
    if recipe.lowercase:
        texts = [text.lower() for text in texts]
    skip = 0 if recipe.include_prompt or not prompt else _tokens_of_prompt(prompt, tok, recipe.lowercase)
    limit = model.config.max_len if recipe.max_length is None else recipe.max_length
    if model.config.position == "learned":
        limit = min(limit, model.config.max_len)
    vectors = {}
    with inference(model) as device:
        for rows, batch in _batches(texts, tok, batch_size, limit if truncate else None):
            lengths = batch.attention_mask.sum(1).tolist()
            if max(lengths) > limit:
                row = lengths.index(max(lengths))
                raise ValueError(
                    f"text {rows[row]} has {lengths[row]} tokens, the model was made for {limit}: split it, or let its "
                    "end be cut off with truncate=True"
                )
            hidden, borders = _hidden(batch, model, device)
            pooled = torch.cat([pool_tokens(hidden, borders, mode, skip) for mode in modes], dim=-1)
            for step in recipe.steps:
                pooled = _dense(pooled, step) if isinstance(step, Dense) else _normalize(pooled)
            vectors.update(zip(rows, pooled[:, : recipe.dimensions].float().cpu(), strict=True))
    return torch.stack([vectors[row] for row in range(len(texts))])


def pool_tokens(hidden: Tensor, cu_seqlens: Tensor, mode: str, skip: int = 0) -> Tensor:
    """Token vectors as one vector per text: (N, D), (B + 1,) -> (B, D). The first `skip` tokens of each are left out.

    "cls" is the first token, "lasttoken" the last, "max" the largest number of each channel, "mean" the mean,
    "mean_sqrt_len_tokens" the sum over the square root of the length, "weightedmean" a mean in which the i-th token of
    the text counts i times (from 1).

    Raises:
        ValueError: an unknown mode, or a text that has no tokens behind `skip`.

    Source: Reimers and Gurevych 2019, section 3; Muennighoff 2022 (SGPT) for the weighted mean.

    >>> hidden, borders = torch.tensor([[1.0], [4.0], [7.0]]), torch.tensor([0, 2, 3])
    >>> pool_tokens(hidden, borders, "mean").tolist(), pool_tokens(hidden, borders, "weightedmean").tolist()
    ([[2.5], [7.0]], [[3.0], [7.0]])
    """
    borders = cu_seqlens.to(hidden.device).long()
    first, last, lengths = borders[:-1] + skip, borders[1:] - 1, borders.diff() - skip
    if int(lengths.min()) < 1:
        raise ValueError("a text has no tokens behind its prompt, so there is nothing to pool: leave empty texts out")
    if mode in ("cls", "lasttoken"):
        return hidden[first if mode == "cls" else last]
    if mode not in POOLING:
        raise ValueError(f"pooling {mode!r}: expected one of {', '.join(POOLING)}")
    text = torch.arange(len(lengths), device=hidden.device).repeat_interleave(borders.diff())  # (N,)
    place = torch.arange(len(hidden), device=hidden.device) - borders[text]  # of each token in its text, from 0
    kept = place >= skip
    hidden, text, place = hidden[kept], text[kept], place[kept]
    if mode == "max":
        return torch.stack([states.amax(0) for states in hidden.split(lengths.tolist())])
    wide = hidden.float() if hidden.dtype in (torch.float16, torch.bfloat16) else hidden  # sums of many small numbers
    weight = (place + 1 if mode == "weightedmean" else torch.ones_like(place)).to(wide.dtype)  # (N,)
    zeros = wide.new_zeros(len(lengths), wide.shape[1])
    total = zeros.index_add(0, text, wide * weight[:, None])  # (B, D)
    divisor = wide.new_zeros(len(lengths)).index_add(0, text, weight)  # (B,)
    divisor = divisor.sqrt() if mode == "mean_sqrt_len_tokens" else divisor
    return (total / divisor[:, None]).to(hidden.dtype)


def embed_tokens(texts: Iterable[str], model, tok, batch_size: int = 32) -> list[Tensor]:
    """The last states of each text's tokens, [CLS] and [SEP] among them, on the CPU. No pooling, no normalisation.

    Of a text with more tokens than the model's `max_len` only the beginning counts.

    Shape: B texts -> B tensors (T, D) float32, each with its own T.

    Raises:
        ValueError: texts or a `batch_size` that `embed_texts` refuses, too.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["the cat sat on the mat"] * 3, vocab_size=40)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> [tokens.shape for tokens in embed_tokens(["the cat", "mat"], minibert.Encoder(config), tok)]
    [torch.Size([4, 128]), torch.Size([3, 128])]
    """
    texts, found = _checked(texts), {}
    with inference(model) as device:
        for rows, batch in _batches(texts, tok, batch_size, model.config.max_len):
            hidden, borders = _hidden(batch, model, device)
            found.update(zip(rows, hidden.float().cpu().split(borders.diff().tolist()), strict=True))
    return [found[row].clone() for row in range(len(texts))]


def embed_layers(texts: Iterable[str], model, tok, pool: str | Sequence[str] = "mean", batch_size: int = 32) -> Tensor:
    """One vector per layer and text, as the layers leave them: not normalised, on the CPU. Number 0 is the embeddings.

    `combine_layers` makes one vector per text of them. The files of sentence-transformers that a folder may hold are
    not asked; `pool` is as in `pool_tokens`, and several are set side by side. In pre-norm models (ModernBERT,
    EuroBERT) the layers before the last are the raw residual stream, on another scale than the last one, which has the
    final norm applied.

    Shape: B texts -> (L + 1, B, D) float32, or (L + 1, B, n D) with n poolings.

    Raises:
        ValueError: texts or a `batch_size` that `embed_texts` refuses, too, or an unknown pooling.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["the cat sat on the mat"] * 3, vocab_size=40)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> embed_layers(["the cat", "mat"], minibert.Encoder(config), tok).shape
    torch.Size([5, 2, 128])
    """
    texts, found = _checked(texts), {}
    modes = (pool,) if isinstance(pool, str) else tuple(pool)
    with inference(model) as device:
        for rows, batch in _batches(texts, tok, batch_size, model.config.max_len):
            ids, packing = _packed(batch, device)
            out = model.packed(ids, packing.cu_seqlens, output_hidden_states=True, backend="per_document")
            pooled = [
                torch.cat([pool_tokens(states, packing.cu_seqlens, mode) for mode in modes], dim=-1)
                for states in out.hidden_states
            ]
            found.update(zip(rows, torch.stack(pooled).float().cpu().unbind(1), strict=True))  # (L + 1, D) each
    return torch.stack([found[row] for row in range(len(texts))], dim=1)


COMBINATIONS = ("last", "second_to_last", "last_four", "last_four_joined", "weighted")


def combine_layers(
    vectors: Tensor, how: str = "last", weights: Sequence[float] | Tensor | None = None, unit: bool = False
) -> Tensor:
    """The vectors of all layers as one vector per text: (L + 1, B, D) -> (B, D), or (B, 4 D) for "last_four_joined".

    "last" and "second_to_last" are one layer; "last_four" is the mean of four, "last_four_joined" sets them side by
    side. "weighted" is a sum with one of the `weights` for each layer, the embeddings first. `unit` brings each layer's
    vectors to length 1 before: where layers have other scales, as in pre-norm models, the largest drowns the others.

    Mean and first token are linear, so it does not matter that the pooling over tokens came first.

    Raises:
        ValueError: not (L + 1, B, D), too few layers, an unknown `how`, or weights that do not belong to it.

    Source: Devlin et al. 2019, table 7, for features of tokens; Peters et al. 2018 (ELMo) for the weighted sum.

    >>> layers = torch.tensor([[[0.0]], [[1.0]], [[2.0]], [[3.0]], [[9.0]]])
    >>> [combine_layers(layers, how).tolist() for how in ("second_to_last", "last_four", "last_four_joined")]
    [[[3.0]], [[3.75]], [[1.0, 2.0, 3.0, 9.0]]]
    >>> combine_layers(layers, "weighted", [0.5, 0, 0, 0, 0.5]).tolist()
    [[4.5]]
    """
    if vectors.dim() != 3 or len(vectors) < 2:
        raise ValueError(f"vectors are {tuple(vectors.shape)}, expected (L + 1, B, D) as from embed_layers")
    if how not in COMBINATIONS:
        raise ValueError(f"how={how!r}: expected one of {', '.join(COMBINATIONS)}")
    if how.startswith("last_four") and len(vectors) < 5:
        raise ValueError(f"{how!r} needs four layers, the vectors are of {len(vectors) - 1}")
    if (weights is not None) != (how == "weighted"):
        raise ValueError(f"how={how!r} and weights {weights!r:.60}: 'weighted' needs weights, the others have none")
    vectors = _normalize(vectors) if unit else vectors
    if how == "weighted":
        weights = torch.as_tensor(weights, dtype=vectors.dtype)
        if weights.shape != vectors.shape[:1]:
            raise ValueError(f"weights are {tuple(weights.shape)}, expected one for each of {len(vectors)} layers")
        return torch.einsum("l,lbd->bd", weights, vectors)
    if how.startswith("last_four"):
        return vectors[-4:].mean(0) if how == "last_four" else torch.cat(vectors[-4:].unbind(0), dim=-1)
    return vectors[-1 if how == "last" else -2]


def common_directions(vectors: Tensor, count: int = 0) -> tuple[Tensor, Tensor]:
    """What vectors have in common: their mean, and the `count` directions in which they spread most around it.

    Shape: vectors (B, D) -> mean (D,), directions (count, D) of length 1; both for `remove_common`.

    Raises:
        ValueError: not (B, D), or not 0 <= count <= min(B, D).

    Source: Mu and Viswanath 2018, "All-but-the-top".

    >>> mean, directions = common_directions(torch.tensor([[5.0, 2.0], [5.0, -2.0]]), 1)
    >>> mean.tolist(), directions.abs().tolist()
    ([5.0, 0.0], [[0.0, 1.0]])
    """
    if vectors.dim() != 2 or not 0 <= count <= min(vectors.shape):
        raise ValueError(f"vectors are {tuple(vectors.shape)}, count is {count}: expected (B, D) and 0 to min(B, D)")
    mean = vectors.mean(0)
    return mean, torch.linalg.svd(vectors - mean, full_matrices=False).Vh[:count]


def remove_common(vectors: Tensor, mean: Tensor, directions: Tensor | None = None) -> Tensor:
    """Subtract the common mean, and the part along each of the common directions: (B, D) -> (B, D).

    Take mean and directions from other texts than those that are compared.

    >>> remove_common(torch.tensor([[6.0, 2.0]]), torch.tensor([5.0, 0.0]), torch.tensor([[0.0, 1.0]])).tolist()
    [[1.0, 0.0]]
    """
    vectors = vectors - mean
    return vectors if directions is None else vectors - vectors @ directions.mT @ directions


def tune_on_pairs(
    batches: Iterable[Sequence[tuple[str, str]]],
    model,
    tok,
    recipe: TrainingRecipe,
    temperature: float = 0.05,
    pool: str = "mean",
    loss: Callable[[Tensor, Tensor, float], Tensor] = info_nce,
) -> list[float]:
    """Train an encoder in place so that the two texts of a pair are nearer than texts of other pairs in their batch.

    A step takes one batch: the vectors of its texts (`pool` as in `pool_tokens`), the `loss` of both sides at the
    temperature, one update by the recipe's optimiser at its learning rate. It ends after the recipe's steps, or with
    the last batch. What is too long is cut at the model's `max_len`. Returns the loss (nats) of each step; the model is
    left in training mode.

    Raises:
        ValueError: as for `info_nce`: a batch needs two pairs at least; an unknown pooling.

    Source: Gao, Yao and Chen 2021 (SimCSE), section 4, with pairs of texts that belong together.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["the cat sat on the mat"] * 3, vocab_size=40)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> pairs = [("the cat", "a cat"), ("the mat", "a mat")]
    >>> losses = tune_on_pairs([pairs] * 2, minibert.Encoder(config), tok, TrainingRecipe(steps=2))
    >>> len(losses)
    2
    """
    optimizer = recipe.make_optimizer(model)
    device = next(model.parameters()).device
    losses = []
    model.train()
    for step, pairs in zip(range(recipe.steps), batches, strict=False):
        sides = [tok.encode_batch(list(texts), max_length=model.config.max_len) for texts in zip(*pairs, strict=True)]
        one, other = (pool_tokens(*_hidden(side, model, device), pool) for side in sides)  # (B, D) each
        value = loss(one, other, temperature)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        if recipe.clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr(step)
        optimizer.step()
        losses.append(float(value.detach()))
    return losses


def compare(vectors: Tensor, others: Tensor, similarity: str = "cosine") -> Tensor:
    """How alike each vector is to each of the others: (A, D), (B, D) -> (A, B), more is more alike.

    `similarity` is "cosine", "dot", or a distance with a minus before it: "euclidean", "manhattan". What the folder
    of a model prefers is `model.recipe.similarity`.

    Raises:
        ValueError: an unknown similarity.

    >>> compare(torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 4.0]]), "euclidean").tolist()
    [[-2.0, -5.0]]
    """
    if similarity == "cosine":
        return _normalize(vectors) @ _normalize(others).T
    if similarity == "dot":
        return vectors @ others.T
    if similarity not in SIMILARITIES:
        raise ValueError(f"similarity={similarity!r}: expected one of {', '.join(SIMILARITIES)}")
    return -torch.cdist(vectors, others, p=2.0 if similarity == "euclidean" else 1.0)


def _batches(texts: list[str], tok, batch_size: int, limit: int | None) -> Iterator[tuple[list[int], Batch]]:
    """The numbers of some texts and their tokens, like lengths together: less padding."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size={batch_size!r}: expected a whole number of at least 1")
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in range(0, len(texts), batch_size):
        rows = order[start : start + batch_size]
        yield rows, tok.encode_batch([texts[i] for i in rows], max_length=limit)


def _packed(batch: Batch, device: torch.device) -> tuple[Tensor, Packing]:
    """The ids of a batch without its padding, (N,), and where they stood."""
    packing = find_packing(batch.attention_mask.to(device))
    return unpad(batch.input_ids.to(device), packing), packing


def _hidden(batch: Batch, model, device: torch.device) -> tuple[Tensor, Tensor]:
    """The last states of a batch, its padding taken out, and the borders of its texts: (N, D), (B + 1,)."""
    ids, packing = _packed(batch, device)
    return model.packed(ids, packing.cu_seqlens).hidden, packing.cu_seqlens


def _recipe_of(model) -> Recipe:
    recipe = getattr(model, "recipe", None) or Recipe()
    if recipe.problem:
        raise ValueError(f"{recipe.problem}; the hidden states can be had from the model itself, the vectors cannot")
    return recipe


def _prompt(recipe: Recipe, name: str | None) -> str:
    if name is None:
        return recipe.prompts.get(recipe.default_prompt, "")
    if name not in recipe.prompts:
        there = ", ".join(recipe.prompts) or "none"
        raise ValueError(f"prompt_name={name!r}: the model's folder has no such prompt; there are: {there}")
    return recipe.prompts[name]


def _tokens_of_prompt(prompt: str, tok, lowercase: bool) -> int:
    """How many tokens the prompt is, special ones before it counted, but not one that ends it."""
    ids = tok.encode(prompt.lower() if lowercase else prompt).ids
    return len(ids) - (ids[-1] in set(tok.special_ids))


def _dense(vectors: Tensor, layer: Dense) -> Tensor:
    def fitting(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.to(vectors)

    output = torch.nn.functional.linear(vectors, fitting(layer.weight), fitting(layer.bias))
    output = getattr(torch.nn, layer.activation)()(output)
    if isinstance(layer.residual, Tensor):
        return output + torch.nn.functional.linear(vectors, fitting(layer.residual))
    return output + vectors if layer.residual == "input" else output


def _normalize(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors.float(), dim=-1)


def _checked(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise ValueError(f"texts is one text, {texts!r:.60}; give a list: [text]")
    if not isinstance(texts, Iterable):
        raise ValueError(f"texts is a {type(texts).__name__}, expected a list of texts")
    texts = list(texts)
    if not texts:
        raise ValueError("embed_texts: no text; pass at least one")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"text {index} is a {type(text).__name__}, expected a str: {text!r:.60}")
    return texts
