"""What Find bias opens with: two people as the finding says, and shares in a hundred dots."""

import numpy as np
import pytest

import fmd_core as fmd
from app import cache
from app.frame import stepper
from app.record.review import BUNDLED, Review
from app.view_models import opening_picture
from app.view_models.opening_picture import Share
from app.widgets import findings_list, opening
from fmd_core.measure.verdict.values import Family, Measure
from tests.app.test_verdict_view import BLOND, people

REVIEW = Review("colored_digits", BUNDLED)


@pytest.fixture(scope="module")
def digits():
    data, verdict = cache.dataset(REVIEW), cache.verdict(REVIEW, None)
    return data, verdict, cache.answered(REVIEW, None), cache.head(REVIEW, None)


def picture(digits, finding):
    data, verdict, answered, head = digits
    pairs = cache.pairs(REVIEW, "test", finding.attribute)
    flips = opening_picture.flips_of(verdict.findings, finding)
    return opening_picture.build(data, finding, answered, head, pairs, flips)


def answer(digits, finding, shown):
    """What the model says to a sample redrawn with the level that is shown."""
    data, _, _, head = digits
    pairs = cache.pairs(REVIEW, "test", finding.attribute)
    for side, codes in ((pairs.favoured, pairs.favoured_codes), (pairs.other, pairs.other_codes)):
        for i in np.flatnonzero((side.rows == shown.row) & (codes == shown.code)):
            return data.target.levels[head.probabilities(side.features[i : i + 1]).argmax()]
    raise AssertionError("nobody is drawn so")


def test_twins_are_one_sample_whose_answer_flips_from_right_to_wrong(digits):
    data, verdict, *_ = digits
    finding = next(f for f in verdict.findings if f.measure is Measure.BIAS)
    view = picture(digits, finding)
    first, second = (side.shown for side in view.sides)
    assert (view.redrawn, view.alike) == ("colour", "Same digit, other colour")
    assert first.row == second.row
    assert first.code != second.code
    assert not first.is_well
    truth = data.target.levels[data.target.codes[first.row]]
    assert second.answer == truth != first.answer
    assert [answer(digits, finding, shown) for shown in (first, second)] == [first.answer, second.answer]
    assert view.together.hundred == 62
    pairs = cache.pairs(REVIEW, "test", "colour")
    place = int(np.flatnonzero(pairs.rows == first.row)[0])
    own = pairs.favoured.features[pairs.labels == pairs.labels[place]]
    usual = own.mean(axis=0) / np.linalg.norm(own.mean(axis=0))
    alike = (own / np.linalg.norm(own, axis=1, keepdims=True)) @ usual
    mine = pairs.favoured.features[place] / np.linalg.norm(pairs.favoured.features[place])
    assert mine @ usual > np.quantile(alike, 0.75)  # one that looks as its class does
    assert view.together.who == "of digits get another answer when only the colour changes"


def test_of_two_groups_one_of_each_is_shown_as_the_finding_says(digits):
    data, verdict, *_ = digits
    finding = next(f for f in verdict.findings if f.family is Family.SELECTION)
    view = picture(digits, finding)
    first, second = (side.shown for side in view.sides)
    worse, better = (members[0].level for members in finding.members)
    levels = data.attribute(finding.attribute).levels
    assert (levels[first.code], levels[second.code]) == (worse, better)
    assert first.answer != finding.answer == second.answer
    assert view.sides[0].share.hundred == round(100 * finding.worse.value)


def test_without_twins_two_people_are_shown_and_counted():
    data, answered = people(BLOND)
    found = fmd.give_verdict(data, answered, None, favourable="blond")
    view = opening_picture.build(data, found.worst, answered, None, None, None)
    first, second = (side.shown for side in view.sides)
    assert view.alike == "One of each"
    assert (data.target.codes[first.row], data.attribute("sex").codes[first.row]) == (1, 0)
    assert (first.answer, second.answer) == ("other", "blond")
    assert [side.share for side in view.sides] == [
        Share("19 %", "7 of 36", "of blond men are recognised", 19),
        Share("78 %", "180 of 230", "of blond women are recognised", 78),
    ]


def test_where_people_do_not_count_alike_no_count_stands_beside_the_share():
    data, answered = people(BLOND)
    weighted = fmd.Answered(answered.rows, answered.labels, answered.predicted, np.full(len(data), 2.0))
    found = fmd.give_verdict(data, weighted, None, favourable="blond")
    view = opening_picture.build(data, found.worst, weighted, None, None, None)
    assert view.sides[0].share.counts == "n = 36"


def test_nobody_is_shown_of_whom_there_is_nobody():
    silent = {(group, truth, 0): n for (group, truth, _), n in BLOND.items()}
    data, answered = people(silent)
    found = fmd.give_verdict(data, answered, None, favourable="blond")
    for finding in found.findings:
        view = opening_picture.build(data, finding, answered, None, None, None)
        for side in view.sides:
            assert side.shown is None or side.shown.answer == "other"


def test_marks_of_the_axis_are_round_and_none_lies_under_the_limit():
    assert findings_list._ticks(0.95, 0.1) == pytest.approx([0.4, 0.6, 0.8])
    assert findings_list._ticks(0.06, None) == pytest.approx([0.0, 0.05])


def test_the_step_at_hand_is_bold_and_a_step_that_was_taken_is_ticked(open_page):
    page = open_page("find_bias")
    links = {link.proto.label: link.proto.icon for link in page.main.get("page_link")}
    assert list(links)[:5] == ["Data & model", "Find", "Look", "Fix", "Report"]
    assert links["Data & model"] == ":material/check_circle:"
    assert links["Find"] == ":material/counter_2:"
    page = page.switch_page("app_pages/harmful.py").run()
    links = {link.proto.label: link.proto.icon for link in page.main.get("page_link")}
    assert (links["Find"], links["Look"]) == (":material/check_circle:", ":material/counter_3:")
    assert {"Harmful samples", "Twins"} <= set(links)
    assert stepper.SEEN in page.session_state


def test_the_line_that_is_chosen_fills_the_picture(open_page):
    page = open_page("find_bias")
    told = " ".join(html.proto.body for html in page.get("html"))
    assert "62 of 100 dots" in told
    assert "The model says" in told


def test_offensive_sentences_are_blurred_until_asked_for_and_harmless_ones_are_not(open_page):
    page = open_page("start")
    page.session_state["review"] = Review("hate_texts", BUNDLED)
    page = page.switch_page("app_pages/find_bias.py").run()
    told = next(html.proto.body for html in page.get("html") if "fmd-open" in html.proto.body)
    assert "<mark>" in told
    assert "blurred" not in told.split("</style>")[-1]  # of fine sentences
    assert "Show the texts" in [toggle.label for toggle in page.toggle]
    data = cache.dataset(Review("hate_texts", BUNDLED))
    toxic = int(np.flatnonzero(data.target.codes == data.target.levels.index("toxic"))[0])
    shown = opening_picture.Shown(toxic, 0, "x", "fine", False)
    view = opening_picture.OpeningPicture("", (opening_picture.Side(shown), opening_picture.Side(None)))
    assert opening._picture(Review("hate_texts", BUNDLED), view, shown).blurred
