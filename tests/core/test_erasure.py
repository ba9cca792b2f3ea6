"""Closed-form erasure: exact where it says so, the least change, the task kept, and what is refused."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fmd_core import AttributeDataset, Column, DataError, FeatureSet, LinearHead, ModelError
from fmd_core.forget.erasure import erase, people_behind
from fmd_core.heads.fitting import ConvexProblem, fit_head

N, D, DAMPING = 1500, 10, 1e-3
SOURCE = SimpleNamespace(kind="table", fingerprint="made up")


def columns(rng, n=N):
    """Two classes; an ink of three levels that goes with the class; a hat that does not."""
    label = rng.integers(0, 2, n)
    ink = np.where(rng.random(n) < 0.6, label, rng.integers(0, 3, n))
    return label, ink, rng.integers(0, 2, n)


def mixed(rng, label, ink, hat):
    """Features that show class and both attributes in their means, the hat in its spread as well."""
    x = rng.normal(0, 1, (len(label), D))
    x[:, :2] += 2.0 * np.eye(2)[label]
    x[:, 2:5] += 1.5 * np.eye(3)[ink]
    x[:, 5] += 1.5 * hat
    x[:, 6] *= 1 + 3 * hat
    mix = np.eye(D) + 0.3 * np.random.default_rng(7).normal(size=(D, D))
    return (x @ mix).astype("float32")


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    label, ink, hat = columns(rng)
    dataset = AttributeDataset(
        "Made up",
        Column("shape", label, ("round", "square")),
        {
            "ink": Column("ink", ink, ("red", "green", "blue")),
            "hat": Column("hat", hat, ("no", "yes")),
            "same": Column("same", 1 - label, ("a", "b")),
            "finer": Column("finer", 2 * label + hat, ("a", "b", "c", "d")),
            "constant": Column("constant", np.zeros(N, int), ("only", "never")),
            "rare": Column("rare", (np.arange(N) < 29).astype(int), ("usual", "odd")),
        },
        np.repeat("train", N),
        SOURCE,
    )
    people = FeatureSet(mixed(rng, label, ink, hat), label, np.arange(N))
    blank = LinearHead(np.zeros((2, D)), np.zeros(2))
    head = fit_head(blank, ConvexProblem(people.features, label, np.full(N, 1 / N), DAMPING))
    return dataset, people, head


def erased(problem, attributes=("ink",), **options):
    dataset, people, head = problem
    return erase(head, dataset, people, attributes, damping=DAMPING, **options)


def level_gaps(features, codes):
    """Largest distance between the means of two levels."""
    means = np.stack([features[codes == c].mean(axis=0, dtype="float64") for c in np.unique(codes)])
    return np.abs(means - means[0]).max()


def within_class_covariance(features, labels, codes):
    x, z = features.astype("float64"), np.eye(codes.max() + 1)[codes]
    for label in np.unique(labels):
        inside = labels == label
        x[inside] -= x[inside].mean(axis=0)
        z[inside] -= z[inside].mean(axis=0)
    return np.abs(x.T @ z / len(x)).max()


def accuracy(head, people):
    return float((head.probabilities(people.features).argmax(axis=1) == people.labels).mean())


# --- what the formula promises


def test_plain_erasure_leaves_every_level_the_same_mean(problem):
    dataset, people, _ = problem
    found = erased(problem, form="plain", further=0).erasure
    ink = dataset.attribute("ink").codes
    assert level_gaps(people.features, ink) > 0.5
    assert level_gaps(found.apply(people.features), ink) < 1e-5
    assert (found.directions, found.further) == (2, 0)


def test_no_linear_reader_beats_guessing_on_the_people_that_were_erased(problem):
    dataset, people, _ = problem
    ink = dataset.attribute("ink").codes
    erasure = erased(problem, form="plain", further=0).erasure
    reader = LogisticRegression(max_iter=500).fit(erasure.apply(people.features.astype("float64")), ink)
    assert np.abs(reader.coef_).max() < 0.01, np.abs(reader.coef_).max()
    assert LogisticRegression(max_iter=500).fit(people.features, ink).score(people.features, ink) > 0.7


def test_plain_erasure_is_the_published_formula(problem):
    """Belrose et al., Theorem 4.3, written out with another square root of the same covariance."""
    from sklearn.covariance import ledoit_wolf

    dataset, people, _ = problem
    x, z = people.features.astype("float64"), np.eye(3)[dataset.attribute("ink").codes]
    x, z = x - x.mean(axis=0), z - z.mean(axis=0)
    values, vectors = np.linalg.eigh(ledoit_wolf(x)[0])
    whiten = (vectors / np.sqrt(values)) @ vectors.T
    link = whiten @ (x.T @ z)
    onto = link @ np.linalg.pinv(link)
    expected = np.eye(D) - np.linalg.inv(whiten) @ onto @ whiten
    found = erased(problem, form="plain", further=0).erasure
    np.testing.assert_allclose(found.matrix, expected, atol=1e-9)
    np.testing.assert_allclose(found.centre, people.features.mean(axis=0, dtype="float64"), atol=1e-12)


def test_within_class_erasure_leaves_no_link_inside_the_classes_but_the_class(problem):
    dataset, people, _ = problem
    ink = dataset.attribute("ink").codes
    found = erased(problem, further=0)
    after = found.erasure.apply(people.features)
    assert within_class_covariance(people.features, people.labels, ink) > 0.1
    assert within_class_covariance(after, people.labels, ink) < 1e-6
    assert level_gaps(after, ink) > 0.1  # what the class gives away stays
    assert level_gaps(after, people.labels) > 0.5


def test_within_the_classes_the_task_is_spared(problem):
    _, people, head = problem
    within, plain = (erased(problem, form=form, further=0) for form in ("within class", "plain"))
    assert accuracy(within.head, people) >= accuracy(head, people) - 0.02
    assert accuracy(within.untouched, people) > accuracy(plain.untouched, people)


@pytest.mark.parametrize("further", [0, 3])
def test_erasing_twice_changes_nothing_more(problem, further):
    matrix = erased(problem, further=further).erasure.matrix
    np.testing.assert_allclose(matrix @ matrix, matrix, atol=1e-9)
    assert np.linalg.matrix_rank(matrix, tol=1e-6) == D - 2 - further


# --- several attributes


def test_several_attributes_go_side_by_side(problem):
    dataset, people, _ = problem
    found = erased(problem, ("ink", "hat"), further=0).erasure
    after = found.apply(people.features)
    for name in ("ink", "hat"):
        assert within_class_covariance(after, people.labels, dataset.attribute(name).codes) < 1e-6
    assert (found.attributes, found.directions) == (("ink", "hat"), 3)


def test_jointly_every_combination_goes(problem):
    dataset, people, _ = problem
    both = 2 * dataset.attribute("ink").codes + dataset.attribute("hat").codes
    side, joint = (erased(problem, ("ink", "hat"), joint=j, further=0).erasure for j in (False, True))
    assert (side.directions, joint.directions) == (3, 5)
    assert within_class_covariance(joint.apply(people.features), people.labels, both) < 1e-6
    assert within_class_covariance(side.apply(people.features), people.labels, both) > 1e-3


def test_an_attribute_named_twice_counts_once(problem):
    once, twice = erased(problem, ("ink",)), erased(problem, ("ink", "ink"))
    np.testing.assert_array_equal(once.erasure.matrix, twice.erasure.matrix)
    assert twice.erasure.attributes == ("ink",)


# --- further directions


def spread_ratio(features, codes, labels):
    """Largest ratio of the variances that the two levels have along any direction."""
    first, second = (np.cov(features[(codes == c) & (labels == 0)].T.astype("float64")) for c in (0, 1))
    values, vectors = np.linalg.eigh(first)
    root = vectors[:, values > 1e-6 * values[-1]] / np.sqrt(values[values > 1e-6 * values[-1]])
    return float(np.linalg.eigvalsh(root.T @ second @ root).max())


def test_the_first_further_direction_takes_the_spread(problem):
    dataset, people, _ = problem
    hat = dataset.attribute("hat").codes
    none, one = (erased(problem, ("hat",), further=k).erasure for k in (0, 1))
    assert spread_ratio(none.apply(people.features), hat, people.labels) > 8
    assert spread_ratio(one.apply(people.features), hat, people.labels) < 2
    assert (one.directions, one.further) == (2, 1)


def test_what_a_class_shows_of_its_own_goes_next(problem):
    """Opposite in the two classes and nothing on average, shown by too few people to know a spread from."""
    dataset, people, head = problem
    hat = dataset.attribute("hat").codes
    own = people.features[:, [9]] + 2 * ((2 * hat - 1) * (2 * people.labels - 1))[:, None]
    crossed = replace(people, features=np.hstack([people.features[:, :9], own]))
    cells = [np.flatnonzero((people.labels == y) & (hat == z))[:25] for y in (0, 1) for z in (0, 1)]
    few, rest = crossed.subset(np.concatenate(cells)), people.labels == 0
    gaps = [
        level_gaps(
            erase(head, dataset, few, ["hat"], damping=DAMPING, further=k).erasure.apply(crossed.features)[
                rest
            ],
            hat[rest],
        )
        for k in (0, 1)
    ]
    assert gaps[0] > 2
    assert gaps[1] < 0.5 * gaps[0]


def test_more_directions_than_there_are_leave_the_answer_alone(problem):
    """All that is left is the one direction that two classes are told apart by."""
    _, people, _ = problem
    few, most = erased(problem, further=0), erased(problem, further=1000)
    after = most.erasure.apply(people.features).astype("float64")
    sizes = np.linalg.svd(after - after.mean(axis=0), compute_uv=False)
    assert sizes[1] < 1e-5 * sizes[0]
    assert accuracy(most.head, people) >= accuracy(few.head, people) - 0.005
    assert most.erasure.directions == D - 1


def test_a_quarter_of_the_features_is_the_default(problem):
    assert erased(problem).erasure.further == D // 4


# --- the last layer


def test_the_folded_heads_answer_the_original_features_as_the_erased_ones(problem):
    _, people, head = problem
    found = erased(problem)
    wide = people.features.astype("float64")
    after = found.erasure.apply(wide)
    np.testing.assert_allclose(found.untouched.logits(wide), head.logits(after), atol=1e-10)
    np.testing.assert_allclose(found.head.logits(wide), found.refitted.logits(after), atol=1e-10)
    assert not np.allclose(found.head.weight, found.untouched.weight)


@pytest.mark.parametrize("further", [0, 2])
def test_the_refit_is_at_its_minimum(problem, further):
    _, people, _ = problem
    found = erased(problem, further=further)
    weights = np.full(N, 1 / N)
    slope = found.refitted.loss_gradient(found.erasure.apply(people.features), people.labels, weights)
    assert np.abs(slope + DAMPING * found.refitted.theta).max() < 1e-6


def test_the_original_head_stays(problem):
    _, _, head = problem
    before = head.fingerprint
    erased(problem)
    assert head.fingerprint == before


def test_people_keep_who_they_are(problem):
    _, people, _ = problem
    after = erased(problem).erasure.people(people)
    np.testing.assert_array_equal(after.rows, people.rows)
    np.testing.assert_array_equal(after.labels, people.labels)
    assert after.features.dtype == people.features.dtype


# --- awkward features


def test_fewer_people_than_features_and_copies_of_columns(problem):
    dataset, people, _ = problem
    rng, few = np.random.default_rng(1), np.arange(120)
    part = people.subset(few)
    noise = rng.normal(0, 1, (len(few), 150)).astype("float32")
    wide = np.hstack([part.features, part.features[:, :3], np.zeros((len(few), 2), "float32"), noise])
    head = LinearHead(np.zeros((2, wide.shape[1])), np.zeros(2))
    found = erase(head, dataset, replace(part, features=wide), ["hat"], damping=DAMPING, further=4).erasure
    after, hat = found.apply(wide), dataset.attribute("hat").codes[few]
    assert within_class_covariance(after, part.labels, hat) < 1e-5
    assert np.abs(after).max() < 10 * np.abs(wide).max()  # an unshrunk covariance blows this up
    np.testing.assert_allclose(after[:, D + 3 : D + 5], 0, atol=1e-12)  # columns that never vary stay


def test_a_column_that_only_tells_the_class_stays(problem):
    dataset, people, _ = problem
    features = np.column_stack([people.features[:, 2], people.labels])
    small = LinearHead(np.zeros((2, 2)), np.zeros(2))
    found = erase(small, dataset, replace(people, features=features), ["ink"], damping=DAMPING, further=0)
    after = found.erasure.apply(features)
    assert within_class_covariance(after, people.labels, dataset.attribute("ink").codes) < 1e-9
    assert accuracy(found.head, replace(people, features=features)) == 1


def test_a_column_that_a_handful_show_keeps_nothing(problem):
    """Three people made the map write the attribute into a column that is empty for everybody else."""
    dataset, people, _ = problem
    handful, ink = np.zeros((N, 1), "float32"), dataset.attribute("ink").codes
    handful[np.flatnonzero(ink == 1)[:3]] = 0.05
    wide = replace(people, features=np.hstack([people.features, handful]))
    head = LinearHead(np.zeros((2, D + 1)), np.zeros(2))
    found = erase(head, dataset, wide, ["ink"], damping=DAMPING, further=0).erasure
    after = found.apply(wide.features)
    np.testing.assert_allclose(after[:, -1], handful.mean(), atol=1e-9)
    assert within_class_covariance(after, people.labels, ink) < 1e-6


def test_people_behind_a_column_are_counted():
    columns = np.zeros((1000, 4))
    columns[:, 0] = np.tile([-1, 1], 500)  # everybody
    columns[:7, 1] = 5.0  # seven
    columns[0, 2] = 1e-9  # one, however little
    np.testing.assert_allclose(people_behind(columns), [1000, 7, 1, 0])


def test_what_cannot_be_changed_in_people_is_learnt_from_twins(tiny):
    """The mark goes with the class for 95 % of the people; their twins show every mark."""
    train, twins = tiny.features["train"], tiny.pairs["train"]
    options = {"damping": tiny.damping, "further": 0}
    alone = erase(tiny.head, tiny.dataset, train, ["mark"], **options)
    taught = erase(tiny.head, tiny.dataset, train, ["mark"], twins=[twins], **options)
    test = tiny.pairs["test"]
    gap = [
        np.abs(e.erasure.apply(test.favoured.features) - e.erasure.apply(test.other.features)).mean()
        for e in (alone, taught)
    ]
    assert gap[1] < 0.5 * gap[0]
    assert accuracy(taught.head, tiny.features["test"]) > accuracy(tiny.head, tiny.features["test"]) + 0.1


# --- what is refused


@pytest.mark.parametrize(
    ("attributes", "options", "message"),
    [
        (["shape"], {}, "'shape' is what the model predicts and cannot be forgotten; choose another attribute."),
        (["same"], {}, "'same' and 'shape' decide each other among these people, so that one cannot be "
         "forgotten without the other; choose another attribute."),
        (["finer"], {}, "'finer' and 'shape' decide each other among these people, so that one cannot be "
         "forgotten without the other; choose another attribute."),
        (["constant"], {}, "'constant' has one value only (only) among these people, so there is nothing to "
         "forget; choose another attribute."),
        (["rare"], {}, "Only 29 people show 'rare: odd'; forgetting it needs 30 of each level."),
        (["beard"], {}, "Unknown attribute 'beard'. This data set has: ink, hat, same, finer, constant, rare."),
        ([], {}, "No attribute is chosen; choose at least one to forget."),
        (["ink"], {"form": "sideways"}, "Unknown form 'sideways'. Choose one of: within class, plain."),
        (["ink"], {"further": -1}, "The number of further directions is 0 or more, got -1."),
    ],
)  # fmt: skip
def test_what_cannot_be_erased_is_refused(problem, attributes, options, message):
    with pytest.raises(DataError) as caught:
        erased(problem, attributes, **options)
    assert str(caught.value) == message


def test_a_rare_combination_is_refused_jointly_only(problem):
    dataset, people, head = problem
    odd = (np.arange(N) < 40).astype(int)
    dataset = replace(dataset, attributes={**dataset.attributes, "odd": Column("odd", odd, ("no", "yes"))})
    assert erase(head, dataset, people, ["odd", "hat"], damping=DAMPING).erasure.attributes == ("odd", "hat")
    with pytest.raises(
        DataError, match=r"^A combination of odd and hat is shown by \d+ people only; joint er"
    ):
        erase(head, dataset, people, ["odd", "hat"], damping=DAMPING, joint=True)


def test_features_that_never_vary_are_refused(problem):
    dataset, people, head = problem
    with pytest.raises(
        DataError, match=r"^The features are the same for everybody of a class; there is nothing"
    ):
        erase(head, dataset, replace(people, features=np.ones((N, D))), ["ink"], damping=DAMPING)


def test_another_model_is_refused(problem):
    found = erased(problem).erasure
    with pytest.raises(ModelError, match=r"^The erasure was made for 10 features, got 4; make it for this"):
        found.apply(np.zeros((3, 4)))
    with pytest.raises(ModelError, match=r"^The erasure was made for 10 features, got 4"):
        found.fold(LinearHead(np.zeros((2, 4)), np.zeros(2)))


def test_two_layers_are_refused(problem):
    from fmd_core import MLPHead

    dataset, people, head = problem
    deep = MLPHead(np.zeros((D, D)), np.zeros(D), head)
    with pytest.raises(
        ModelError, match=r"^Erasure changes what the last layer reads; open the model at its"
    ):
        erase(deep, dataset, people, ["ink"], damping=DAMPING)
