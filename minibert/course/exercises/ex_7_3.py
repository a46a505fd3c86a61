"""7.3 Open task: who did it? A probe against the bag of words. The check draws sentences of its own, and measures."""

import torch

from minibert.course.lab import Exercise, Lab, Wrong
from minibert.course.tools import call, expect_tensor, show
from minibert.tasks.open_roles import Roles, roles
from minibert.tasks.probe import fit_probe


def who_acts(states, where, labels, new_states, new_where):
    """1 where the noun of a new sentence acts, 0 where something is done to it: (S',) int64."""
    layer = 3  # the embeddings do not know it yet, the last layer was trained for other things

    def features(states, where):
        rows = torch.arange(len(where))
        # The noun's own vector knows it in part; what stands before and after it has taken up the rest.
        around = [states[rows, layer, where + step] for step in (-1, 0, 1)]
        return torch.cat(around, dim=-1)  # (S, 3 D)

    probe = fit_probe(features(states, where), labels, penalty=300.0)
    return probe.logits(features(new_states, new_where)).argmax(dim=-1)


BAR = 0.9
CHANCE = "no better than chance: [CLS], a mean over all tokens and the embeddings do not know it; take other vectors"
WORD = "the noun's own vector knows it in part; the tokens beside it, in the same layer, know the rest"
LAYER = "another layer knows more: let the probe tell you which, on some of the labelled sentences that you keep back"
EARLY = "the embeddings have not read the sentence: with the neighbours they know a part; take a layer further up"
TURNED = "the answers are turned round: 1 where the noun acts"
SAME = "all answers are the same"
MORE = "on the way: look at more tokens, or at another layer, and choose on labelled sentences that you keep back"
LABELS = "one label, 0 or 1, for each new sentence: argmax over the classes"


def known(data: tuple[Roles, Roles]) -> list[tuple[str, torch.Tensor]]:
    """What some probes that fall short would answer."""
    seen, later = data

    def probe(features):
        return fit_probe(features(seen), seen.labels, 100.0, steps=60).logits(features(later)).argmax(-1)

    def at(layer, *steps):
        return lambda one: torch.cat([one.states[range(len(one.where)), layer, one.where + s] for s in steps], dim=-1)

    return [(WORD, probe(at(3, 0))), (EARLY, probe(at(0, -1, 0, 1))), (LAYER, probe(at(6, 0)))]


def likely(got, data):
    """What to try next."""
    right = (got == data[1].labels).float().mean().item()
    if len(got.unique()) == 1:
        return SAME
    if right < 0.3:
        return TURNED
    same, cause = max(((got == other).float().mean().item(), cause) for cause, other in known(data))
    if same > 0.85:
        return cause
    return CHANCE if right < 0.62 else MORE


def measure(answer, rng):
    """Hand over sentences of this seed without the labels of the new ones, and count the right answers."""
    data = roles(int(torch.randint(2**31, (), generator=rng)))
    seen, later = data
    got = call(answer, seen.states, seen.where, seen.labels, later.states, later.where)
    got = expect_tensor("the answer", got, later.labels.shape, None)
    if not set(got.tolist()) <= {0, 1}:
        raise Wrong(f"the answer holds {show(sorted(set(got.tolist()))[:3])}", "0 and 1", LABELS)
    got = got.long()
    right = (got == later.labels).float().mean().item()
    if not right >= BAR:
        seen = f"{show(round(100 * right))} % of {len(got)} new sentences are right"
        raise Wrong(seen, f"at least {100 * BAR:.0f} %", likely(got, data))


RETURN = "return probe.logits(features(new_states, new_where)).argmax(dim=-1)"
AROUND = "[states[rows, layer, where + step] for step in (-1, 0, 1)]"
MISTAKES = {
    WORD: {"(-1, 0, 1)": "(0,)"},
    EARLY: {"layer = 3": "layer = 0"},
    LAYER: {"layer = 3": "layer = 6", "(-1, 0, 1)": "(0,)"},
    CHANCE: {AROUND: "[states[:, layer, 0]]"},
    "no better than chance": {AROUND: "[states[:, 0].mean(dim=1)]"},
    TURNED: {RETURN: RETURN.replace("return ", "return 1 - ")},
    SAME: {RETURN: "return torch.ones(len(new_where), dtype=torch.int64)"},
    "the answer has shape": {RETURN: RETURN.replace(".argmax(dim=-1)", "")},
    LABELS: {RETURN: RETURN.replace(".argmax(dim=-1)", "[:, 1]")},
}

EXERCISE = Exercise(
    minutes=45,
    difficulty=4,
    signature="who_acts(states (S, L + 1, T, D), where (S,), labels (S,), new states, new where) -> (S',) of 0 and 1",
    hints=(
        "Three choices decide: which layer, which tokens, and how much the probe trusts its features. The sentence's\n"
        "own vector at [CLS] does not know it, and neither does a bag of words. Who can know whether the noun acts?",
        "states[rows, layer, where] is (S, D): the noun's vector in one layer. where - 1 and where + 1 are its\n"
        "neighbours, which have been reading the sentence, too. fit_probe takes (S, any number of features).",
        "for each layer, and for the noun alone and the noun with its neighbours:\n"
        "    fit a probe to 140 of the labelled sentences, measure it on the other 40\n"
        "take the best, fit it to all 180\n"
        "return the class with the larger logit for each new sentence",
    ),
    parts=(Lab(who_acts, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=60.0,
    needs=("minilm",),
)
