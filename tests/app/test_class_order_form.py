"""Before any figure of an opened model it is known what its outputs mean; its owner's answers are held against it."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

import fmd_core as fmd
from app.record.review import Review
from app.view_models import class_order as view
from app.view_models import own_answers
from app.view_models.preparation import as_seen
from fmd_core.models import shelf
from fmd_core.models.adopting import adopt
from fmd_core.models.class_order import Outputs, Reason
from fmd_core.models.own_answers import Agreement
from fmd_core.models.preprocess import Preprocess

DATA = "colored_digits"
TURNED = (*range(1, 10), 0)


@pytest.fixture(scope="module")
def turned():
    """The demo's model with two outputs in the other order, as a file would bring it, on the shelf."""
    data, model = fmd.load_dataset(DATA), shelf.load_demo_classifier(DATA)
    head = model.head.with_last(
        replace(model.head.last, weight=model.head.weight[list(TURNED)], bias=model.head.bias[list(TURNED)])
    )
    found = adopt(replace(model, head=head, trained_on="", recipe=None, name="theirs"), data).classifier
    assert found.outputs.better is not None
    assert found.outputs.better.meaning == TURNED
    return shelf.keep_model(data, found)


def titles(test):
    return [one.value for one in test.title]


@pytest.mark.slow
def test_no_figure_is_shown_before_the_order_is_known(open_page, turned):
    test = open_page("model")
    test.session_state["review"] = Review(DATA, turned)
    test = test.run()
    facts = dict(test.table[0].value.to_numpy().tolist())
    assert facts["Accuracy"] == "cannot be said before the order of its outputs is confirmed"
    assert any("in another order for" in one.value for one in test.warning)
    assert any(one.value.startswith("Output 0 means 0, output 1 means 1") for one in test.markdown)
    for page in ("find_bias", "twins", "report"):
        test = test.switch_page(f"app_pages/{page}.py").run()
        assert not test.exception
        assert titles(test) == ["Are the model's outputs named in the right order?"]
        assert not test.table
        assert not test.dataframe
    test = test.switch_page("app_pages/start.py").run()
    assert "cannot be said before" in dict(test.table[0].value.to_numpy().tolist())["Accuracy"]
    test = test.switch_page("app_pages/find_bias.py").run()
    test.button(key="order_0").click().run()
    assert not test.exception
    chosen = test.session_state["review"]
    kept = shelf.open_model(fmd.load_dataset(DATA), chosen.model)
    assert kept.outputs.meaning == TURNED
    assert kept.outputs.is_confirmed
    np.testing.assert_allclose(
        kept.head.weight / kept.feature_scale,
        shelf.load_demo_classifier(DATA).head.weight / shelf.load_demo_classifier(DATA).feature_scale,
    )
    assert titles(test) != ["Are the model's outputs named in the right order?"]


def test_the_question_names_both_orders_and_the_shares():
    data = fmd.load_dataset("synthetic_faces")
    from fmd_core.models.class_order import Better

    outputs = Outputs((0, 1), Reason.SORTED, ("0", "1"), Better(0.054, 0.946, (1, 0), 500))
    asked = view.question(data, outputs)
    assert "right for 5.4 % of 500 validation faces; in another order for 94.6 %" in asked.lead
    assert [choice.label for choice in asked.choices] == [
        "Use: 0 is blond, 1 is dark",
        "Keep: 0 is dark, 1 is blond",
    ]
    assert view.question(data, msgspec.structs.replace(outputs, is_confirmed=True)) is None
    assert view.own_names(outputs) == "In the file they are called 0, 1."
    assert view.chosen(data.target.levels, ["blond", "dark"]) == (1, 0)
    assert view.chosen(data.target.levels, ["dark", "dark"]) is None


def test_two_usual_orders_are_both_offered():
    data = fmd.load_dataset(DATA)
    levels = tuple(str(k) for k in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10))
    numbers = replace(data, target=replace(data.target, levels=levels))
    asked = view.question(numbers, Outputs(tuple(range(10)), Reason.TWO_ORDERS))
    assert [choice.label[:21] for choice in asked.choices] == [
        "0 is 1, 1 is 2, 2 is ",
        "0 is 1, 1 is 10, 2 is",
    ]


def test_pictures_are_shown_as_the_model_sees_them():
    data = fmd.load_dataset("synthetic_faces")
    seen = as_seen(data, Preprocess("symmetric", 32))
    assert len(seen) == 3
    assert all(one.note.startswith("32 x 32, ") for one in seen)
    assert "-1.00" in seen[0].note or float(seen[0].note.split(", ")[1].split(" to ")[0]) >= -1
    assert as_seen(data, Preprocess("symmetric", 32, grayscale=True))[0].source != seen[0].source


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            Agreement(500, 0, 2e-6),
            "answers as its owner says, for all 500 faces; the largest difference of a probability is 2e-06.",
        ),
        (Agreement(10, 0, None), "answers as its owner says, for all 10 faces."),
        (Agreement(10, 0, 0.2), "No answer flips among 10 faces, but probabilities differ"),
        (Agreement(500, 18, 0.4), "18 of 500 faces are answered otherwise than the owner says"),
    ],
)
def test_the_owners_answers_in_words(found, said):
    assert said in own_answers.sentence(found, "face")
