"""Each question to the training samples: scores are slopes of what is asked, and the check refits for it."""

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.measure.bias_functions import MEASURES
from fmd_core.study.aim import Aim
from fmd_core.unlearn.baselines import worst_group

QUESTIONS = [*(Aim(("mark",), measure) for measure in MEASURES), Aim(("shade",), "worst group")]


def true_slopes(tiny, taught, share=0.01):
    """Change per sample of what is asked, with `share` of its weight gone and the head fitted again."""
    train = tiny.features["train"]
    before = taught.value(tiny.head)

    def refitted(position):
        weights = np.full(len(train), 1 / len(train))
        weights[position] *= 1 - share
        return fit_head(tiny.head, ConvexProblem(train.features, train.labels, weights, tiny.damping))

    positions = range(0, len(train), 5)
    return np.array([taught.value(refitted(p)) - before for p in positions]) / share


@pytest.mark.parametrize("asked", QUESTIONS, ids=lambda asked: asked.words)
def test_scores_are_the_slope_of_what_is_asked(tiny, asked):
    found = tiny.study.scores(asked)
    truth = true_slopes(tiny, tiny.study.taught("external", asked))
    assert np.corrcoef(found.removal_effect[::5], truth)[0, 1] > 0.999
    assert np.polyfit(truth, found.removal_effect[::5], 1)[0] == pytest.approx(1, abs=0.02)
    assert (found.attribute, found.measure) == (asked.attribute, asked.measure)


@pytest.mark.parametrize("asked", QUESTIONS, ids=lambda asked: asked.words)
def test_the_check_leaves_out_and_refits_for_what_is_asked(tiny, asked):
    study, train = tiny.study, tiny.features["train"]
    found = study.score_check(asked, k=10)
    out = study.scores(asked).most_harmful(10)
    without = fmd.refit_without(tiny.head, train, out, damping=tiny.damping)
    for split, name in (("external", "measured"), ("test", "measured_held_out")):
        taught = study.taught(split, asked)
        moved = taught.value(without) - taught.value(tiny.head)
        assert found.groups[0].mean(name) == pytest.approx(moved, abs=1e-6)
    assert found.in_order("measured")


def test_the_worst_group_is_that_of_those_who_choose_and_named(tiny):
    people = fmd.FeatureSet.joined([tiny.features["external"], tiny.features["validation"]])
    right = tiny.head.probabilities(people.features).argmax(axis=1) == people.labels
    worst = worst_group(right, people.labels, tiny.dataset.attribute("shade").codes[people.rows], least=10)
    scores = tiny.study.scores(Aim(("shade",), "worst group"))
    shade = tiny.dataset.attribute("shade").levels[worst.level]
    assert scores.people == f"shade {shade} with shape {tiny.dataset.target.levels[worst.label]}"
    assert f"lowers the loss of {scores.people} by" in repr(scores)
    assert scores.bias == pytest.approx(
        tiny.study.taught("external", Aim(("shade",), "worst group")).value(tiny.head)
    )


def test_who_is_served_worst_by_groups_of_a_few_cannot_be_said(demo):
    with pytest.raises(
        fmd.DataError, match="No two groups of digit and colour have 10 digits each of those who choose"
    ):
        demo.study.scores(Aim(("colour",), "worst group"))
