"""Chapter 6, BERT: the checks of its exercises: the block, the number of parameters, the weight table."""

from minibert.course.checks.chapter_06_block import _check_block
from minibert.course.checks.chapter_06_count import _check_count
from minibert.course.checks.chapter_06_names import _check_names
from minibert.course.exercise import Exercise

EXERCISES = [
    Exercise(
        number="6.1",
        title="BERT's block, for a padded batch",
        minutes=35,
        difficulty=3,
        signature="BertBlock(D, H, F, dropout), an nn.Module: forward(x (B, T, D), mask (B, T) bool) -> (B, T, D)",
        hints=(
            "Two sub-layers, attention and feed-forward. Around each: run it, drop out, add what came in, and only\n"
            "then normalise. The norm stands behind the sum, so whatever leaves the block is normalised.",
            "query, key, value: (B, T, D) -> (B, H, T, K), K = D / H: first split D into (H, K), then swap T and H.\n"
            "scores and shares (B, H, T, T); the mask (B, T) becomes (B, 1, 1, T), so that it hides keys.\n"
            "mixed (B, H, T, K) -> swap back -> (B, T, D); widen -> (B, T, F); narrow -> (B, T, D).",
            "heads = attention of chapter 5 on the split query, key, value, with the mask over the keys\n"
            "x = first norm of: x plus dropped-out output matrix of the heads laid side by side\n"
            "x = second norm of: x plus dropped-out narrow of (exact GELU of widen of x)\n"
            "both norms with an eps of 1e-12",
        ),
        check=_check_block,
        kind="class",
    ),
    Exercise(
        number="6.2",
        title="How many parameters?",
        minutes=20,
        difficulty=2,
        signature="count_parameters(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False) -> int",
        hints=(
            "Walk through the model from the tables to the pooler and write down each matrix, each bias and each\n"
            "norm. What is used twice is counted once.",
            "tables V, positions and segments, each D wide, and a norm (2 D) behind them; a block has 4 matrices\n"
            "(D, D), one (F, D), one (D, F), a bias for each of the six, and 2 norms;\n"
            "the pooler is (D, D) and a bias;\n"
            "the prediction head: a dense layer (D, D) with bias, a norm, and one bias of V numbers.",
            "dense(a, b) = a times b, plus b;  norm = twice D\n"
            "total = rows of all three tables times D, plus norm\n"
            "total += L times (four dense of D and D, dense of D and F, dense of F and D, two norms)\n"
            "with a pooler: another dense of D and D\n"
            "with mlm: another dense of D and D, a norm, and V numbers; the scores use the token table itself",
        ),
        check=_check_count,
    ),
    Exercise(
        number="6.3",
        title="The weight table: from their names to ours",
        minutes=30,
        difficulty=3,
        signature="to_ours(stored: dict of name -> tensor, L) -> dict of name -> tensor, for minibert.Encoder",
        hints=(
            "Do not translate what you find; ask for what you need. For each of our names, say which of theirs\n"
            "fill it.",
            "query, key and value are (D, D) each and stand below each other in ours: (3 D, D); their biases (3 D,).\n"
            "Everything else keeps its shape: both sides store a Linear as (out, in). gamma is a norm's gain\n"
            "(weight), beta its offset (bias). Theirs name a norm after the sub-layer in front of it.",
            "ours = the eight tensors outside the blocks less one, which is no weight; the norm's from gamma and beta\n"
            "for every block i, from 0 to L - 1:\n"
            "    for weight and for bias: join query, key, value along the rows, in this order\n"
            "    copy the output matrix, widen (intermediate) and narrow (output), weight and bias\n"
            "    copy both norms: gamma to weight, beta to bias\n"
            "return ours",
        ),
        check=_check_names,
    ),
]
