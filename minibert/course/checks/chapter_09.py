"""Chapter 9, next sentence: the checks of its exercises: pairs, a loss of 0.0 at 50 %, and tests that find bugs."""

from minibert.course.checks.chapter_09_losses import check_losses
from minibert.course.checks.chapter_09_pairs import check_pairs
from minibert.course.checks.chapter_09_properties import check_properties
from minibert.course.exercise import Exercise

EXERCISES = [
    Exercise(
        number="9.1",
        title="Sample sentence pairs",
        minutes=25,
        difficulty=3,
        signature="make_pairs(documents, rng) -> list of (A, B, label); documents: lists of sentences, "
        "sentences: lists of ids, rng: random.Random",
        hints=(
            "Walk through each document with a pointer. A coin decides: A gets the sentence behind it, which is\n"
            "then used up, or it gets a stranger, and the sentence behind it waits to be the next A.",
            "one triple (A, B, label) for each step; A and B are sentences, label is 0 (is next) or 1 (random).\n"
            "A document of n sentences gives between n / 2 and n triples: its As and its true Bs, read in order,\n"
            "are the document itself.",
            "for each document, with its number:\n"
            "    begin at its first sentence; as long as there is one:\n"
            "        no sentence behind it, or the coin says random:\n"
            "            pick a document with another number, and any sentence of it; label 1; one step on\n"
            "        otherwise: B is the sentence behind A; label 0; two steps on",
        ),
        check=check_pairs,
        seconds=20.0,
    ),
    Exercise(
        number="9.2",
        title="Explain a loss of 0.0 at an accuracy of 50 %",
        minutes=20,
        difficulty=2,
        signature="(reported_loss, nsp_loss, constant_guess): both losses take logits (B, 2), labels (B,) and return a "
        "scalar tensor; constant_guess(labels (B,)) -> logits (B, 2)",
        hints=(
            "Compare rows of the table that differ in one pair only. Which pairs could you change without the log\n"
            "noticing? Those were never looked at.",
            "each pair has a cost of its own, (B, 2) and (B,) -> (B,): minus the logarithm of the probability of its\n"
            "label. Both losses are means of such costs; they differ in which pairs take part.\n"
            "constant_guess repeats one row of two finite logits B times: (2,) -> (B, 2).",
            "reported: keep the pairs of one label; mean cross-entropy over those\n"
            "right:    mean cross-entropy over all pairs (torch's function, with nothing ignored)\n"
            "guess:    one row whose probability for the label that counts is nearly 1, once for each pair",
        ),
        check=check_losses,
        kind="value",
    ),
    Exercise(
        number="9.3",
        title="Five bugs, each found by a property",
        minutes=45,
        difficulty=4,
        signature="(norm_test, pooling_test, loss_test, bias_test, masking_test): each takes a function and raises "
        "AssertionError if it is broken",
        hints=(
            "Do not ask what the right numbers are. Ask what must hold of any right answer, whatever the numbers: a\n"
            "spread of exactly 1; padding that does not matter; two labels that are mirror images; a difference that\n"
            "is the bias; counts that add up.",
            "norm: x (N, D), D small, with a mean far from 0; rows of the output have mean 0 and mean square 1.\n"
            "pool: hidden (2, 6, D), mask (2, 6) with two different lengths; against (1, length, D) alone.\n"
            "loss: logits (B, 2) and labels (B,) of both kinds, and their mirror image.\n"
            "score: hidden (N, D), table (V, D), bias (V,) of random numbers, and a bias of zeros.\n"
            "mask: a million ids (N,); three shares.",
            "norm:  output of random rows; its mean is near 0 and the mean of its squares near 1, row by row\n"
            "pool:  pooled batch; for each text, the same without padding: equal, up to rounding\n"
            "loss:  exchange the columns of the logits and the labels 0 and 1: the same loss, up to rounding\n"
            "score: with bias minus without bias: the bias, for each token\n"
            "mask:  share of labels that are not -100: 0.15; of these, share of [MASK]: 0.8; unchanged: 0.1",
        ),
        check=check_properties,
        kind="value",
        seconds=20.0,
    ),
]
