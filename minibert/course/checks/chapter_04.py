"""Chapter 4, inputs: the checks of its exercises: BERT's embeddings, and a padded batch with its mask."""

from minibert.course.checks.chapter_04_embeddings import check_embeddings
from minibert.course.checks.chapter_04_padding import check_padding
from minibert.course.exercise import Exercise

EXERCISES = [
    Exercise(
        number="4.1",
        title="BERT's embeddings",
        minutes=25,
        difficulty=2,
        signature="BertEmbeddings(V, D, P, dropout), an nn.Module: "
        "forward(ids (B, T), segment_ids (B, T) or None) -> (B, T, D)",
        hints=(
            "Three look-ups, one sum, one norm, one dropout, in this order. The position of a token is its place in\n"
            "its own text, counted from 0; nobody passes it in, so the module counts for itself.",
            "token (V, D) looked up with ids (B, T) gives (B, T, D); segment (2, D) with segment_ids (B, T) likewise.\n"
            "position (P, D) looked up with 0 ... T - 1 gives (T, D), which broadcasts over the texts of the batch.\n"
            "The norm acts on the last axis, D. segment_ids None stands for zeros (B, T): sentence A is a row, too.",
            "if T is larger than P: raise a ValueError that names both numbers\n"
            "if no segment_ids came: take zeros shaped like ids\n"
            "x = rows of token at the ids\n"
            "x = x plus rows of segment at segment_ids, plus the first T rows of position\n"
            "return dropout of norm of x; the norm was made with an eps of 1e-12",
        ),
        check=check_embeddings,
        kind="class",
    ),
    Exercise(
        number="4.2",
        title="A padded batch and its mask",
        minutes=15,
        difficulty=2,
        signature="pad_and_mask(texts: list of B lists of ids, pad_id) -> (ids (B, T) int64, mask (B, T) bool)",
        hints=(
            "The ids cannot tell what is padding, because a real token may have the same id. The lengths can, and you\n"
            "know them as long as the texts are still lists.",
            "T is the length of the longest text. ids (B, T): each text from the left, pad_id behind it.\n"
            "mask (B, T): as many True as the text has tokens, False behind them.",
            "T = the largest length\n"
            "for each text: a row of ids is the text and, behind it, as many pad_id as are missing to T\n"
            "               a row of the mask says of each place 0 ... T - 1 whether it lies before the text's end\n"
            "return both as tensors; the lists that came in stay as they are",
        ),
        check=check_padding,
    ),
]
