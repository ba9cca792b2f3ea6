"""How a network learns on: who is drawn, what the loss counts, and which weights are kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import fmd_core as fmd
from fmd_core.models.shelf import load_demo_classifier
from fmd_core.unlearn.deeper import material, objectives
from fmd_core.unlearn.deeper.material import BATCH, TEACHERS, Material
from fmd_core.unlearn.deeper.settings import DeeperSettings
from fmd_core.unlearn.deeper.training import DECAY, Learner

DRAWS = 40  # batches: of a share the error is below one point


def learner(hired, parts=TEACHERS, teachers=TEACHERS, **settings):
    data, model = hired
    chosen = DeeperSettings(**settings)
    return Learner(Material(model, data, "sex", chosen.reach, parts), chosen, teachers=teachers)


def drawn(taught):
    """Places of those who are drawn in a number of batches."""
    places, read = [], taught.material.read
    taught.material.read = lambda some: places.append(some) or read(some)
    losses = taught.losses()
    for _ in range(DRAWS):
        next(losses)
    return np.concatenate(places)


@pytest.mark.parametrize("emphasis", [0.0, 0.5, 1.0])
def test_people_are_drawn_by_the_weight_of_their_group(hired, emphasis):
    taught = learner(hired, emphasis=emphasis)
    groups = taught.material.groups
    people = np.bincount(groups) / len(groups)
    assert people.min() < 0.15  # else nothing is to be seen
    places = drawn(taught)
    assert len(places) == DRAWS * BATCH
    found = np.bincount(groups[places], minlength=4) / len(places)
    np.testing.assert_allclose(found, (1 - emphasis) * people + emphasis / 4, atol=0.025)


def test_training_and_external_people_teach_and_nobody_else(hired):
    taught, split = learner(hired), hired[0].split
    assert set(taught.material.rows[taught.taught]) == set(
        np.flatnonzero(np.isin(split, ["train", "external"]))
    )


def test_twins_who_are_answered_differently_cost_more(hired, monkeypatch):
    def first():
        return float(next(learner(hired, improve="twins").losses()).detach())

    counted = first()
    monkeypatch.setattr(objectives, "AGREEMENT", 0.0)
    assert counted > first()


@pytest.mark.parametrize("n_levels", [2, 3, 10])
def test_nobody_is_shown_one_level_twice(n_levels):
    one, two = material.two_levels(np.random.default_rng(0), 2_000, n_levels)
    assert (one != two).all()
    assert set(one) == set(two) == set(range(n_levels))


def test_a_pool_of_twins_has_both_levels_of_those_who_teach(hired):
    read = Material(hired[1], hired[0], "sex", "last block")
    read.with_level = lambda _places, levels: torch.from_numpy(levels[:, None].astype("float32"))
    taught = np.arange(5, 25)
    made, drawn = read.twin_pool(taught, 300, 0, lambda _: None)
    assert made.shape == (300, 2, 1)
    assert (made[:, 0] != made[:, 1]).all()
    assert set(drawn) == set(taught)


def test_the_running_mean_of_the_weights_is_kept(hired):
    taught, seen = learner(hired, improve="twins", kept=(6,)), []
    standing = taught.standing

    def noted():
        found = standing()
        take = found.take
        found.take = lambda loss: (take(loss), seen.append(taught.top.weight.detach().numpy().copy()))
        return found

    taught.standing = noted
    kept = taught.run()[6]
    mean = seen[0]
    for weight in seen[1:]:
        mean = DECAY * mean + (1 - DECAY) * weight
    weight = kept.head.rescaled(1 / kept.feature_scale).weight
    np.testing.assert_allclose(weight, mean, atol=1e-5)
    assert np.abs(weight - seen[-1]).max() > 1e-3


def test_means_of_batch_normalisation_stay_and_what_is_drawn_is_not_mirrored(monkeypatch):
    data, mirrored = fmd.load_dataset("colored_digits"), []
    monkeypatch.setattr(
        material, "augmented", lambda pictures, _generator, *, flip, **_: mirrored.append(flip) or pictures
    )
    for people in (data, replace(data, pair_method="matched")):
        model = load_demo_classifier("colored_digits")
        read = Material(model, people, "colour", "last block")
        taught = Learner(read, DeeperSettings("last block"))
        assert not any(module.training for part in (read.trunk, taught.learns) for module in part.modules())
        read.lit_anew(torch.zeros(1, 3, 32, 32), torch.Generator())
    assert mirrored == [False, True]


@pytest.mark.parametrize("improve", ["groups", "twins"])
def test_the_rate_falls_to_nothing_as_a_cosine_does(hired, improve):
    taught, rates = learner(hired, improve=improve, kept=(3, 6)), []
    standing = taught.standing

    def noted():
        found = standing()
        (group,), take = found.optimiser.param_groups, found.take
        found.take = lambda loss: (rates.append(group["lr"]), take(loss), rates.append(group["lr"]))
        return found

    taught.standing = noted
    taught.run()
    expected = taught.settings.rate * (1 + np.cos(np.pi * np.arange(7) / 6)) / 2
    np.testing.assert_allclose(rates[::2], expected[:-1])
    np.testing.assert_allclose(rates[1::2], expected[1:], atol=1e-12)
