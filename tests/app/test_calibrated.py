"""Calibrated bias on the cards, in the table and in the verdict's words."""

import pytest

import fmd_core as fmd
from app import cache
from app.record.review import Review
from app.view_models import before_after, glossary, proof
from app.view_models.before_after import BeforeAfter

REVIEW = Review()


@pytest.fixture(scope="module")
def flatter():
    """The bundled demo against itself with answers that are less sure."""
    study = cache.study(REVIEW)
    people = {split: study.features(split) for split in ("test", "validation")}
    after = study.head.moved(-0.8 * study.head.theta)
    found = fmd.compare(
        study.head, after, study.data, people["test"], study.pairs("test", "colour"),
        validation=people["validation"],
    )  # fmt: skip
    return BeforeAfter(study.data, found)


def test_a_fall_that_flatter_answers_explain_is_no_good_news(flatter):
    bias, calibrated = flatter.cards[:2]
    assert bias.judgement == "off"  # it fell, and is not green
    assert (calibrated.label, calibrated.judgement, calibrated.delta) == (before_after.CALIBRATED, "off", "")
    assert flatter.headline.startswith("Not an improvement: the colour bias falls from 64.1 to")
    assert "the answers became flatter, not fairer" in flatter.headline
    assert proof.verdict(flatter.comparison).startswith("Not an improvement: the colour bias falls by")
    assert "flatter, not fairer" in flatter.verdict


def test_calibrated_bias_stands_beside_bias_with_its_help(flatter):
    assert flatter.table["Figure"].tolist()[:2] == ["Bias", before_after.CALIBRATED]
    assert flatter.table["Before"][1].startswith("36.3 ")
    assert "as sure as it is right" in (glossary.tip(*flatter.cards[1].terms))
