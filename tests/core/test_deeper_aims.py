"""What should improve: what each aim asks of training, by what a point is chosen, and what the guard asks of few."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import fmd_core as fmd
from fmd_core import DataError, FeatureSet
from fmd_core.study import deeper, learned
from fmd_core.study.deeper import deepen
from fmd_core.study.learned import choosers_of, keep_learned, learned_from
from fmd_core.unlearn.deeper import material
from fmd_core.unlearn.deeper.answers import Asked, Logits, figures_of
from fmd_core.unlearn.deeper.choosing import choose
from fmd_core.unlearn.deeper.improving import find_improvement, improvements, in_the_data_s_words
from fmd_core.unlearn.deeper.objectives import (
    Batch,
    Gap,
    GroupDRO,
    Opportunity,
    group_weights,
    prior_correction,
)
from fmd_core.unlearn.deeper.settings import DeeperSettings


def asked_of(labels, levels):
    rows = np.arange(len(labels))
    return Asked(
        FeatureSet(np.zeros((len(labels), 1)), np.asarray(labels), rows), np.asarray(levels), None, None
    )


def answered(answers):
    return Logits(4.0 * np.eye(2)[np.asarray(answers)], None, None)


def batch(chances, truth, levels):
    p = torch.tensor(chances)
    truth, levels = torch.tensor(truth), torch.tensor(levels)
    return Batch(
        torch.stack([torch.zeros_like(p), torch.logit(p)], 1),
        truth,
        levels,
        2 * truth + levels,
        torch.ones(len(p)),
    )


def test_gaps_of_answers_and_of_recognition():
    labels = [0] * 40 + [1] * 60
    levels = [0] * 20 + [1] * 20 + [0] * 30 + [1] * 30
    answers = [0] * 20 + [1] * 10 + [0] * 10 + [1] * 30 + [1] * 15 + [0] * 15
    found = figures_of(asked_of(labels, levels), answered(answers))
    assert found.opportunity.value == pytest.approx(1.0 - 0.5)
    assert found.parity.value == pytest.approx(30 / 50 - 25 / 50)
    assert found.opportunity.people == 30
    few = [0] * 91 + [1] * 9
    assert figures_of(asked_of(labels, few), answered(answers)).opportunity is None  # nine decide nothing


def test_levels_that_are_answered_alike_cost_nothing():
    truth, levels = [0, 0, 1, 1], [0, 1, 0, 1]
    alike, apart = batch([0.3, 0.3, 0.8, 0.8], truth, levels), batch([0.3, 0.3, 0.9, 0.7], truth, levels)
    crossed = batch([0.4, 0.2, 0.7, 0.9], truth, levels)
    for kind in (Gap, Opportunity):
        plain = torch.nn.functional.cross_entropy(alike.answers, alike.truth)
        assert float(kind(4, 2)(alike)) == pytest.approx(float(plain))
        assert float(kind(4, 2)(apart)) > float(torch.nn.functional.cross_entropy(apart.answers, apart.truth))
    task = float(torch.nn.functional.cross_entropy(crossed.answers, crossed.truth))
    assert float(Gap(4, 2)(crossed)) == pytest.approx(
        task
    )  # answered equally often, not recognised equally often
    assert float(Opportunity(4, 2)(crossed)) > task


def test_a_group_that_is_answered_badly_comes_to_count_more():
    objective = GroupDRO(4, 2)
    bad = batch([0.1, 0.1, 0.9, 0.1], [0, 0, 1, 1], [0, 1, 0, 1])
    first = float(objective(bad))
    for _ in range(40):
        last = float(objective(bad))
    assert last > first
    assert int(objective.remembered.argmax()) == 3


def test_what_was_shown_too_often_is_given_back():
    labels = np.array([0] * 90 + [1] * 10)
    groups = 2 * labels + np.array([0, 1] * 50)
    shown = np.bincount(labels, weights=group_weights(groups, 0.5))
    found = prior_correction(labels, groups, 0.5)
    np.testing.assert_allclose(np.exp(found) * shown, [0.9, 0.1])
    assert found[1] < 0 < found[0]
    np.testing.assert_allclose(prior_correction(labels, groups, 0.0), 0, atol=1e-12)


@pytest.mark.parametrize("improve", ["groups", "worst group"])
def test_as_much_is_given_back_as_the_recipe_showed_too_often(demo, improve):
    """By the emphasis that the aim has where nobody says otherwise."""
    data, settings = demo.dataset, DeeperSettings("last block", improve)
    rows = np.concatenate([data.rows("train"), data.rows("external")])
    labels, column = data.target.codes[rows], data.attribute("colour")
    groups = labels * len(column.levels) + column.codes[rows]
    expected = prior_correction(labels, groups, {"groups": 1.0, "worst group": 0.5}[improve])
    np.testing.assert_array_equal(deeper._correction(data, "colour", settings), expected)


def test_a_single_person_refuses_nothing_and_is_counted():
    labels = np.array([0] * 200 + [1] * 200 + [1])
    levels = np.array([0] * 200 + [1] * 200 + [0])
    before, after = labels.copy(), labels.copy()
    before[:40] = 1
    after[-1] = 0  # the one person is lost, forty others gain
    path = choose(asked_of(labels, levels), answered(before), {1: answered(after)}, improve="worst group")
    assert path.points[-1].refusal == ""
    assert path.chosen.share > 0
    assert path.least == 1
    many = asked_of(np.r_[labels, [1] * 40], np.r_[levels, [0] * 40])
    lost = np.r_[after, [0] * 40]
    path = choose(
        many, answered(np.r_[before, [1] * 40]), {1: answered(lost)}, improve="worst group", tolerance=0.5
    )
    assert path.points[-1].refusal == "the worst group falls from 80.0 to 0.0 % of 41"


def test_each_aim_chooses_by_its_own_figure():
    """One network serves the worst group, another closes the gap in answers."""
    labels = np.array([0] * 100 + [0] * 100 + [1] * 100 + [1] * 40)
    levels = np.array([0] * 100 + [1] * 100 + [0] * 100 + [1] * 40)
    start = labels.copy()
    start[300:330] = 0
    serves = labels.copy()
    evens = start.copy()
    evens[200:270] = 0  # as few as the others are told the second answer
    people = asked_of(labels, levels)
    networks = {1: answered(serves), 2: answered(evens)}

    def chosen(improve):
        return choose(people, answered(start), networks, improve=improve, tolerance=1.0).chosen.steps

    assert chosen("worst group") == chosen("opportunity") == chosen("groups") == 1
    assert (
        figures_of(people, answered(evens)).parity.value < figures_of(people, answered(serves)).parity.value
    )
    assert chosen("parity") == 2
    with pytest.raises(DataError, match="Unknown aim 'x'"):
        find_improvement("x")


def test_aims_are_named_in_the_data_s_words():
    data = fmd.load_dataset("colored_digits")
    assert improvements(data, "colour")[0].name == "twins"
    assert "twins" not in {aim.name for aim in improvements(replace(data, pair_method="matched"), "colour")}
    phrases = {data.target.name: {"0": "round {}"}, "colour": {"red": "red ones", "": "paint"}}
    named = replace(data, phrases=phrases)
    assert in_the_data_s_words("twins", named, "colour") == "the same digit with another paint"
    assert " get each answer equally often" in in_the_data_s_words("parity", named, "colour")
    assert in_the_data_s_words("worst group", named, "colour") == ""


@pytest.mark.parametrize("turns", [False, True])
def test_what_learned_on_is_found_again_with_what_it_answered(tmp_path, monkeypatch, turns):
    monkeypatch.setenv("FMD_HOME", str(tmp_path))
    monkeypatch.setattr(material, "POOL", 256)
    data = fmd.load_dataset("colored_digits")
    study = fmd.Study(data, fmd.load_demo_classifier("colored_digits"), aim="colour")
    settings = DeeperSettings("last block", "groups" if turns else "twins", kept=(10,))
    found = deepen(study, "colour", settings, tolerance=0.02)
    assert (len(found.judged_by) == 2) == turns
    told = keep_learned(found, "learned on", 3.0)
    (again,) = learned_from(data, study.model)
    assert replace(again, kept=None) == told
    assert (again.change, again.steps, again.tolerance) == ("last block", 10, 0.02)
    network = fmd.models.shelf.open_model(data, again.id)
    people, original, repaired = choosers_of(study, "colour", network, again)
    kept = found.answered(told.steps, told.restored)
    assert len(people.people) == len(found.asked.people)
    np.testing.assert_array_equal(people.people.rows, found.asked.people.rows)
    for one, two in ((repaired, kept), (original, found.answers[0])):
        chances = [np.exp(of - of.max(axis=1, keepdims=True)) for of in (one.people, two.people)]
        np.testing.assert_allclose(*[c / c.sum(axis=1, keepdims=True) for c in chances], atol=1e-4)
        np.testing.assert_array_equal(one.twins[0].argmax(axis=1), two.twins[0].argmax(axis=1))
    (file,) = (tmp_path / "learned").glob("*/*.safetensors")
    file.write_bytes(b"damaged")
    assert learned_from(data, study.model) == ()


@pytest.mark.parametrize("method", ["generated", "matched"])
def test_answers_that_were_kept_find_their_people_in_whatever_order_they_lie(method):
    rng, n = np.random.default_rng(0), 12
    rows, codes = np.arange(100, 100 + n), np.arange(n) % 2
    people = FeatureSet(np.zeros((n, 1)), codes, rows)
    partner = np.roll(np.arange(n), 2)
    other = people.subset(partner) if method == "matched" else people
    pairs = fmd.CounterfactualPairs("a", method, people, other, codes, 1 - codes, codes, rows)
    floor = pairs if method == "matched" else None
    asked = Asked(people, codes, pairs, floor)
    own, one, two = rng.standard_normal((3, n, 2))
    if method == "matched":
        one, two = own, own[partner]
    known = Logits(own, (one, two), (one, two) if floor else None)
    lies = rng.permutation(n)
    kept = {"rows": rows[lies], "people": own[lies]}
    if method == "generated":
        kept |= {"twin_rows": rows[lies[:-3]], "one": one[lies[:-3]], "two": two[lies[:-3]]}
    who, original, found = learned._recalled(asked, known, kept)
    np.testing.assert_array_equal(found.people, own)
    there = np.isin(rows, who.pairs.rows)
    assert there.sum() == (n if method == "matched" else n - 3)
    for side, expected in zip((*found.twins, *original.twins), (one, two, one, two), strict=True):
        np.testing.assert_array_equal(side, expected[there])
    if floor:
        np.testing.assert_array_equal(found.placebo[1], two)
