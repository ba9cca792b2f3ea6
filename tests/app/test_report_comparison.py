"""Two reports side by side, and a decision that belongs to one head."""

import json
from copy import deepcopy
from datetime import date

import pytest

import fmd_core as fmd
from app import cache
from app.record.review import Aim, Review
from app.view_models import report as report_view
from app.view_models import report_comparison
from fmd_core.report.writing import json_values, report_json, seal

REVIEW, AIM = Review(), Aim(("colour",))
NAMES = report_comparison.OPENED, report_comparison.HERE


@pytest.fixture(scope="module")
def report():
    evidence = fmd.Evidence(
        cache.dataset(REVIEW), cache.classifier(REVIEW), cache.audit(REVIEW, None), 0.1, cache.scores(REVIEW, AIM), 5,
        decision=fmd.Decision("accept", "Ann", date(2025, 3, 1)),
    )  # fmt: skip
    return fmd.build_report(evidence)


def changed(report, edit=None, **sections):
    """The same with some values of its sections changed, sealed again."""
    other = json_values(report)
    if edit is not None:
        edit(other)
    for name, values in sections.items():
        other[name] |= values
    return fmd.read_report(json.dumps(other | {"seal": seal(other)}).encode()).report


def row(comparison, what):
    table = comparison.table.set_index("What")
    return tuple(table.loc[what])


def test_a_report_is_the_same_as_itself(report):
    found = report_comparison.compare(report, deepcopy(report), NAMES)
    assert found.sentence == "Both are the same report."
    assert set(found.table["Same?"]) == {"yes"}


def test_figures_are_told_with_their_intervals(report):
    found = report_comparison.compare(report, report, NAMES)
    bias = cache.audit(REVIEW, None).attributes[0].bias
    figure = f"{100 * bias.value:.1f} ({100 * bias.low:.1f} to {100 * bias.high:.1f})"
    assert row(found, "Bias by colour, original") == ("yes", figure, figure)
    assert row(found, "Did it work?") == ("yes", "nothing was unlearned", "nothing was unlearned")
    assert row(found, "Decision")[1] == "accept, by Ann"


def test_another_decision_is_what_differs(report):
    other = changed(report, decision={"verdict": None})
    found = report_comparison.compare(report, other, NAMES)
    value = 100 * cache.audit(REVIEW, None).attributes[0].bias.value
    assert found.sentence == (
        "Same data, same model, and the same head in force; the bias by colour in force is "
        f"{value:.1f} points in both; "
        "the decision is “accept” in the opened report and “no decision yet” in this review."
    )
    assert row(found, "Decision") == ("no", "accept, by Ann", "none yet")


def test_other_data_cannot_be_held_against_each_other(report):
    other = changed(report, data={"sha256": "f" * 64})
    found = report_comparison.compare(report, other, NAMES)
    assert found.sentence == (
        "They are about different data, so their figures cannot be held against each other."
    )
    assert row(found, "Data digest") == ("no", report.data.sha256[:16], "f" * 16)
    assert row(found, "Data")[0] == "yes"


def test_digests_are_compared_to_the_last_letter(report):
    almost = report.model.sha256[:-1] + "?"
    found = report_comparison.compare(report, changed(report, model={"sha256": almost}), NAMES)
    assert row(found, "Model digest") == ("no", almost[:16], almost[:16])


def test_another_model_is_told(report):
    found = report_comparison.compare(report, changed(report, model={"sha256": "f" * 64}), NAMES)
    assert found.sentence.startswith("Same data, different models; ")


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ((0.01, 0.02, 0.03), "do not overlap"),
        ((0.9, 0.95, 0.99), "do not overlap"),
        ((0.5, 0.6, 0.7), "overlap"),
    ],
)
def test_intervals_that_overlap_are_told_so(report, ends, told):
    def moved(values):
        values["found"]["attributes"][0]["judged"] |= dict(zip(("low", "value", "high"), ends, strict=True))

    found = report_comparison.compare(report, changed(report, moved), NAMES)
    assert f"{100 * ends[1]:.1f} in this review, and their intervals {told}" in found.sentence


def test_other_measures_are_not_compared(report):
    other = changed(report, settings={"measure": "demographic parity"})
    told = report_comparison.compare(report, other, NAMES).sentence
    assert "bias was measured in two ways (counterfactual and demographic parity)" in told


def test_an_attribute_in_one_report_only_is_a_dash(report):
    def renamed(values):
        values["found"]["attributes"][1]["attribute"] = "paper quality"

    found = report_comparison.compare(report, changed(report, renamed), NAMES)
    assert row(found, "Bias by paper, original")[2] == "–"
    assert row(found, "Bias by paper quality, original")[1] == "–"


def test_an_opened_report_says_what_it_is(report):
    view = report_comparison.opened(fmd.read_report(report_json(report).encode()))
    assert view.caution == ""
    assert "This model decides by colour. Decision: accept, by Ann. Pictures are not in it" in view.sentence
    assert "Opened from a file, to be read only." in view.html
    broken = report_comparison.opened(fmd.OpenedReport(report, is_intact=False))
    assert broken.caution in broken.html
    assert "seal does not fit" in broken.caution


def test_a_page_too_large_to_show_is_refused(report, monkeypatch):
    monkeypatch.setattr(report_comparison, "LARGEST_PAGE", 1_000)
    with pytest.raises(fmd.DataError, match="too large to show"):
        report_comparison.opened(fmd.OpenedReport(report, is_intact=True))


def test_links_in_a_frame_do_not_load_the_dashboard(report):
    framed = report_view.in_frame(fmd.render_page(report))
    assert "href=" not in framed
    assert 'data-to="#index"' in framed


# --- whose decision it is


def test_nothing_is_decided_at_first():
    made, sentence = report_view.decision_in_force(None, "head")
    assert made == fmd.Decision()
    assert sentence.startswith("No decision yet.")


def test_a_decision_holds_for_its_head_only():
    made = fmd.Decision("accept", "Ann", date(2025, 3, 1), "Notes.", "Use.")
    kept, sentence = report_view.decision_in_force((made, "head"), "head")
    assert (kept, sentence) == (made, "Saved to the report: Accept, by Ann, 1 March 2025.")
    other, sentence = report_view.decision_in_force((made, "head"), "another head")
    assert (other.verdict, other.date) == (None, None)
    assert (other.notes, other.intended_use, other.reviewer) == ("Notes.", "Use.", "Ann")
    assert "“Accept” was decided about another variant" in sentence


def test_notes_alone_are_kept_for_every_head():
    made = fmd.Decision(notes="Notes.")
    assert report_view.decision_in_force((made, "head"), "another head") == (
        made,
        "Saved to the report, without a decision.",
    )
