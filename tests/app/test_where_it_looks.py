"""Where the model looks: words, figures, colours, and the panels on Harmful and Twins."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from app import cache
from app.cache import opened, pictures
from app.record.review import Aim, Review
from app.view_models import charts, training_sample, where_it_looks
from app.view_models.where_it_looks import Shown
from fmd_core import Column, Explanation, ModelError
from fmd_core.explain import heat_map

REVIEW = Review()
DATA = SimpleNamespace(
    target=Column("animal", np.array([0, 1]), ("cat", "dog")),
    unit="image",
    pair_method="generated",
    source=SimpleNamespace(kind="image"),
)


def explained(values, score=0.0, baseline=None, columns=(), method="integrated-gradients"):
    return Explanation(method, 1, np.array(values, "float64"), columns, score, baseline)


# --- words and figures


class TestWords:
    def test_pixels_speak_for_and_against(self):
        words = where_it_looks.words(DATA, 1, [explained(np.zeros((2, 2)), 0.0, 0.0)])
        assert words.shows == (
            "Blue speaks for the answer 'dog', orange against it, compared with the average training image."
        )
        assert "does not prove a cause" in words.shows_not
        assert "Integrated Gradients" in words.shows_not
        assert words.caution == ""

    def test_regions_only_speak_for(self):
        words = where_it_looks.words(DATA, 0, [explained(np.zeros((2, 2)), method="grad-cam")])
        assert words.shows.startswith("The deeper the blue, the more a region speaks for the answer 'cat'.")

    def test_real_people_are_not_said_to_differ_in_one_thing(self):
        matched = SimpleNamespace(**vars(DATA) | {"pair_method": "matched"})
        told = [where_it_looks.words(d, 1, [explained(np.zeros((2, 2)))]).shows_not for d in (DATA, matched)]
        assert told[0].endswith("It does not prove a cause: only twins change one thing and nothing else.")
        assert told[1].endswith("It does not prove a cause.")

    def test_what_does_not_add_up_is_said(self):
        found = explained([[1.0, 0.5]], score=3.0, baseline=-0.9)
        assert where_it_looks.words(DATA, 1, [found]).caution == (
            "Read this as rough: the parts add up to 1.5, but the whole is 3.9 (log-odds)."
        )


class TestMaps:
    SHOWN = (Shown(3, "as trained on"), Shown(3, "its twin, red", "colour", 1))

    def test_one_model_puts_the_samples_side_by_side(self):
        corner = np.zeros((6, 6))
        corner[5, 0] = -1
        found = [[explained(corner, score=4.0)], [explained(np.zeros((6, 6)))]]
        (row,) = where_it_looks.build_maps(DATA, self.SHOWN, ["original"], found)
        assert (row.title, [m.note for m in row.maps]) == (
            "",
            ["as trained on: 98 % sure", "its twin, red: 50 % sure"],
        )
        assert row.maps[0].alt == (
            "Where the model looks (original; as trained on): most at the bottom left; 98 % sure of 'dog'"
        )
        assert "most nowhere" in row.maps[1].alt

    def test_two_models_stand_side_by_side_in_a_row_per_sample(self):
        found = [[explained(np.eye(3)), explained(np.eye(3), score=2.0)]] * 2
        rows = where_it_looks.build_maps(DATA, self.SHOWN, ["original", "variant 1"], found)
        assert [row.title for row in rows] == ["As trained on", "Its twin, red"]
        assert [m.note for m in rows[1].maps] == ["original: 50 % sure", "variant 1: 88 % sure"]


class TestBars:
    COLUMNS = tuple(f"c{i}" for i in range(11))
    RECORD = SimpleNamespace(
        target=DATA.target, unit="person",
        source=SimpleNamespace(
            kind="table", display=lambda row, *_: {f"c{i}": str(row + i) for i in range(11)}
        ),
    )  # fmt: skip

    def bars(self, *series, models=("original",)):
        found = [[explained(values, columns=self.COLUMNS) for values in series]]
        return where_it_looks.build_bars(self.RECORD, [Shown(100, "as trained on")], models, found)[0]

    def test_the_largest_come_first_and_the_rest_in_one_bar(self):
        values = [0.1, -3.0, 2.0, *[0.5] * 5, 0.01, 0.02, -0.03]
        bars = self.bars(values)
        assert bars.labels[:2] == ("c1", "c2")
        assert bars.labels[-1] == "3 others"
        assert bars.series[0][1][-1] == pytest.approx(0.0)
        assert sum(bars.series[0][1]) == pytest.approx(sum(values))
        assert bars.table.iloc[0].tolist() == ["c1", "101", "−3.00"]
        assert (
            bars.summary
            == "Sure of 'dog': original 50 %; most for it c2 (102) +2.00, most against it c1 (101) −3.00."
        )

    def test_before_and_after_name_what_changed_most(self):
        before, after = np.linspace(0, 1, 11), np.linspace(0, 1, 11)
        after[4] = -0.6
        bars = self.bars(before, after, models=("original", "variant 1"))
        assert list(bars.table.columns) == ["Column", "Value", "Original", "Variant 1"]
        assert bars.summary == (
            "Sure of 'dog': original 50 %, variant 1 50 %; what c4 (104) adds changes most, from +0.40 to −0.60."
        )

    def test_bars_are_coloured_by_sign_alone_and_by_model_together(self):
        single = charts.contributions(["a", "<b>"], [("original", [1.0, -1.0])], reach=(-1, 1))
        assert list(single.data[0].marker.color) == [charts.ACCENT, charts.FLAG]
        assert single.layout.yaxis.ticktext == ("a", "&lt;b&gt;")
        both = charts.contributions(["a"], [("original", [1.0]), ("variant 1", [0.5])], reach=(-2, 1))
        assert [trace.marker.color for trace in both.data] == [charts.NEUTRAL, charts.ACCENT]
        assert both.layout.xaxis.range == (-2.16, 1.08)


# --- colours


class TestOverlay:
    def test_for_is_blue_against_is_orange_and_nothing_is_grey(self):
        values = np.zeros((32, 32))
        values[:10], values[22:] = 1.0, -1.0
        drawn = heat_map.overlay(np.full((32, 32, 3), (200, 40, 40), "uint8"), values, 1.0).astype(int)
        assert drawn.shape == (256, 256, 3)
        assert drawn[20, 128, 2] > drawn[20, 128, 0] + 80
        assert drawn[236, 128, 0] > drawn[236, 128, 2] + 80
        assert np.ptp(drawn[128, 128]) <= 1

    def test_the_map_lies_on_the_middle_that_the_model_reads(self):
        photo = np.full((218, 178, 3), 255, "uint8")
        photo[:20], photo[-20:] = 0, 0  # above and below the middle square
        drawn = heat_map.overlay(photo, np.zeros((64, 64)), 1.0)
        assert drawn.shape == (256, 256, 3)
        assert drawn.min() == 255

    def test_one_scale_for_all_and_never_zero(self):
        weak, strong = np.ones((4, 4)), np.full((4, 4), -5.0)
        assert heat_map.scale_of([weak, strong]) == 5
        assert heat_map.scale_of([np.zeros((4, 4))]) > 0


# --- pages


def select(test, gallery, row):
    """What a click on a tile sends."""
    test.session_state[gallery] = {"selected": row}
    return test.run()


def everything_said(test) -> str:
    return " ".join(
        str(e.value) for kind in ("markdown", "caption", "subheader") for e in getattr(test, kind)
    )


def harmful_row() -> int:
    scores = cache.scores(REVIEW, Aim(("colour",)))
    return int(scores.rows[scores.most_harmful(1)[0]])


def twin_row() -> int:
    from app.view_models import twins

    pairs = cache.pairs(REVIEW, "test", "colour")
    view = twins.build(
        cache.dataset(REVIEW),
        cache.head(REVIEW, None),
        pairs,
        order=twins.ORDERS[0],
        only_flips=False,
        most=1,
    )
    return view.twins[0].row


@pytest.mark.parametrize(
    ("page", "gallery", "row"),
    [("harmful", "harmful_gallery", harmful_row), ("twins", "twins_gallery", twin_row)],
)
def test_a_selected_sample_shows_where_the_model_looks(open_page, page, gallery, row):
    test = open_page(page)
    assert "Where the model looks" not in everything_said(test)
    test = select(test, gallery, row())
    assert not test.exception
    assert not test.error
    assert "Where the model looks" in [s.value for s in test.subheader]
    assert "Blue speaks for the answer" in everything_said(test)
    test.segmented_control(key="looks_method").set_value("grad-cam").run()
    assert not test.exception
    assert "The deeper the blue" in everything_said(test)


def test_the_method_survives_a_page_switch(open_page):
    test = select(open_page("harmful"), "harmful_gallery", harmful_row())
    test.segmented_control(key="looks_method").set_value("grad-cam").run()
    test = select(test.switch_page("app_pages/twins.py").run(), "twins_gallery", twin_row())
    assert test.segmented_control(key="looks_method").value == "grad-cam"


def test_a_variant_stands_beside_the_original(open_page):
    test = open_page("unlearn")
    for label in ("Go to our suggestion", "Apply this"):
        test = next(b for b in test.button if b.label == label).click().run()
    test = select(test.switch_page("app_pages/harmful.py").run(), "harmful_gallery", harmful_row())
    assert not test.exception
    assert "**As trained on**" in [m.value for m in test.markdown]
    assert [t.label for t in test.toggle if t.key == "looks_own_scale"] == ["Each model on its own scale"]
    test.toggle(key="looks_own_scale").set_value(True).run()
    assert not test.exception


HOSTILE = "![x](http://evil.example/a.png) :red[b]"


@pytest.mark.usefixtures("fresh_caches")
def test_names_from_files_are_not_read_as_markup(open_page, monkeypatch):
    data = cache.dataset(REVIEW)
    colour = replace(data.attributes["colour"], levels=tuple(f"{HOSTILE} {i}" for i in range(10)))
    target = replace(data.target, levels=tuple(f"{HOSTILE} {i}" for i in range(10)))
    hostile = replace(data, target=target, attributes={"colour": colour, "paper": data.attributes["paper"]})
    monkeypatch.setattr(opened, "open_data", lambda _reference: hostile)
    test = select(open_page("twins"), "twins_gallery", twin_row())
    said = everything_said(test)
    assert not test.exception
    assert "evil" in said
    assert "![x](" not in said
    assert ":red[" not in said


def test_why_a_sample_counts_names_its_unit():
    sample = training_sample.Sample(1, 0, 5, "high", "f", "f", aligned=False, effect=-0.01, unit="person")
    assert (
        training_sample.explain(sample, "sex", 0.0)
        .sentences[1]
        .endswith("harmful all the same, by the rest of the person.")
    )


def test_what_cannot_be_explained_is_one_sentence_and_the_page_goes_on(open_page, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise ModelError("This head cannot be shown.")

    monkeypatch.setattr(cache, "explanation", refuse)
    test = select(open_page("harmful"), "harmful_gallery", harmful_row())
    assert [e.value for e in test.error] == ["This head cannot be shown."]
    assert "What they are made of" in [h.value for h in test.header]


def test_a_map_is_drawn_once(monkeypatch):
    row, question = harmful_row(), (REVIEW, None)
    asked = (*question, row, "", 0, 0, "integrated-gradients")
    first = cache.heat(*asked, 0.1)
    monkeypatch.setattr(pictures, "explain", lambda *_args, **_kwargs: pytest.fail("computed again"))
    assert cache.heat(*asked, 0.1) == first
    assert cache.heat(*asked, 0.2) != first  # another scale draws again, but explains nothing
    assert first.startswith("data:image/")
