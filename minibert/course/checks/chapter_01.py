"""Chapter 1, word vectors: the checks of its exercises: a loss, a table of counts, and what no bag of words can see."""

from minibert.course.checks.chapter_01_bags import check_bags
from minibert.course.checks.chapter_01_negatives import check_loss
from minibert.course.checks.chapter_01_windows import check_counts
from minibert.course.exercise import Exercise

EXERCISES = [
    Exercise(
        number="1.1",
        title="The negative-sampling loss",
        minutes=20,
        difficulty=2,
        signature="negative_sampling_loss(centre (N, D), positive (N, D), negatives (N, n, D)) -> (), "
        "the mean over the N pairs",
        hints=(
            "Each pair asks n + 1 yes-or-no questions: does this word stand beside the centre? For the true neighbour\n"
            "the answer should be yes, for the n drawn words no. The probability of yes is the sigmoid of the dot\n"
            "product, that of no is 1 minus it, which is the sigmoid of the same number with the other sign.",
            "score of the neighbour (N,): the entries of (N, D) times (N, D), summed over D.\n"
            "scores of the drawn words (N, n): (N, n, D) with (N, 1, D), summed over D.\n"
            "log-probabilities have these shapes, too. Over n they add up: (N,). Over N we take the mean: ().",
            "yes = dot product of each centre with its neighbour\n"
            "no = dot products of each centre with its own drawn words\n"
            "for each pair: log-sigmoid of yes, plus the log-sigmoids of all the no, each with its sign turned\n"
            "return the mean over the pairs, with the sign that makes it a loss\n"
            "(torch has a log-sigmoid in one piece; it needs no log of 0)",
        ),
        check=check_loss,
    ),
    Exercise(
        number="1.2",
        title="Counting neighbours in a window",
        minutes=20,
        difficulty=2,
        signature="co_occurrence(sentences: list of lists of ids, vocabulary: V, window) -> counts (V, V)",
        hints=(
            "Think of places, not of words: every place has neighbours at most `window` steps to the left and to the\n"
            "right, in its own sentence. A place is not its own neighbour; another place with the same word may be.",
            "counts is (V, V), zeros at first, and every pair of places adds 1 to one entry: row, the word at the\n"
            "first place; column, the word at its neighbour. The result is symmetric, because nearness is.",
            "for each sentence:\n"
            "    for each place in it, and for each other place not further away than window:\n"
            "        add 1 in the row of the one word, the column of the other\n"
            "(places left of the first do not exist, though Python has an item at index -1)",
        ),
        check=check_counts,
    ),
    Exercise(
        number="1.3",
        title="What no bag of words can see",
        minutes=20,
        difficulty=2,
        signature="(twins, bag_ceiling): twins() -> two sentences, "
        "bag_ceiling(texts: list of N lists of words, labels: list of N ints) -> a share from 0 to 1",
        hints=(
            "Whoever sees only the bag gives one answer to each bag: texts with the same bag all get the same label.\n"
            "So put the texts into heaps, one for each bag, and ask which single answer serves a heap best.",
            "N texts fall into at most N heaps. A heap of m texts has m labels; the label that occurs most often\n"
            "among them is right for that many of the m. These counts add up over the heaps, and N divides the sum.",
            "for each text: its bag is what remains when the order is taken away, and nothing else is:\n"
            "               every word, as often as it occurs\n"
            "               put its label on the heap of this bag\n"
            "right = for each heap, how often its most frequent label occurs, added up\n"
            "return right, as a share of all texts",
        ),
        check=check_bags,
        kind="value",
    ),
]
