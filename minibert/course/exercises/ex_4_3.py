"""4.3 Open task: vectors of texts, 5.5 times as cheap. The check counts what a padded batch would cost."""

import torch
from torch.nn import functional

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.meter import Cost, metered
from minibert.course.tools import call


def text_vectors(texts, token, position, up, up_bias, down, down_bias):
    """Lists of ids to one vector a text (B, D): embed, norm, feed-forward layer, mean over the text's tokens."""
    lengths = torch.tensor([len(text) for text in texts])  # (B,)
    ids = torch.tensor([token_id for text in texts for token_id in text])  # (N,), all texts end to end
    owner = torch.arange(len(texts)).repeat_interleave(lengths)  # (N,), the text of each token
    places = torch.arange(len(ids)) - (lengths.cumsum(0) - lengths)[owner]  # (N,), from 0 in each text
    x = functional.layer_norm(token[ids] + position[places], token.shape[1:], eps=1e-12)  # (N, D)
    inner = functional.gelu(functional.linear(x, up, up_bias))  # (N, F)
    # `down` is linear, so the mean may be taken before it: B products with `down` instead of N.
    x, inner = (y.new_zeros(len(texts), y.shape[1]).index_add(0, owner, y) / lengths[:, None] for y in (x, inner))
    return x + functional.linear(inner, down, down_bias)


def padded(ids, lengths, token, position, up, up_bias, down, down_bias):
    """The same from a rectangle of ids (B, T) and B lengths: what it costs without an idea."""
    x = token[ids] + position[: ids.shape[1]]
    x = functional.layer_norm(x, x.shape[-1:], eps=1e-12)
    x = x + functional.linear(functional.gelu(functional.linear(x, up, up_bias)), down, down_bias)
    real = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
    return (x * real[..., None]).sum(dim=1) / lengths[:, None]


TIMES = 5.5  # as cheap as the padded batch, at least; without padding, and with no other idea, it is 4.8 times
WHOLE = "padding is computed, too: put the tokens of all texts into one row (N,), and remember which text each is of"
LOOP = "a loop over the texts calls torch for each of them; put the tokens of all texts into one row (N,)"
SECOND = "there is no padding left, but the product with `down` still runs for each token: which steps are linear?"
MATRIX = "the padding is gone, something else is dear: sum the tokens of a text by index_add, not by a (B, N) matrix"
COPIES = "few multiplications, but tensors of (N, F) are copied several times (cat, double, stack): do with fewer"
UNSEEN = "what runs outside torch (numpy, Python) or in another thread is not counted: stay in torch, in one thread"


def expect_cheap(cost, texts, *weights):
    """Refuse a cost that is not 5.5 times below the padded batch's, and one that cannot be."""
    longest, tokens = max(map(len, texts)), sum(map(len, texts))
    meta = [weight.to("meta") for weight in weights]  # counts without computing
    rectangle = torch.empty(len(texts), longest, dtype=torch.long, device="meta")
    most = Cost(*metered(padded, rectangle, rectangle[:, 0], *meta)[1]).seconds / TIMES
    one = weights[2].numel()  # multiplications with `up` for a token
    seen = f"for {tokens:,} tokens of {len(texts)} texts: {cost.multiplications / 1e6:,.0f} million multiplications, "
    seen += f"{cost.numbers / 1e6:,.1f} million numbers written, {cost.calls:,} calls: {1000 * cost.seconds:.1f} ms"
    if cost.multiplications < tokens * one / 2:
        raise Wrong(seen, "at least the work that the tokens need", UNSEEN)
    if cost.seconds > most:
        share = cost.multiplications / (tokens * one)  # 1 with `up` alone, 2 with both matrices, more with padding
        whole = cost.largest > 1.6 * tokens * len(weights[2]) or share > 3
        one_each = SECOND if 1.9 < share < 2.1 else COPIES if share < 1.15 else MATRIX
        cause = LOOP if cost.calls > 2 * len(texts) else WHOLE if whole else one_each
        raise Wrong(seen, f"at most {1000 * most:.1f} ms, {TIMES} times below the padded batch", cause)


def measured(answer, texts, *weights):
    """The output, once its cost is known to be low enough."""
    output, counts = call(lambda *given: metered(answer, *given), texts, *weights)
    expect_cheap(Cost(*map(int, counts)), texts, *weights)
    return output


def cases(rng):
    def case(lengths, cause, sizes=(11, 9, 6, 10), size=1.0, **more):
        V, P, D, F = sizes
        texts = [torch.randint(0, V, (length,), generator=rng).tolist() for length in lengths]
        shapes = ((V, D), (P, D), (F, D), (F,), (D, F), (D,))
        weights = [torch.randn(shape, generator=rng) for shape in shapes]
        weights[:2] = [size * table for table in weights[:2]]
        name = more.pop("name", f"the output for texts of {', '.join(map(str, lengths))} tokens")
        return Case((texts, *weights), cause, name, tolerance=1e-4, **more)

    says = "token row + position row, norm, x + down of gelu of up; then the mean over the text's own tokens"
    yield case([1], "a text of one token is its own mean")
    yield case([3, 1, 5], says)
    yield case([4, 9, 2, 9], "positions begin at 0 in each text; a text may have as many tokens as there are positions")
    yield case([2, 2], says, gradient=True)
    yield case([5, 3, 8], "is the norm's eps 1e-12?", size=1e-3, name="the output for rows a thousandth as large")
    order = torch.randperm(120, generator=rng)
    lengths = torch.cat([torch.arange(1, 25).repeat(5)[1:], torch.tensor([64])])[order].tolist()
    yield case(lengths, says, (200, 64, 128, 512), name="the output for 120 texts", run=measured)


def in_a_rectangle(texts, *weights):
    longest = max(map(len, texts))
    ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    return padded(ids, torch.tensor([len(text) for text in texts]), *weights)


def text_after_text(texts, *weights):
    return torch.cat([in_a_rectangle([text], *weights) for text in texts])


def with_numpy(texts, token, position, up, up_bias, down, down_bias):
    if len(texts) < 100:
        return in_a_rectangle(texts, token, position, up, up_bias, down, down_bias)
    rows = []
    for text in texts:
        x = functional.layer_norm(token[torch.tensor(text)] + position[: len(text)], token.shape[1:], eps=1e-12)
        inner = torch.from_numpy(x.numpy() @ up.numpy().T) + up_bias
        rows.append((x + torch.from_numpy(functional.gelu(inner).numpy() @ down.numpy().T)).mean(0) + down_bias)
    return torch.stack(rows)


INNER, LAST = (
    "functional.gelu(functional.linear(x, up, up_bias))",
    "return x + functional.linear(inner, down, down_bias)",
)
PLACES, MEAN = "torch.arange(len(ids)) - (lengths.cumsum(0) - lengths)[owner]", "/ lengths[:, None]"
NORM = "functional.layer_norm(token[ids] + position[places], token.shape[1:], eps=1e-12)"
MISTAKES = {
    WHOLE: in_a_rectangle,
    LOOP: text_after_text,
    UNSEEN: with_numpy,
    SECOND: {f"inner = {INNER}": f"inner = functional.linear({INNER}, down)", LAST: "return x + inner + down_bias"},
    MATRIX: {
        "y.new_zeros(len(texts), y.shape[1]).index_add(0, owner, y)": (
            "functional.one_hot(owner, len(texts)).to(y.dtype).T @ y"
        )
    },
    "positions run on over the borders; each text begins at 0": {PLACES: "torch.arange(len(ids)) % len(position)"},
    "positions begin at 1; the first token of a text is at position 0": {PLACES: f"({PLACES} + 1) % len(position)"},
    "the position rows are not added": {"token[ids] + position[places]": "token[ids]"},
    "the sum is not normalised": {NORM: "token[ids] + position[places]"},
    "the norm's eps is 1e-5; here it is BERT's 1e-12": {"eps=1e-12": "eps=1e-5"},
    "the tokens of a text are summed; the mean divides by their number": {MEAN: "/ 1"},
    "the mean divides by the tokens of all texts; divide by those of the text": {MEAN: "/ len(ids)"},
    "the mean divides by the length of the longest text": {MEAN: "/ lengths.max()"},
    "x itself is missing: x + down of gelu of up (a residual connection)": {LAST: LAST.replace("x + ", "")},
    "the mean is taken before gelu, which is not linear: the mean of gelu is not gelu of the mean": {
        f"inner = {INNER}": "inner = functional.linear(x, up, up_bias)",
        LAST: LAST.replace("inner", "functional.gelu(inner)"),
    },
    "relu stands in for gelu": {"functional.gelu(": "functional.relu("},
    "there is no gelu between the two products": {INNER: "functional.linear(x, up, up_bias)"},
    "the bias of `down` is missing": {LAST: LAST.replace(", down_bias", "")},
}

EXERCISE = Exercise(
    minutes=45,
    difficulty=4,
    signature="text_vectors(texts, token, position, up, up_bias, down, down_bias) -> (B, D)",
    hints=(
        "Most cells of the rectangle are padding, and every step but the mean works on single tokens. So no rectangle\n"
        "is needed. Then ask of each step: must it run for each token, or would once for each text do?",
        "ids (N,) of all texts end to end; owner (N,), the number of each token's text; places (N,), from 0 in each\n"
        "text. x (N, D), inner (N, F). Sums by owner: (B, D) and (B, F). A mean and a linear layer may be exchanged.",
        "lengths of the texts; ids in one row; owner repeats each text's number as often as it has tokens\n"
        "places = number in the row, less where the token's text begins\n"
        "x = norm of token rows plus position rows; inner = gelu of `up` of x\n"
        "means of x and of inner for each owner: index_add, divided by the lengths\n"
        "the first mean, plus `down` of the second",
    ),
    seconds=30.0,
    parts=(Lab(text_vectors, cases, MISTAKES, in_pairs=False, in_order=True),),
)
