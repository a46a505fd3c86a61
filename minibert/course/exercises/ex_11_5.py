"""11.5 Open task: answer better than the sentence most alike. The check asks questions of its own."""

from collections import Counter

import torch

from minibert.course.exercise import Exercise, Wrong
from minibert.course.lab import Lab
from minibert.course.tools import call, kind_of, show
from minibert.tasks import bags
from minibert.tasks.open_tuning import draw_questions, mean_f1, nearest_sentence


def answers(rows, questions):
    """An answer to each (question, text), learned from rows (question, text, answer)."""
    texts_with = Counter(word for _, text, _ in rows for word in set(bags.words(text)))
    common = {word for word, count in texts_with.items() if count > len(rows) / 10}  # the, of, is ...
    found = []
    for question, text in questions:
        asked = {word[:5] for word in bags.words(question)}  # its beginning: produce, produces, producing
        kept = bags.words(nearest_sentence(question, text))
        new = [word for word in kept if word[:5] not in asked and word not in common]
        found.append(" ".join(new))  # what the sentence says and the question does not
    return found


MORE, LONG = 0.35, 6.0  # how far the bar lies above the sentence; how many words an answer has at most, on the average
LIST = "return a list with a text for each of `questions`, in their order"
SENTENCE = "that is about the sentence itself; which of its words are the answer?"
LENGTH = "the answers are long, and the right ones have one to three words: each word too many costs precision"
EMPTY = "most answers are empty"
NEAR = (
    "better than the sentence, and not there: what does the sentence say that the question does not? Common words too "
)
NEAR += "are no answer, and a word of the question may have another ending in the text"
FAR = "hardly a word of it is right: is the answer looked for in the right text, and near the words of the question?"
SOLD = "no way of reading gets so many right: are the questions looked up in the data set?"


def measure(answer, rng):
    """Ask for the answers to questions of this seed, and compare with the sentences most alike."""
    rows, questions, right = draw_questions(int(torch.randint(2**31, (), generator=rng)))
    got = call(answer, rows, questions)
    if type(got) not in (list, tuple) or len(got) != len(questions):
        raise Wrong(f"answers returns {kind_of(got)}", f"a list of {len(questions)}", LIST)
    if strange := [one for one in got if not isinstance(one, str)]:
        raise Wrong(f"an answer is {kind_of(strange[0])}", "a text", LIST)
    sentences = [nearest_sentence(question, text) for question, text in questions]
    score, base = mean_f1(got, right), mean_f1(sentences, right)
    if base + MORE <= score < 0.9:
        return
    seen = f"the mean F1 is {show(round(score, 3))}, of the sentences most alike {show(round(base, 3))}"
    raise Wrong(seen, f"at least {show(round(base + MORE, 3))}, {MORE:g} above", likely(got, score, base))


def likely(got, score, base):
    """What to try first."""
    if score >= 0.9:
        return SOLD
    if sum(not one.strip() for one in got) > len(got) / 2:
        return EMPTY
    length = sum(len(bags.words(one)) for one in got) / len(got)
    if length > LONG:
        return SENTENCE if abs(score - base) < 0.03 else LENGTH
    return FAR if score < base else NEAR


NEW = "if word[:5] not in asked and word not in common]"
FOUND = 'found.append(" ".join(new))'
LOOK = "    from minibert.tasks.open_tuning import science_questions\n"
MISTAKES = {
    SENTENCE: {FOUND: "found.append(nearest_sentence(question, text))"},
    LENGTH: {
        FOUND: "found.append(text)",
        "    for question": "    rows = [text for _, text in questions]\n    for question",
    },
    EMPTY: {FOUND: 'found.append("")'},
    FAR: {FOUND: 'found.append(" ".join(bags.words(question)[:2]))'},
    NEAR: {FOUND: "found.append(max(bags.words(nearest_sentence(question, text)), key=len))"},
    LIST: {FOUND: "found.extend(new)"},
    "an answer is a list": {FOUND: "found.append(new)"},
    SOLD: {
        "    return found": f"{LOOK}    found = {{row[0]: row[2] for row in science_questions()}}\n"
        "    return [found[one] for one, _ in questions]"
    },
}

EXERCISE = Exercise(
    minutes=60,
    difficulty=4,
    signature="answers(rows: list of (question, text, answer), questions: list of (question, text)) -> a list of texts",
    hints=(
        "The sentence most alike is mostly the right one, and most of it stands in the question already. What is left\n"
        "over? Look at twenty rows before you write anything.",
        "300 (question, text) -> 300 answers. A sentence has about 20 words, the answer one to three. 200 texts are\n"
        "enough to know which words stand everywhere; words of the question come back with other endings.",
        "count in how many of the given texts each word stands: those in many of them are no answer\n"
        "for each question: the sentence most alike\n"
        "    without words that begin as one of the question does\n"
        "    without those that stand everywhere\n"
        "    what is left is an answer; a scorer trained on `rows` can choose the best run of words in it",
    ),
    parts=(Lab(answers, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=180.0,
    needs=("olmo-eval",),
)
