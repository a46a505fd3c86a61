"""What the experiments on mixtures of languages share, and what each must hold for its comparison to mean something."""

import pytest
import torch

from minibert import corpora
from minibert.corpora.mixture import PERCENT, SEPARATOR, mixture, passages
from minibert.experiments import annealing, code_share, english_share, groups, parallel_lines
from minibert.experiments.across_languages import first_share, pairs_of, sides, translation_ranks
from minibert.experiments.many_languages import (
    ALL,
    EVEN,
    SETTINGS,
    TINY,
    as_ids,
    bits_per_byte,
    held_out,
    small_eurobert,
    tokenizer,
)
from minibert.model.cost import count_parameters, model_flops
from minibert.model.models import MaskedLanguageModel
from minibert.objectives import IGNORE

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not corpora.is_cached("plone"), reason="needs python -m minibert data fetch"),
]


@pytest.fixture(scope="module")
def settings():
    return SETTINGS | TINY


@pytest.fixture
def watched(monkeypatch):
    """The batches of every update, in order."""
    seen = []

    def watch(model, optimizer, batches, lr, *rest):
        seen.append((batches[0].ids, batches[0].labels, lr))
        return {"mlm_loss": 0.0}

    monkeypatch.setattr("minibert.experiments.small_encoders.update", watch)
    return seen


def test_tokens_give_the_text_back_and_the_separator_is_one_token(settings):
    vocab_size = settings["vocab_size"]
    tok = tokenizer(vocab_size)
    text = f"Log in{SEPARATOR}ログイン"
    [ids] = as_ids([text], vocab_size)
    assert ids[-1] == tok.sep_id and tok.decode(ids[:-1].tolist(), skip_special_tokens=False) == text
    [separator] = tok.ids(SEPARATOR)
    assert (ids == separator).sum() == 1 and separator in tok.special_ids


def trained_on(seen) -> torch.Tensor:
    """The tokens of every step before any was hidden. Shape: (steps, N)."""
    return torch.stack([torch.where(labels == IGNORE, ids, labels) for ids, labels, _ in seen])


def test_special_tokens_are_never_hidden(settings, watched):
    settings = parallel_lines.PARALLEL_LINES.settings | parallel_lines.PARALLEL_LINES.tiny | dict(steps=20)
    parallel_lines._one(settings, "parallel lines", 0)
    tok = tokenizer(settings["vocab_size"])
    hidden = torch.cat([labels[labels != IGNORE] for _, labels, _ in watched])
    assert len(hidden) > 500 and not set(hidden.tolist()) & set(tok.special_ids)
    assert tok.ids(SEPARATOR)[0] in trained_on(watched).flatten().tolist()


def test_nothing_held_out_is_trained_on():
    trained = {line for p in mixture(EVEN, 600_000, 0) for line in p.text.split("\n")}
    held = {line for group in ("en", "de", "ja") for p in passages(group, "held-out") for line in p.text.split("\n")}
    assert len(held) > 500 and not trained & held
    tested = sides(PERCENT)[1]
    for arm in parallel_lines.TRAINED:
        trained = {text for line in parallel_lines.lines(arm, ("de", "ja")) for text in line.split(SEPARATOR)}
        for language in ("en", "de", "ja"):
            kept = set(pairs_of(tested, language)[0])
            assert len(kept) > 100 and not trained & kept


def test_a_held_out_group_is_its_own_text_and_scored_alike_for_all(settings):
    model = MaskedLanguageModel(small_eurobert(settings), torch.Generator().manual_seed(0))
    first, second = (bits_per_byte(model, ALL, settings) for _ in range(2))
    assert first == second and set(first) == set(ALL)
    assert all(2 < bits < 9 for bits in first.values())  # 500 tokens alike: 9 bits for a token of one to four bytes
    assert bits_per_byte(model, ("de",), settings, 0.5) != {"de": first["de"]}
    text = held_out("hi", settings["vocab_size"])
    assert "".join(map(text.tokenizer.decode, (ids.tolist() for ids in text.held_out))).count("क") > 100


def test_annealing_changes_the_hidden_share_where_the_rate_falls_and_nothing_else(settings, watched):
    settings = annealing.ANNEALING.settings | TINY | dict(steps=16, rows_a_step=64)
    rows, rates, shares = {}, {}, {}
    for arm in annealing.ARMS:
        watched.clear()
        annealing._one(settings, arm, 0)
        rows[arm], rates[arm] = trained_on(watched), [lr for *_, lr in watched]
        shares[arm] = [(labels != IGNORE).double().mean().item() for _, labels, _ in watched]
    first = next(iter(rows))
    for arm, (before, after) in annealing.ARMS.items():
        assert torch.equal(rows[arm], rows[first]) and rates[arm] == rates[first]
        assert shares[arm] == pytest.approx([before] * 12 + [after] * 4, abs=0.05)
    falling = [step for step in range(1, 16) if rates[first][step] < rates[first][step - 1]]
    assert falling[0] == 13  # step 12 is the first with another share, and the last at the peak


@pytest.mark.parametrize("arm", groups.ARMS)
def test_groups_save_what_the_formula_says_and_given_back_is_equal(arm):
    settings = groups.GROUPS.settings
    whole, config = (groups.config_of(settings, name) for name in ("8 (all)", arm))
    kv_heads, given_back = groups.ARMS[arm]
    D, L = config.hidden, config.layers
    assert (config.heads, config.groups) == (8, kv_heads)
    saved = 2 * L * D * (8 - kv_heads) * config.head_size
    if given_back:
        assert abs(count_parameters(config) - count_parameters(whole)) <= 3 * L * D / 2
    else:
        assert count_parameters(whole) - count_parameters(config) == saved
        assert model_flops(whole, [32]) - model_flops(config, [32]) == 2 * 32 * saved
    assert config.replace(kv_heads=8, intermediate=whole.intermediate) == whole


@pytest.mark.parametrize("experiment", [english_share, code_share])
def test_mixtures_have_equal_bytes_and_the_share_that_the_arm_says(experiment):
    for share in experiment.ARMS.values():
        shares = experiment.shares_of(share)
        assert sum(shares.values()) == pytest.approx(1)
        found = dict.fromkeys(shares, 0)
        for passage in mixture(shares, 600_000, 0):
            found[passage.group] += len(passage.text.encode("utf-8"))
        assert sum(found.values()) == pytest.approx(600_000, rel=0.02)
        chosen = ("code",) if experiment is code_share else ("en", "speeches")
        assert sum(found[group] for group in chosen) / sum(found.values()) == pytest.approx(share, abs=0.01)
        rest = {group: shares[group] for group in shares if group not in chosen}
        even = {group: EVEN[group] for group in rest}
        assert all(rest[g] / sum(rest.values()) == pytest.approx(even[g] / sum(even.values())) for g in rest)


def test_parallel_lines_hold_the_same_words_as_the_lines_apart(settings):
    together, apart = (parallel_lines.lines(arm, ("de", "ja")) for arm in parallel_lines.TRAINED)
    assert sorted(text for line in together for text in line.split(SEPARATOR)) == sorted(apart)
    assert all(line.count(SEPARATOR) == 1 for line in together) and not any(SEPARATOR in line for line in apart)
    size = settings["vocab_size"]
    one, other = (parallel_lines.read_lines(arm, ("de",), size).train[0] for arm in parallel_lines.TRAINED)
    assert len(one) == len(other)  # the separator stands where the end of the English text stood


def test_foreign_text_hides_the_same_tokens_alone_and_beside_the_english(settings, monkeypatch):
    seen = []
    monkeypatch.setattr(
        parallel_lines, "evaluate", lambda model, batches, sizes: seen.extend(batches) or {"bits_per_byte": 0.0}
    )
    for beside in (False, True):
        parallel_lines.foreign_bits(None, ("de",), settings["vocab_size"], beside)
    alone, both = seen
    assert torch.equal(alone.labels[alone.labels != IGNORE], both.labels[both.labels != IGNORE])
    assert 0.1 < (alone.labels != IGNORE).double().mean() < 0.18 and len(alone.cu_seqlens) == len(both.cu_seqlens)
    tok = tokenizer(settings["vocab_size"])
    tested = [m.texts for m in sides(PERCENT)[1] if "de" in m.texts]
    for batch, starts in ((alone, ""), (both, tested[0]["en"] + SEPARATOR)):
        ids, labels = (tensor[: batch.cu_seqlens[1]] for tensor in (batch.ids, batch.labels))
        assert set(ids[labels != IGNORE].tolist()) <= {tok.mask_id}
        whole = torch.where(labels == IGNORE, ids, labels)[:-1].tolist()
        assert tok.decode(whole, skip_special_tokens=False) == starts + tested[0]["de"]


def test_recall_of_known_vectors_and_what_centring_mends():
    train, tested = sides(PERCENT)
    english = {m.texts["en"]: number for number, m in enumerate((*train, *tested))}
    german = {m.texts["de"]: number for number, m in enumerate((*train, *tested)) if "de" in m.texts}
    meaning = torch.randn(len(english) + 1000, 64, generator=torch.Generator().manual_seed(0))
    own, other = 300 * torch.eye(64)[:2]  # what all texts of a language have in common

    def recall(embed):
        ranks = translation_ranks(lambda texts: torch.stack([embed(t) for t in texts]), tested, ("de",), PERCENT, 200)
        return {name: first_share(found) for name, found in ranks.items()}

    both = set(english) & set(german)  # said alike in both languages
    assert len(both) < 20
    alike = recall(lambda text: meaning[english.get(text, german.get(text))])
    assert alike["de"] > 0.95 and alike["de, centred"] > 0.95
    shifted = recall(lambda t: meaning[english[t]] + own if t in english else meaning[german[t]] + other)
    assert shifted["de, centred"] > 0.9 > shifted["de"]
    apart = recall(lambda t: meaning[english[t]] if t in english else meaning[-1 - german[t] % 999])
    assert apart["de"] < 0.05 and apart["de, centred"] < 0.05
