"""Labels that look wrong: the rule by hand, planted faults found, honest samples left alone."""

from dataclasses import replace

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.influence import label_doubts as module
from fmd_core.influence.label_doubts import NOBODY, LabelDoubts, label_doubts


def by_hand(answers, labels, monkeypatch):
    """The rule alone, on out-of-fold answers that are given; no class is too small for it."""
    monkeypatch.setattr(module, "_out_of_fold", lambda *_: np.array(answers))
    monkeypatch.setattr(module, "LEAST", 1)
    k = np.shape(answers)[1]
    head = fmd.LinearHead(np.zeros((k, 2)), np.zeros(k))
    train = fmd.FeatureSet(np.zeros((len(labels), 2)), np.array(labels), np.arange(len(labels)) + 100)
    return label_doubts(head, train, damping=1e-3)


def test_the_rule_by_hand(monkeypatch):
    answers = [[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9], [0.35, 0.65], [0.45, 0.55]]
    found = by_hand(answers, [0, 0, 0, 1, 1, 1], monkeypatch)
    np.testing.assert_allclose(found.usual, [0.6, 0.7])  # (.9 + .7 + .2) / 3 and (.9 + .65 + .55) / 3
    assert found.likelier.tolist() == [NOBODY, NOBODY, 1, NOBODY, NOBODY, NOBODY]
    # the last two are less likely than usual, but nothing else is as likely as is usual for it
    assert (found.n, found.own[2], found.other[2]) == (1, 0.2, 0.8)
    assert found.to_frame().iloc[0].to_dict() == {
        "position": 2, "row": 102, "label": 0, "likelier": 1, "own": 0.2, "other": 0.8,
    }  # fmt: skip


def test_of_several_classes_the_likeliest_that_reaches_its_own_mean_is_named(monkeypatch):
    answers = [
        [0.9, 0.05, 0.05], [0.1, 0.5, 0.4], [0.05, 0.9, 0.05], [0.05, 0.9, 0.05], [0.3, 0.35, 0.35],
        [0.3, 0.35, 0.35],
    ]  # fmt: skip
    found = by_hand(answers, [0, 0, 1, 1, 2, 2], monkeypatch)
    assert found.usual.tolist() == [0.5, 0.9, 0.35]
    assert found.likelier[1] == 2  # class 1 is likelier, but less likely than is usual for it


BLANK, DAMPING = fmd.LinearHead(np.zeros((3, 3)), np.zeros(3)), 1e-3


def clear_classes(n=300):
    """Three classes that can be told apart."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, n)
    return fmd.FeatureSet(3 * np.eye(3)[labels] + rng.normal(0, 0.7, (n, 3)), labels, np.arange(n))


@pytest.fixture(scope="module")
def planted():
    """The same with the labels of ten samples turned."""
    train, turned = clear_classes(), np.arange(10)
    labels = train.labels.copy()
    labels[turned] = (labels[turned] + 1) % 3
    return replace(train, labels=labels), turned


def test_planted_faults_are_found_and_others_hardly_doubted(planted):
    train, turned = planted
    found, before = (label_doubts(BLANK, people, damping=DAMPING) for people in (train, clear_classes()))
    marked = turned[found.doubted[turned]]
    assert len(marked) >= 9
    assert (found.likelier[marked] == clear_classes().labels[marked]).all()
    assert before.n <= 6
    assert set(np.flatnonzero(found.doubted)) - set(turned) <= set(np.flatnonzero(before.doubted))


def test_every_sample_is_answered_by_a_fit_without_it(planted):
    """A label is believed more by a fit that saw it."""
    train, turned = planted
    weights = np.full(len(train), 1 / len(train))
    seen = fit_head(BLANK, ConvexProblem(train.features, train.labels, weights, DAMPING))
    own = seen.probabilities(train.features)[turned, train.labels[turned]]
    assert label_doubts(BLANK, train, damping=DAMPING).own[turned].mean() < own.mean()


def test_all_samples_of_a_person_lie_in_one_fold(tiny):
    """Each of five persons has many copies of one sample of a made-up class: nobody else can vouch for it."""
    train = tiny.features["train"]
    persons = np.arange(len(train)) // 4
    copies = train.subset(np.repeat(np.arange(0, len(train), 4), 4))
    alone = label_doubts(tiny.head, copies, damping=tiny.damping)
    together = label_doubts(tiny.head, copies, damping=tiny.damping, persons=persons)
    assert together.own.mean() < alone.own.mean()


def test_a_class_of_a_handful_is_left_alone(tiny):
    train = tiny.features["train"]
    kept = np.concatenate([np.flatnonzero(train.labels != 2), np.flatnonzero(train.labels == 2)[:4]])
    found = label_doubts(tiny.head, train.subset(kept), damping=tiny.damping)
    assert found.unjudged == (2,)
    assert not found.doubted[-4:].any()
    assert 2 not in found.likelier
    with pytest.raises(fmd.DataError, match="at least two classes have 10 training samples; here 1 have"):
        label_doubts(tiny.head, train.subset(train.labels == 0), damping=tiny.damping)


def test_the_study_keeps_them(tiny):
    study = fmd.Study(tiny.dataset, tiny.classifier, aim="mark")
    assert not study.are_labels_doubted()
    told = []
    found = study.label_doubts(told.append)
    assert isinstance(found, LabelDoubts)
    assert told == sorted(told)
    assert study.label_doubts() is found
    assert study.are_labels_doubted()
    assert "labels look wrong" in repr(found)
