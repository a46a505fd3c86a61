"""Chapter 7, looking inside: the checks of its exercises: neighbours of a word in context, and what heads do."""

from minibert.course.checks.chapter_07_heads import check_scores
from minibert.course.checks.chapter_07_neighbours import check_neighbours
from minibert.course.exercise import Exercise

EXERCISES = [
    Exercise(
        number="7.1",
        title="The neighbours of a word in context",
        minutes=15,
        difficulty=2,
        signature="neighbours(vectors (S, D), index, k) -> (k,) int64, the most similar first",
        hints=(
            "Similar means: pointing in the same direction, however long the vectors are. And everybody is most\n"
            "similar to itself, so the occurrence that asks must not be among the answers.",
            "unit vectors (S, D), each of length 1; their products with the one that asks: (S,) cosines;\n"
            "the entry `index` of those can never win; of the rest the k largest, as indices (k,).\n"
            "Do not rely on the asker being first in the order: another vector may be exactly as similar.",
            "unit = each row over its own length\n"
            "cosine = product of every unit row with unit row number index\n"
            "put minus infinity at place index (in a copy, or in the cosines, never in what you were given)\n"
            "return the places of the k largest cosines, largest first",
        ),
        check=check_neighbours,
    ),
    Exercise(
        number="7.2",
        title="Find the previous-token and the [SEP] heads",
        minutes=25,
        difficulty=3,
        signature="head_scores(maps (L, H, T, T), tokens: list of T texts) -> (2, L, H): previous token, [SEP]",
        hints=(
            "A score is an average over the words that look: how much of its attention does a word give to the token\n"
            "in front of it, and how much to the separators? Special tokens look, too, but they do not count.",
            "rows are the tokens that look, columns those that are looked at. A word is every token except [CLS],\n"
            "[SEP] and [PAD]. Previous: the entries (i, i - 1) where i and i - 1 are both words, averaged, (L, H).\n"
            "[SEP]: for each row of a word the sum over all columns of [SEP], averaged over words, (L, H).",
            "word = for each token: is it none of the three special ones?\n"
            "previous = mean of maps at (i, i - 1), over every i that is a word and follows a word\n"
            "separator = mean over words i of (sum over every j that is a [SEP] of maps at (i, j))\n"
            "return the two stacked, previous first",
        ),
        check=check_scores,
    ),
]
