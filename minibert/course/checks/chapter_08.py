"""Chapter 8, masked language modelling: its exercises. The checks are in chapter_08_masking.py and _loss.py."""

from minibert.course.checks.chapter_08_loss import check_loss
from minibert.course.checks.chapter_08_masking import check_masking
from minibert.course.exercise import Exercise

EXERCISES = [
    Exercise(
        number="8.1",
        title="Mask a batch of tokens, 80/10/10",
        minutes=30,
        difficulty=3,
        signature="mask_tokens(ids (B, T) int64, special_ids, vocab_size, mask_id, rate, generator) -> "
        "(inputs (B, T), labels (B, T)), both int64",
        hints=(
            "Two questions are asked of each token, and each needs a draw of its own. Is it chosen? And if so, what\n"
            "becomes of it? The label depends on the first answer only: whatever a chosen token turns into, the model\n"
            "has to name what stood there.",
            "is_special (B, T) bool; a first draw (B, T) of numbers from 0 to 1 gives chosen (B, T) bool;\n"
            "a second draw (B, T) gives two more masks (B, T), for what becomes [MASK] and what becomes random;\n"
            "ordinary (V - specials,) lists the ids that a random token may be, and picks (B, T) are places in it.\n"
            "inputs and labels are new tensors (B, T).",
            "chosen = the first draw lies below the rate, and the token is not special\n"
            "labels = the ids where chosen, -100 everywhere else\n"
            "second draw: below 0.8 means [MASK], from 0.8 to 0.9 means random, above means unchanged\n"
            "inputs = the ids; put [MASK] where chosen and the second draw says so\n"
            "         put ordinary[a random place in it] where chosen and the second draw says so\n"
            "every draw takes the generator that was passed in",
        ),
        check=check_masking,
        seconds=60.0,
    ),
    Exercise(
        number="8.2",
        title="The loss at masked places only",
        minutes=20,
        difficulty=2,
        signature="masked_loss(logits (B, T, V), labels (B, T)) -> a tensor of shape ()",
        hints=(
            "Most places have no label. They must not be in the sum, and they must not be in the number by which you\n"
            "divide. What is that number when nothing was masked at all?",
            "labelled (B, T) bool has M places that are True; their rows of the logits are (M, V), their labels (M,);\n"
            "a loss for each of them (M,), and one mean ().",
            "labelled = where the label is not -100\n"
            "rows = the logits there; targets = the labels there\n"
            "total = the sum of minus the log-probability of each target\n"
            "return total over the number of targets, or over 1 if there are none",
        ),
        check=check_loss,
    ),
]
