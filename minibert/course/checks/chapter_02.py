"""Chapter 2, ELMo: the checks of its exercises: the scalar mix, and the leak of a model that sees what it predicts."""

from minibert.course.checks.chapter_02_leak import check_leak
from minibert.course.checks.chapter_02_mix import check_mix
from minibert.course.exercise import Exercise

EXERCISES = [
    Exercise(
        number="2.1",
        title="The scalar mix",
        minutes=20,
        difficulty=2,
        signature="ScalarMix(layers), an nn.Module with the parameters scores (L,) and gamma (): "
        "forward(states (L, B, T, D)) -> (B, T, D)",
        hints=(
            "One share for each layer, the same for all texts, tokens and entries, and one factor for the whole. The\n"
            "shares are positive and sum to 1, though the parameters behind them are free to be any numbers.",
            "scores (L,) become shares (L,), which sum to 1 over the layers. To meet states (L, B, T, D) they need\n"
            "three more axes behind, (L, 1, 1, 1), or a loop over the layers. The sum over the first axis leaves\n"
            "(B, T, D), and gamma, one number, multiplies all of it.",
            "made: scores as a parameter of L zeros, gamma as a parameter that is 1\n"
            "called: shares = softmax of the scores, over their only axis, before they get any other\n"
            "        mixture = for each layer its share times its states, added up\n"
            "        return gamma times the mixture",
        ),
        check=check_mix,
        kind="class",
    ),
    Exercise(
        number="2.2",
        title="Find the leak, and close it",
        minutes=35,
        difficulty=3,
        signature="(sees, closed_states): sees(predict, ids (T,), vocabulary: V) -> (T, T) bool, "
        "closed_states(forward (B, T, K), backward (B, T, K)) -> (B, T, 2 K)",
        hints=(
            "A prediction that does not depend on a word cannot change when the word does. So change one word,\n"
            "predict again, and look which rows moved; and then the next word. To close the leak: the forward\n"
            "reader's state at a place has already read this place, so ask for the state it had one step before. What\n"
            "does the backward reader call 'one step before'?",
            "sees: predict(ids) is (T, V); changing place s gives another (T, V); their difference, largest over V,\n"
            "says for each of the T rows whether it moved: that is column s of the answer.\n"
            "closed_states: (B, T, K) and (B, T, K) side by side are (B, T, 2 K). Along T the first is moved one\n"
            "place to the right, the second one place to the left; each leaves one place empty, (B, 1, K), which gets\n"
            "zeros.",
            "sees: before = predictions for ids\n"
            "      for each place s, for each word of the vocabulary:\n"
            "          a copy of ids with this word at s; predict again\n"
            "          column s is true where some entry of the row differs from before by more than 1e-4\n"
            "closed_states: left = a column of zeros, then forward without its last place\n"
            "               right = backward without its first place, then a column of zeros\n"
            "               return left and right, joined along the last axis",
        ),
        check=check_leak,
        kind="value",
    ),
]
