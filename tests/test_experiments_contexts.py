"""The two experiments on contexts: nobody sees the word to be found, and nothing but the sense tells the sense."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from minibert.config import EncoderConfig
from minibert.corpora import synthetic
from minibert.experiments import reading_sides
from minibert.experiments.bidirectional import BIDIRECTIONAL, find_words, reader
from minibert.experiments.both_senses import bags_of_words, join_senses
from minibert.experiments.neighbours import FUNCTION_WORDS, Pool, make_pools, nearest_accuracy, use_of
from minibert.experiments.reading_sides import Concatenated, Deep, LeftToRight, look, may_see
from minibert.experiments.rota import DAYS, DUTIES, NAMES, duty, rota_sentences
from minibert.experiments.senses import SENSES, layers_at
from minibert.experiments.word_rows import MASK, batches, packed, row, word_ids
from minibert.model import Encoder, MaskedLanguageModel
from minibert.word_vectors.elmo import BidirectionalLM

SETTINGS = BIDIRECTIONAL.settings | {"width": 16, "heads": 2}
WORDS = 40
ARMS = ("left to right", "concatenated", "concatenated, dense")


def net(arm, seed=0):
    return reader(arm, SETTINGS, WORDS, torch.Generator().manual_seed(seed)).double()


def text(*lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return packed([torch.randint(5, WORDS, (n,), generator=generator).tolist() for n in lengths])


def what_matters(model, ids, cu_seqlens, at):
    """The places whose word changes the scores at `at`."""
    before = model(ids, cu_seqlens, torch.tensor([at]))
    changed = []
    for place in range(len(ids)):
        other = ids.clone()
        other[place] = 5 + (ids[place] - 4) % (WORDS - 5)
        if not torch.equal(model(other, cu_seqlens, torch.tensor([at])), before):
            changed.append(place)
    return changed


# who sees what


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("at", [4, 6, 8])
def test_no_reader_sees_the_word_it_looks_for(arm, at):
    ids, cu_seqlens = text(3, 7, 4)  # the middle text is 3 .. 9
    expected = range(3, at) if arm == "left to right" else [i for i in range(3, 10) if i != at]
    with torch.no_grad():
        assert what_matters(net(arm), ids, cu_seqlens, at) == list(expected)


def test_deep_sees_both_sides_and_the_place_itself():
    """So whoever asks it has to hide the word, and `hides` says so."""
    ids, cu_seqlens = text(3, 7, 4)
    with torch.no_grad():
        assert what_matters(net("deep"), ids, cu_seqlens, 6) == list(range(3, 10))
    assert Deep.hides and not LeftToRight.hides and not Concatenated.hides


@pytest.mark.parametrize("arm", [*ARMS, "deep"])
def test_the_answer_never_reaches_the_model(arm):
    """Other answers at the hidden places: the model's scores for them stay what they were."""
    model, generator = net(arm), torch.Generator().manual_seed(1)
    rows = [torch.randint(5, WORDS, (9,), generator=generator).tolist() for _ in range(4)]
    seen = []
    model.register_forward_hook(lambda module, inputs, scores: seen.append(scores))
    for word in (5, 6):
        with torch.no_grad():
            find_words(model, [([*r[:4], word, *r[5:]], 4) for r in rows])
    torch.testing.assert_close(seen[0], seen[1], rtol=0, atol=0)


@pytest.mark.parametrize("mistake", ["may see one more", "sides swapped", "reads its own place"])
def test_planted_leaks_are_seen(mistake, monkeypatch):
    model = net("concatenated" if mistake != "may see one more" else "left to right")
    if mistake == "may see one more":
        seen = reading_sides.may_see
        monkeypatch.setattr(
            reading_sides, "may_see", lambda n, side: seen(n, side) | torch.eye(int(n.max())).bool().roll(1, 1)
        )
    elif mistake == "sides swapped":
        model.left, model.right = model.right, model.left
    else:
        forward = model.forward
        model.forward = lambda ids, cu, at: forward(ids, cu, at) + forward(ids, cu, at + 1)
    ids, cu_seqlens = text(3, 7, 4)
    with torch.no_grad():
        assert 6 in what_matters(model, ids, cu_seqlens, 6)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 5))
def test_masks_are_the_naive_ones(lengths, seed):
    wide = max(lengths)
    for side in reading_sides.SIDES:
        got = may_see(torch.tensor(lengths), side)
        for b, i, j in itertools.product(range(len(lengths)), range(wide), range(wide)):
            if i < lengths[b]:  # nobody asks what padding sees
                allowed = {"left": j <= i, "right": j >= i, "both": True}[side]
                assert bool(got[b, i, j]) == (allowed and j < lengths[b])


@pytest.mark.parametrize("preset", ["modernbert-nano", "bert-nano"])
def test_looking_to_both_sides_is_the_models_own_attention(preset):
    config = EncoderConfig.preset(preset).replace(vocab_size=WORDS)
    if preset == "modernbert-nano":
        config = config.replace(layer_types=("global",), local_window=None, rope_theta_local=None, dropout_attn_out=0.0)
    ids, cu_seqlens = text(5, 1, 9)
    plain, masked = (Encoder(config, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    got = look(masked, "both").packed(ids, cu_seqlens).hidden
    torch.testing.assert_close(got, plain.packed(ids, cu_seqlens).hidden, rtol=1e-4, atol=1e-5)


def test_a_text_from_the_left_is_its_mirror_image_from_the_right():
    """Without positions the two directions are one net, so the mirrored text has the mirrored states."""
    config = EncoderConfig.preset("bert-nano").replace(vocab_size=WORDS, layers=2)
    ids, cu_seqlens = text(8)
    states = {}
    for side, order in (("left", ids), ("right", ids.flip(0))):
        encoder = look(Encoder(config, pooler=False, generator=torch.Generator().manual_seed(2)), side)
        torch.nn.init.zeros_(encoder.embeddings.position.weight)
        states[side] = encoder.packed(order, cu_seqlens).hidden
    torch.testing.assert_close(states["left"], states["right"].flip(0), rtol=1e-4, atol=1e-5)


def test_an_unknown_side_is_refused():
    with pytest.raises(ValueError, match="'up'"):
        look(Encoder(EncoderConfig.preset("bert-nano")), "up")


def test_the_halves_share_one_token_table_and_nothing_else():
    model = net("concatenated")
    assert model.left.embeddings.token.weight is model.right.embeddings.token.weight is model.decoder.weight
    deep, single = (sum(p.numel() for p in net(arm).parameters()) for arm in ("deep", "left to right"))
    assert deep == single  # the mask is the only difference
    left, right = ({id(p) for p in side.blocks.parameters()} for side in (model.left, model.right))
    assert not left & right and len(left) == len(right) > 0


# the rota


def test_one_side_of_the_rota_says_nothing():
    for name, day in itertools.product(NAMES, DAYS):
        assert {duty(name, d) for d in DAYS} == set(DUTIES) == {duty(n, day) for n in NAMES}
    for words, place in rota_sentences(200, torch.Generator().manual_seed(0)):
        (name,), (day,) = set(words[:place]) & set(NAMES), set(words[place + 1 :]) & set(DAYS)
        assert words[place] == duty(name, day)
        assert not set(words) - {words[place]} & set(DUTIES)


def test_a_sum_of_two_sides_finds_seven_of_nine_duties():
    """No table of scores left(name) + right(day) finds eight: each subset of duties is a linear programme."""
    cells = list(itertools.product(range(3), range(3)))
    answers = [DUTIES.index(duty(NAMES[n], DAYS[d])) for n, d in cells]

    def found_together(subset) -> bool:
        rows = []
        for place in subset:
            n, d = cells[place]
            for other in set(range(3)) - {answers[place]}:  # other's score + 1 <= the right one's
                line = [0.0] * 18
                for start, which in ((0, n), (9, d)):
                    line[start + 3 * which + other] += 1
                    line[start + 3 * which + answers[place]] -= 1
                rows.append(line)
        return linprog([0.0] * 18, rows, [-1.0] * len(rows), bounds=(None, None)).status == 0

    assert any(found_together(subset) for subset in itertools.combinations(range(9), 7))
    assert not any(found_together(subset) for subset in itertools.combinations(range(9), 8))


def test_cross_entropy_leads_no_sum_of_two_sides_to_the_duties():
    """The best scores of the form left(name) + right(day): cross-entropy ends at an even guess."""
    cells = list(itertools.product(range(len(NAMES)), range(len(DAYS))))
    answers = torch.tensor([DUTIES.index(duty(NAMES[n], DAYS[d])) for n, d in cells])
    names, days = torch.tensor(cells).unbind(1)
    tables = [torch.randn(3, 3, generator=torch.Generator().manual_seed(i)).requires_grad_() for i in range(2)]
    optimizer = torch.optim.Adam(tables, lr=0.1)
    for _ in range(150):
        loss = torch.nn.functional.cross_entropy(tables[0][names] + tables[1][days], answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert abs(loss.item() - torch.tensor(3.0).log().item()) < 1e-2


# senses


@pytest.fixture(scope="module")
def uses():
    return [use_of(example) for example in synthetic.polysemy(432, seed=1)]


def test_pools_are_matched_and_share_no_content(uses):
    strict, free = (make_pools(uses, overlap, torch.Generator().manual_seed(0)) for overlap in (False, True))
    assert len(strict) > 0.9 * len(uses)
    for pools, overlap in ((strict, False), (free, True)):
        for query, same, other in pools[::9]:
            ours = uses[query]
            assert query not in same.tolist() and len(set(other.tolist())) == len(other) == len(same)
            for s, o in zip(same.tolist(), other.tolist(), strict=True):
                assert uses[s].word == uses[o].word == ours.word
                assert uses[s].sense == ours.sense != uses[o].sense
                assert uses[s].frame == uses[o].frame
                assert overlap or not ours.content & (uses[s].content | uses[o].content)
    assert sum(len(p.same) for p in free) > sum(len(p.same) for p in strict)


def test_function_words_are_those_of_every_sense(uses):
    by_sense = {}
    for use in (use_of(example) for example in synthetic.polysemy(3600, seed=2)):
        by_sense.setdefault((use.word, use.sense), set()).update(use.words)
    assert set.intersection(*by_sense.values()) == FUNCTION_WORDS


def test_scores_that_are_known(uses):
    pools = make_pools(uses, False, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    words = {use.word: torch.randn(16, generator=generator) for use in uses}
    senses = {(use.word, use.sense): torch.randn(16, generator=generator) for use in uses}
    content = {word: torch.randn(256, generator=generator) for use in uses for word in sorted(use.content)}
    frames = {use.frame: torch.randn(16, generator=generator) for use in uses}
    static = torch.stack([words[use.word] for use in uses])
    assert nearest_accuracy(static, pools) == 0.5  # ties throughout
    assert nearest_accuracy(torch.stack([senses[use.word, use.sense] for use in uses]), pools) == 1.0
    assert nearest_accuracy(torch.stack([frames[use.frame] for use in uses]), pools) == pytest.approx(0.5)
    bags = torch.stack([sum(content[word] for word in sorted(use.content)) for use in uses])
    assert abs(nearest_accuracy(bags, pools) - 0.5) < 0.06  # which words they are does not help ...
    allowed = make_pools(uses, True, torch.Generator().manual_seed(0))
    assert nearest_accuracy(bags, allowed) > 0.9  # ... unless they may be the same


def test_a_bag_cannot_tell_two_senses_in_one_sentence_apart(uses):
    """Nor can anything that is the same at both occurrences: the two pools hold the same candidates."""
    joined, pools = join_senses(uses, torch.Generator().manual_seed(0))
    assert len(joined) == len(pools) > 1.8 * len(uses)
    for k in range(0, len(joined), 18):
        one, two, first, second = *joined[k : k + 2], *pools[k : k + 2]
        assert one.words == two.words and one.place < two.place and one.word == two.word and one.sense != two.sense
        assert first.query + 1 == second.query == len(uses) + k + 1
        assert first.same.equal(second.other) and first.other.equal(second.same)
        assert {uses[i].sense for i in first.same.tolist()} == {one.sense}
        assert not any(uses[i].content & one.content for i in (*first.same.tolist(), *first.other.tolist()))
    ids = {word: number for number, word in enumerate(sorted({word for use in uses for word in (*use.words, "and")}))}
    table = torch.randn(len(ids), 16, generator=torch.Generator().manual_seed(0))
    assert nearest_accuracy(bags_of_words(table, uses + joined, ids), pools) == pytest.approx(0.5)


def test_ties_count_as_a_lot():
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    pool = Pool(0, torch.tensor([1, 4]), torch.tensor([2, 3]))
    assert nearest_accuracy(vectors, [pool]) == pytest.approx(1 / 3)


def test_vectors_are_those_of_the_ambiguous_word(uses):
    """Each layer gives what the model gives for that sentence alone, at that place; layer 0 of ELMo has no context."""
    ids = word_ids(use.words for use in uses)
    rows, places = [row(use.words, ids) for use in uses[:300]], [use.place + 1 for use in uses[:300]]
    generator = torch.Generator().manual_seed(0)
    bert = MaskedLanguageModel(EncoderConfig.preset("bert-nano").replace(vocab_size=len(ids), layers=2), generator)
    elmo = BidirectionalLM(len(ids), 8, 2, generator=generator)
    of_bert, of_elmo = layers_at(bert, rows, places), layers_at(elmo, rows, places)
    assert of_bert.shape == (3, 300, 128) and of_elmo.shape == (3, 300, 16)
    with torch.no_grad():
        for i in (0, 299):
            assert rows[i][places[i]] == ids[uses[i].word]
            alone = bert(torch.tensor([rows[i]]), output_hidden_states=True).hidden_states
            torch.testing.assert_close(of_bert[:, i], torch.stack(alone)[:, 0, places[i]], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(
                of_elmo[:, i], elmo(torch.tensor([rows[i]]))[:, 0, places[i]], rtol=1e-4, atol=1e-5
            )
            torch.testing.assert_close(of_elmo[0, i], elmo.table.weight[ids[uses[i].word]].repeat(2))


# rows


def test_every_row_comes_once_before_any_comes_again():
    rows = [[2, 5 + i, 3] for i in range(10)]
    seen = [
        int(ids[k]) for ids, cu in batches(rows, 4, 5, torch.Generator().manual_seed(0)) for k in cu[:-1].long() + 1
    ]
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(5, 15)) and seen[:10] != seen[10:]


def test_one_mask_in_each_sentence():
    model, given_to = net("deep"), []
    model.register_forward_pre_hook(lambda module, inputs: given_to.append(inputs[0]))
    find_words(model, [([2, 7, 8, 3], 2), ([2, 9, 3], 1)])
    assert given_to[0].tolist() == [2, 7, MASK, 3, 2, MASK, 3]


@pytest.mark.parametrize("experiment, arm", [(SENSES, "BERT"), (SENSES, "ELMo")])
def test_the_same_seed_measures_the_same(experiment, arm):
    first, again, other = (experiment.measure(experiment.settings | experiment.tiny, arm, seed) for seed in (0, 0, 1))
    assert first == again != other
