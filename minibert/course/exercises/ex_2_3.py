"""2.3 Open task: a reader of both sides that finds the duty. The check trains it and measures."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.course.lab import Exercise, Lab, Wrong
from minibert.course.tools import call, kind_of, show
from minibert.tasks.open_reader import HIDDEN, Rota, own_rota, share_found


def train_reader(rows, places, vocabulary):
    """Learn from sentences with their duties: rows (R, T), places (R,) -> find(rows (B, T), places (B,)) -> (B, V)."""
    torch.manual_seed(0)
    D, steps, rate = 32, 320, 2e-2
    table, ahead, back = nn.Embedding(vocabulary, D), nn.LSTM(D, D, batch_first=True), nn.LSTM(D, D, batch_first=True)
    # Each half may be read on its own; what is new is a layer with an activation between the meeting and the logits.
    join = nn.Sequential(nn.LayerNorm(2 * D), nn.Linear(2 * D, 64), nn.ReLU(), nn.Linear(64, vocabulary))

    def find(rows, places):
        x, each = table(rows), torch.arange(len(rows))
        before = ahead(x)[0][each, places - 1]  # (B, D): has not read the word that is asked for
        after = back(x.flip(1))[0].flip(1)[each, places + 1]
        return join(torch.cat([before, after], dim=-1))

    optimizer = torch.optim.Adam(nn.ModuleList([table, ahead, back, join]).parameters())
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        some = torch.randint(len(rows), (64,))
        loss = F.cross_entropy(find(rows[some], places[some]), rows[some, places[some]])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return find


BAR = 0.9  # of the hidden duties; guessing finds a third, and so does one side, or the sum of two
LEAK = "shown the duty, `find` repeats it: in training it has read the word that it should find, so it learned to copy"
LEFT = "the answers do not change with the words after the duty: read from the right, too"
RIGHT = "the answers do not change with the words before the duty: read from the left, too"
ADDED = (
    "the two sides are only added up: a linear layer on both halves is a sum of two scores, and cross-entropy finds no "
    "good one; put a layer with an activation between the halves and the logits"
)
MORE = "both sides are read and combined, but not yet well: more steps, another learning rate, a layer norm before it"
FUNCTION = "train_reader returns a function find(rows (B, T), places (B,)) that gives logits (B, V)"


def logits_of(find, rows: Tensor, places: Tensor, vocabulary: int) -> Tensor:
    """What `find` gives, if it is logits."""
    with torch.no_grad():
        found = call(find, rows, places)
    want = (len(rows), vocabulary)
    if not isinstance(found, Tensor) or tuple(found.shape) != want or not found.is_floating_point():
        raise Wrong(f"find returns {kind_of(found)}", f"a tensor of floats {want}", FUNCTION)
    if not bool(found.isfinite().all()):
        raise Wrong("find returns NaN or infinite logits", "finite numbers", "a lower learning rate")
    return found


def measure(answer, rng):
    """Train on a rota of this seed, and ask for duties that are hidden."""
    rota = own_rota(int(torch.randint(2**31, (), generator=rng)))
    find = call(answer, rota.rows, rota.places, rota.vocabulary)
    if not callable(find):
        raise Wrong(f"train_reader returns {kind_of(find)}", "a function", FUNCTION)
    share = share_found(lambda rows, places: logits_of(find, rows, places, rota.vocabulary), rota)
    if not share >= BAR:
        raise Wrong(f"{show(round(share, 2))} of the hidden duties are found", f"at least {BAR:g}", likely(find, rota))


def likely(find, rota: Rota) -> str:
    """Why a reader does not find the duties."""
    each, V = torch.arange(len(rota.asked)), rota.vocabulary
    shown, column = rota.asked.clone(), torch.arange(rota.asked.shape[1])
    shown[each, rota.asked_places] = rota.answers
    if (logits_of(find, shown, rota.asked_places, V).argmax(-1) == rota.answers).float().mean() >= BAR:
        return LEAK
    plain, at = logits_of(find, rota.asked, rota.asked_places, V), rota.asked_places[:, None]
    without = [
        logits_of(find, rota.asked.masked_fill(gone, HIDDEN), rota.asked_places, V)
        for gone in (column > at, column < at)
    ]
    moved = [(one - plain).abs().max() > 1e-4 for one in without]
    if not all(moved):
        return RIGHT if moved[0] else LEFT if moved[1] else "the answers do not change with the sentence at all"
    return ADDED if additive(find, rota) else MORE


def additive(find, rota: Rota) -> bool:
    """Whether the logits are a score of the left side plus one of the right side: seen on sentences cut and pasted."""
    same = (rota.asked_places == rota.asked_places.mode().values).nonzero().squeeze(1)[:40]
    rows, places = rota.asked[same], rota.asked_places[same]
    cut, half = int(places[0]) + 1, len(rows) // 2
    one, two = rows[:half], rows[half : 2 * half]
    crossed = [torch.cat([a[:, :cut], b[:, cut:]], dim=1) for a in (one, two) for b in (one, two)]
    first, second, third, fourth = (logits_of(find, each, places[:half], rota.vocabulary) for each in crossed)
    spread = (first - fourth).abs().max().clamp(min=1e-6)
    return bool((first - second - third + fourth).abs().max() < 1e-3 * spread)


JOIN = "nn.Sequential(nn.LayerNorm(2 * D), nn.Linear(2 * D, 64), nn.ReLU(), nn.Linear(64, vocabulary))"
BOTH, END = "torch.cat([before, after], dim=-1)", "optimizer.step()\n    return find"
MISTAKES = {
    LEAK: {"[each, places - 1]": "[each, places]"},
    LEFT: {BOTH: "torch.cat([before, before], dim=-1)"},
    RIGHT: {BOTH: "torch.cat([after, after], dim=-1)"},
    ADDED: {JOIN: "nn.Linear(2 * D, vocabulary)"},
    MORE: {"32, 320, 2e-2": "32, 20, 2e-2"},
    FUNCTION: {END: "optimizer.step()\n    return find(rows, places)"},
    "the answers do not change with the sentence": {END: "return lambda r, p: torch.zeros(len(r), vocabulary)"},
    "your code changes": {END: "optimizer.step()\n    rows[:] = 0\n    return find"},
}

EXERCISE = Exercise(
    minutes=60,
    difficulty=4,
    signature="train_reader(rows (R, T) int64, places (R,) int64, vocabulary: V) -> find, "
    "a function find(rows (B, T) int64, places (B,) int64) -> logits (B, V)",
    hints=(
        "Neither half may have read the word that is asked for, and neither side alone says anything about it. What\n"
        "can a sum of two scores not express? Where must something that is not a sum stand?",
        "rows (B, T) -> vectors (B, T, D) -> states of a reader from the left and of one from the right, (B, T, D)\n"
        "each. At place p: the left state of p - 1 and the right state of p + 1, side by side (B, 2 D), then a hidden\n"
        "layer (B, 64), then logits (B, V). 200 to 300 steps of 64 sentences take seconds.",
        "make a table, two LSTMs, and a small network with one hidden layer\n"
        "find: read from the left, read from the right (turn the rows round, and the states back);\n"
        "      pick the two states next to the place, join them, give them to the network\n"
        "train: random sentences, cross-entropy against the word at the place, Adam, a falling learning rate\n"
        "if it stays at a third: is what enters the hidden layer of about the size 1?",
    ),
    parts=(Lab(train_reader, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=120.0,
)
