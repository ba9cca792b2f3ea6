"""The fresh probe: chance means chance, what is there is read, and nobody judges their own teaching."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from fmd_core import DataError
from fmd_core.forget import probes
from fmd_core.forget.probes import probe


def people(seed, n=600, levels=2, d=6, shift=2.0, share=None):
    """Levels that are shown by the mean of one feature each."""
    rng = np.random.default_rng(seed)
    z = rng.choice(levels, n, p=share)
    x = rng.normal(0, 1, (n, d))
    x[:, :levels] += shift * np.eye(levels)[z]
    return x, z


def spread_only(seed, n=1500):
    """Two levels of the same mean; one is wider."""
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 2, n)
    return rng.normal(0, 1, (n, 2)) * (1 + 5 * z[:, None]), z


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_nothing_to_read_is_chance(kind):
    found = probe(*people(0, shift=0), *people(1, shift=0), kind=kind)
    assert found.chance == pytest.approx(0.5)
    assert abs(found.margin) < 0.07
    assert abs(found.auc - 0.5) < 0.07
    assert found.interval[0] < 0.5 < found.interval[1]


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_what_is_there_is_read(kind):
    found = probe(*people(0, levels=3), *people(1, levels=3), kind=kind)
    assert found.accuracy > 0.8
    assert found.auc > 0.9
    assert found.chance == pytest.approx(1 / 3)
    assert found.interval[0] < found.accuracy < found.interval[1]
    assert (found.kind, found.n, found.taught) == (kind, 600, 600)


def test_the_same_people_again_make_no_interval_narrower():
    teachers, (x, z) = people(0, shift=1.0), people(1, n=90, shift=1.0)
    often, persons = (np.repeat(x, 9, axis=0), np.repeat(z, 9)), np.repeat(np.arange(90), 9)
    alone, found = (
        probe(*teachers, x, z, kind="linear"),
        probe(*teachers, *often, kind="linear", test_persons=persons),
    )
    assert (found.n, found.accuracy) == (90, pytest.approx(alone.accuracy))
    assert found.interval == pytest.approx(alone.interval)
    with pytest.raises(
        DataError, match="At least 30 people must judge the probe who differ in the attribute, got 20"
    ):
        probe(*teachers, *often, kind="linear", test_persons=persons % 20)


def test_only_a_network_reads_spreads():
    sides = (*spread_only(0), *spread_only(1))
    assert abs(probe(*sides, kind="linear").margin) < 0.05
    assert probe(*sides, kind="mlp").accuracy > 0.75


def test_the_figures_are_those_of_scikit_learn():
    train, test = people(0, levels=3, shift=1.0), people(1, levels=3, shift=1.0, share=[0.7, 0.2, 0.1])
    found = probe(*train, *test, kind="linear")
    reader = probes._fitted(
        "linear", probes._Scale(train[0])(train[0]), probes._People.of(*train, None, "teach"), 0
    )
    x = (test[0] - train[0].mean(axis=0)) / train[0].std(axis=0)
    assert found.accuracy == pytest.approx(balanced_accuracy_score(test[1], reader.predict(x)))
    assert found.auc == pytest.approx(
        np.mean(
            [
                roc_auc_score(
                    test[1] == k,
                    reader.predict_proba(x)[:, k],
                    sample_weight=1 / np.bincount(test[1])[test[1]],
                )
                for k in range(3)
            ]
        )
    )
    assert found.majority == pytest.approx(np.mean(test[1] == 0))


def test_a_common_level_does_not_raise_the_figure():
    """Nine in ten show it: saying so of everybody is right for 90 %, and worth nothing."""
    share = [0.9, 0.1]
    found = probe(
        *people(0, n=2000, shift=0, share=share), *people(1, n=2000, shift=0, share=share), kind="linear"
    )
    assert found.majority > 0.85
    assert (found.chance, found.accuracy) == (pytest.approx(0.5), pytest.approx(0.5, abs=0.07))


def class_and_level(seed, n=1500):
    """Features that show the class; the level goes with the class for 90 %, and shows nowhere itself."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    z = np.where(rng.random(n) < 0.9, y, 1 - y)
    x = rng.normal(0, 1, (n, 4))
    x[:, 0] += 4 * y
    return x, z, y


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_what_the_stratum_gives_away_does_not_count(kind):
    x, z, y = class_and_level(0)
    test_x, test_z, test_y = class_and_level(1)
    naive = probe(x, z, test_x, test_z, kind=kind)
    fair = probe(x, z, test_x, test_z, kind=kind, train_strata=y, test_strata=test_y)
    assert naive.accuracy > 0.85
    assert fair.chance == pytest.approx(0.5)
    assert abs(fair.margin) < 0.07


def test_a_stratum_with_fewer_levels_has_its_own_chance():
    """Three levels in one stratum, two in another, one in a third, which nobody can be asked about."""
    strata = np.repeat([0, 1, 2], 60)
    z = np.concatenate([np.tile([0, 1, 2], 20), np.tile([0, 1], 30), np.zeros(60, int)])
    x = np.random.default_rng(0).normal(size=(180, 3))
    found = probe(x, z, x, z, kind="linear", train_strata=strata, test_strata=strata)
    assert found.chance == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert found.n == 120


def test_weights_give_every_level_of_a_stratum_the_same():
    z, strata = np.array([0, 0, 0, 1, 0, 1]), np.array([0, 0, 0, 0, 1, 1])
    weights, guess = probes._even(z, strata)
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2, 1, 1])
    np.testing.assert_allclose(guess, 0.5)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_rounding_is_no_feature(kind):
    """An erased column holds rounding errors, which tell the level perfectly once they are scaled up."""
    (x, z), (test_x, test_z) = people(0, shift=0), people(1, shift=0)
    x, test_x = (np.column_stack([f, 3 + 1e-7 * c]) for f, c in ((x, z), (test_x, test_z)))
    assert abs(probe(x, z, test_x, test_z, kind=kind).margin) < 0.07
    x, test_x = (np.column_stack([f[:, :-1], 3 + 1e-2 * c]) for f, c in ((x, z), (test_x, test_z)))
    assert probe(x, z, test_x, test_z, kind=kind).accuracy > 0.99


def test_features_that_are_all_alike_are_chance():
    (_, z), (_, test_z) = people(0), people(1)
    found = probe(np.full((600, 3), 7.0), z, np.full((600, 3), 7.0), test_z, kind="mlp", seeds=(0,))
    assert (found.accuracy, found.auc) == (pytest.approx(0.5), pytest.approx(0.5))


def test_seeds_decide_and_are_averaged():
    sides = (*people(0, shift=0.5), *people(1, shift=0.5))
    one, other = (probe(*sides, kind="mlp", seeds=(s,)) for s in (0, 1))
    both = probe(*sides, kind="mlp", seeds=(0, 1))
    assert both.by_seed == (one.accuracy, other.accuracy)
    assert one.accuracy != other.accuracy
    assert both.accuracy == pytest.approx((one.accuracy + other.accuracy) / 2)
    assert both.auc == pytest.approx((one.auc + other.auc) / 2)
    assert both.spread == pytest.approx(abs(one.accuracy - other.accuracy) / 2)
    assert probe(*sides, kind="mlp", seeds=(0, 1)).by_seed == both.by_seed
    assert probe(*sides, kind="linear", seeds=(5, 6)).spread == 0


def test_no_more_people_than_the_cap(monkeypatch):
    monkeypatch.setattr(probes, "PROBE_CAP", 200)
    found = probe(*people(0), *people(1), kind="linear")
    assert (found.n, found.taught) == (200, 200)
    assert found.accuracy > 0.8


def test_the_interval_is_as_wide_as_so_many_people_make_it():
    x, z = people(1, n=400, shift=1.0)
    found = probe(*people(0), x, z, kind="linear")
    half = (found.interval[1] - found.interval[0]) / 2
    expected = 1.96 * np.sqrt(found.accuracy * (1 - found.accuracy) / 400)
    assert half == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "tree"}, "Unknown kind of probe 'tree'. Choose one of: linear, mlp."),
        ({"seeds": ()}, "A probe needs at least one seed."),
        ({"test_z": np.zeros(3, int)}, "Features (60, 6), 3 levels and 60 strata are not of the same people."),
        ({"test_z": np.zeros(60, int)}, "At least 30 people must judge the probe who differ in the attribute, got 0."),
        ({"train_z": np.arange(60) // 57}, "Only 3 people with one of the values teach the probe; it needs 5. "
            "Leave that value out, or put it together with another, when you open the data."),
        ({"train_z": np.arange(60) % 3}, "A probe needs people of every level both to teach and to judge it; "
         "take more people."),
        ({"train_x": np.full((60, 6), np.nan)}, "The features of those who teach the probe hold values that are not "
         "numbers."),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused(change, message):
    x = np.random.default_rng(0).normal(size=(60, 6))
    sides = {"train_x": x, "train_z": np.arange(60) % 2, "test_x": x, "test_z": np.arange(60) % 2}
    options = {"kind": "linear", "test_strata": np.zeros(60, int)} | sides | change
    with pytest.raises(DataError) as caught:
        probe(**options)
    assert str(caught.value) == message
