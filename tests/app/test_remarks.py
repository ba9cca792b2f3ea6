"""What a reviewer says of single training samples, and the fit without those that they excluded."""

import numpy as np
import pytest

from app import cache
from app.record.journal import Remark
from app.record.review import Aim, Review
from app.record.variants import Exclusion
from app.view_models import harmful
from app.view_models.harmful import Said
from fmd_core import refit_without
from tests.app.test_pages import press, refuse, titles

REVIEW, AIM = Review(), Aim(("colour",))


def worst(k: int) -> list[int]:
    scores = cache.scores(REVIEW, AIM)
    return [int(row) for row in scores.rows[scores.most_harmful(k)]]


def select(test, row):
    test.session_state["harmful_gallery"] = {"selected": row}
    return test.run()


def journal(test):
    return test.session_state["journals"][REVIEW.data, REVIEW.model]


def test_a_sample_is_marked_noted_and_unmarked(open_page):
    (row,) = worst(1)
    test = press(select(open_page("harmful"), row), "Mark")
    assert journal(test).remark(row) == Remark(marked=True)
    test = test.text_input(key=f"note_colored_digits_bundled_{row}").set_value("wrong ink").run()
    assert journal(test).remark(row) == Remark(True, "wrong ink")
    test = press(test, "Take the mark off")
    assert journal(test).remark(row) == Remark(False, "wrong ink")


def test_before_one_is_chosen_the_worst_is_shown_in_short(open_page, monkeypatch):
    first, second = worst(2)
    with monkeypatch.context() as patch:
        patch.setattr(
            cache, "measured_effect", refuse
        )  # nobody asked yet: the page does not wait for a refit
        test = open_page("harmful")
    assert large(test).startswith(f"#1 · Training digit {first}: ")
    assert not any(button.label == "Mark" for button in test.button)
    assert not any("Fitted again" in m.value for m in test.markdown)
    test = select(test, second)
    assert large(test).startswith(f"#2 · Training digit {second}: ")
    assert any("Fitted again without it" in m.value for m in test.markdown)
    test = test.number_input(key="harmful_k").set_value(1).run()  # the chosen one is no longer shown
    assert large(test).startswith(f"#1 · Training digit {first}: ")
    assert large(test.selectbox(key="harmful_class").set_value("5").run()) == ""


def large(test) -> str:
    """What the panel beside the gallery is about."""
    return next((s.value.replace("\\", "") for s in test.subheader if "Training digit" in s.value), "")


def test_excluded_samples_are_fitted_without_applied_and_taken_back(open_page):
    first, second = worst(2)
    test = open_page("harmful")
    assert not any(h.value == "What you excluded" for h in test.header)
    test = press(select(test, first), "Exclude")
    test = press(select(test, second), "Exclude")
    assert journal(test).history.now.excluded == tuple(sorted((first, second)))
    sentence = next(m.value for m in test.markdown if m.value.startswith("Fitted again without these 2"))
    variant = Exclusion(REVIEW, AIM, tuple(sorted((first, second))), 0.01)
    judged = cache.comparison(REVIEW, variant, "colour").judged
    assert "on 450 test digits" in sentence
    assert f"{100 * judged.before.value:.1f} to {100 * judged.after.value:.1f} points" in sentence
    test = press(test, "Apply this fit")
    assert journal(test).history.current == variant
    assert any("In force: Variant 1" in html.value for html in test.get("html")) or titles(test)
    test = press(test, "Undo")
    assert journal(test).history.current is None
    test = press(test, "Let all count again")
    assert journal(test).history.now.excluded == ()
    test = press(test, "Undo")
    assert journal(test).history.now.excluded == tuple(sorted((first, second)))


def test_the_fit_without_them_is_the_exact_refit():
    rows = tuple(sorted(worst(5)))
    train, model = cache.features(REVIEW, "train"), cache.classifier(REVIEW)
    members = np.flatnonzero(np.isin(train.rows, rows))
    wanted = refit_without(model.head, train, members, damping=model.damping)
    found = cache.point(Exclusion(REVIEW, AIM, rows, 0.01))
    np.testing.assert_allclose(found.result.head.theta, wanted.theta, atol=1e-6)
    assert found.bias < cache.path(REVIEW, AIM, "iterated", 0, 0.01).original.bias
    assert found.result.what.endswith("without the 5 that the reviewer excluded")


def test_excluding_a_whole_class_is_one_sentence_and_can_be_taken_back(open_page):
    train = cache.features(REVIEW, "train")
    test = open_page("harmful")
    rows = [int(r) for r in train.rows[train.labels == 3]]
    from datetime import UTC, datetime

    from app.record.history import Decided, History
    from app.record.journal import Journal

    history = History().done("excluded", Decided(excluded=tuple(sorted(rows))), datetime.now(UTC))
    test.session_state["journals"] = {(REVIEW.data, REVIEW.model): Journal(history)}
    test.run()
    assert "would leave no example of 1 of 10 classes; leave out fewer" in test.error[0].value
    assert not any(b.label == "Apply this fit" for b in test.button)
    assert not press(test, "Let all count again").error


class TestSaid:
    said = Said({1: Remark(True), 2: Remark(False, "why?"), 3: Remark(True, "both")}, frozenset({3, 4}))

    @pytest.mark.parametrize(
        ("shown", "rows"),
        [("top", None), ("marked", {1, 3}), ("noted", {2, 3}), ("excluded", {3, 4})],
    )
    def test_what_is_shown(self, shown, rows):
        assert self.said.of(shown) == rows

    @pytest.mark.parametrize(
        ("row", "badge"), [(1, "marked"), (2, "note"), (3, "excluded"), (4, "excluded"), (5, "")]
    )
    def test_the_badge(self, row, badge):
        assert self.said.badge(row) == badge


def test_marked_samples_are_found_beyond_the_top_k():
    data, scores = cache.dataset(REVIEW), cache.scores(REVIEW, AIM)
    row = worst(120)[-1]
    said = Said({row: Remark(True)})
    view = harmful.build(data, scores, k=10, kind="Harmful", said=said, shown="marked")
    assert [(s.row, s.rank, s.badge) for s in view.samples] == [(row, 120, "marked")]


def test_an_empty_choice_says_what_to_do(open_page):
    test = open_page("harmful")
    test.selectbox(key="harmful_shown").set_value("noted").run()
    assert "You have noted no digit yet" in test.info[0].value


def test_one_bias_has_one_figure_on_every_page(open_page):
    """That of test people; those of others name whose they are, and stand a click away."""
    bias, external = (
        100 * cache.audit(REVIEW, None).attributes[0].bias.value,
        100 * cache.scores(REVIEW, AIM).bias,
    )
    assert f"{external:.1f}" != f"{bias:.1f}"
    said = [
        html.value for html in open_page("harmful").get("html") if "training digits are harmful" in html.value
    ]
    assert f"the bias, {bias:.1f} points on test digits, is predicted to be lower" in said[0]
    assert f"{external:.1f} points" not in said[0]
