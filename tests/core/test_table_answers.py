"""Of a table: answers averaged over the attribute, and gradient boosting as a reference."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

import fmd_core as fmd
from fmd_core.study.debiasing import judged_baselines
from fmd_core.study.table_answers import table_answers
from fmd_core.unlearn.baselines import averaged_answers


@pytest.fixture(scope="module")
def study():
    rng, n = np.random.default_rng(0), 3000
    frame = pd.DataFrame({"sex": rng.choice(["f", "m", "x"], n), "skill": rng.normal(size=n)})
    frame["hired"] = np.where(frame.skill + 1.5 * (frame.sex == "m") + rng.normal(size=n) > 1, "yes", "no")
    data = fmd.table(frame, target="hired", protected=["sex"])
    return fmd.Study(data, fmd.train_classifier(data, architecture="mlp", epochs=2), aim="sex")


def test_answers_are_averaged_over_every_level(study):
    found = judged_baselines(study, "sex", "twins", 1.0, names=())
    assert list(found) == ["averaged", "boosting"]
    averaged, rows = found["averaged"], study.data.rows("test")
    expected = averaged_answers(study.model, study.data, rows, "sex") == study.data.target.codes[rows]
    assert averaged.after.accuracy == expected.mean()
    assert averaged.after.bias == averaged.after.flips == averaged.after.calibrated == 0
    assert not averaged.is_reference
    strict = judged_baselines(study, "sex", "twins", 0.0, names=())["averaged"]
    assert strict.chosen.refusal.startswith("accuracy falls by")  # it is shown, and said to be refused
    assert strict.after == averaged.after
    assert averaged.chosen.figures.bias == 0


def test_boosting_is_what_scikit_learn_gives_and_its_bias_is_that_of_its_twins(study):
    found, data = judged_baselines(study, "sex", "twins", 0.0, names=())["boosting"], study.data
    taught = np.concatenate([data.rows("train"), data.rows("external")])
    model = HistGradientBoostingClassifier(random_state=0)
    model.fit(data.source.read(taught), data.target.codes[taught])
    rows, pairs = data.rows("test"), study.pairs("test", "sex")
    assert found.after.accuracy == (model.predict(data.source.read(rows)) == data.target.codes[rows]).mean()
    sides = [
        model.predict_proba(data.source.counterfactual(pairs.rows, "sex", codes))
        for codes in (pairs.favoured_codes, pairs.other_codes)
    ]
    pick = np.arange(len(pairs)), pairs.labels
    assert found.after.bias == pytest.approx(np.abs(sides[0][pick] - sides[1][pick]).mean(), abs=1e-9)
    assert found.is_reference  # whatever it costs: it is no fix
    assert "a reference, not a fix" in found.title


def test_a_class_that_nobody_shows_in_training_gets_no_chance(study):
    data = study.data
    target = replace(data.target, levels=(*data.target.levels, "never"))
    three = replace(data, target=target)
    (boosting,) = [
        a for a in table_answers(fmd.Study(three, study.model, aim="sex"), "sex") if a.is_reference
    ]
    chances = boosting.answer(data.rows("test")[:5], None)
    assert chances.shape == (5, 3)
    assert (chances[:, 2] == 0).all()


def test_pictures_have_neither(study):
    digits = fmd.load_dataset("colored_digits")
    assert list(table_answers(fmd.Study(digits, study.model, aim="colour"), "colour")) == []
    unread = replace(study.data, pair_method="matched")
    assert list(table_answers(fmd.Study(unread, study.model, aim="sex"), "sex")) == []
