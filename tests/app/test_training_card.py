"""What a training says of itself: before it begins, while it runs, and when it has ended."""

from dataclasses import replace

import numpy as np
import pytest

import fmd_core as fmd
from app import cache
from app.jobs.durations import DURATIONS, Size
from app.jobs.registry import REGISTRY
from app.opening import training_card
from app.record.review import Review
from app.view_models import training
from app.view_models.training import Asked
from fmd_core.measure.verdict.groups import least_right
from fmd_core.measure.verdict.model_warnings import accuracy_of
from fmd_core.measure.verdict.values import Accuracy

REVIEW = Review()
ASKED = Asked("small_cnn", "Small network (3 layers)", 4)


def test_a_plan_says_who_teaches_who_checks_and_who_judges():
    data = cache.dataset(REVIEW)
    view = training.plan(data, "Small network (3 layers)", 4)
    assert view.title == "Small network (3 layers) will learn digit"
    assert view.people.endswith("each seen 4 times.")
    n = {part: int((data.split == part).sum()) for part in ("train", "validation", "test")}
    assert view.people.startswith(f"From {n['train']:,} digits")
    assert f"{n['validation']} digits check it after every round" in view.checked
    assert f"{n['test']} digits, which it never sees, say at the end" in view.checked
    assert (data.split[list(view.rows)] == "train").all()
    assert view.labels == tuple(data.target.levels[code] for code in data.target.codes[list(view.rows)])
    assert len(set(view.labels)) == len(data.target.levels)
    once = training.plan(data, "A last layer", None)
    assert once.people.endswith("each seen once.")
    assert "after every round" not in once.checked


def test_samples_show_the_classes_in_turn():
    rows = training.sample_rows(np.array([0, 0, 0, 0, 0, 0, 1, 1]), 2)
    assert rows.tolist() == [0, 6, 1, 7, 2, 3, 4]


def test_the_size_of_a_training_grows_with_rounds_and_samples():
    data = cache.dataset(REVIEW)
    once, four = (training_card.size_of(replace(ASKED, epochs=n), data) for n in (1, 4))
    assert (four.kind, four.units) == (once.kind, 4 * once.units)
    assert "small_cnn" in once.kind


def test_how_often_it_is_right_stands_beside_always_saying_the_same():
    said = training.right_sentence(Accuracy(0.934, 0.92, 0.94, 4000, 0.864, "not blond"), "face")
    assert (
        said
        == "Right for 93.4 % of 4,000 held-out faces; always answering “not blond” would be right for 86.4 %."
    )


def headed(cells, classes=("other", "blond")):
    """What the Model page says of answers, from (level, truth, answer) -> count."""
    rows = np.array([key for key, count in cells.items() for _ in range(count)])
    group, truth, said = rows.T

    class Rows:
        kind, fingerprint = "table", "rows"

    data = fmd.AttributeDataset(
        "Hair", fmd.Column("hair", truth, classes), {"sex": fmd.Column("sex", group, ("men", "women"))},
        np.repeat("test", len(rows)), Rows(), phrases={"sex": {"men": "men", "women": "women"}},
    )  # fmt: skip
    answered = fmd.Answered(np.arange(len(rows)), truth, said)
    right, (least, few) = accuracy_of(data, answered), least_right(data, answered)
    head = training.right_headline(right, least, "face", is_doubted=False)
    return "".join(piece for piece, _ in head), training.least_sentence(right, least, few, "person")


def test_who_is_too_few_to_tell_is_said_beside_who_is_least_often_right():
    head, lead = headed({(0, 0, 0): 90, (0, 0, 1): 10, (0, 1, 0): 20, (1, 0, 0): 100})
    assert head == "Right for 86.4 % of 220 held-out faces, but for 75.0 % of men."
    assert lead.startswith(
        "Of all classes and groups with enough people the lowest: men 75.0 (66.6 to 81.9), n = 120"
    )
    assert lead.endswith(
        "; 2 others with too few people could be lower."
    )  # nobody of the 20 blond is recognised


def test_where_only_few_are_served_worse_nobody_is_named_and_nothing_is_called_fine():
    head, lead = headed({(0, 0, 0): 100, (0, 1, 0): 5})
    assert head == "Right for 95.2 % of 105 held-out faces."
    assert lead == (
        "No class and no group with enough people to tell is lower; 2 others with too few people could be lower."
    )
    head, lead = headed({(0, 0, 0): 12, (0, 1, 1): 12, (1, 0, 1): 12})
    assert head.endswith("of 36 held-out faces.")
    assert lead == "No class and no group has enough people to tell for whom it is right less often."


def test_a_model_that_does_not_answer_is_not_called_better_at_it():
    known = Accuracy(0.977, 0.97, 0.98, 4000, 0.977, "no")
    assert ("97.7 %", "worse") in training.right_headline(known, None, "face", is_doubted=True)
    assert ("97.7 %", "better") in training.right_headline(known, None, "face", is_doubted=False)


def test_rounds_are_told_in_words_too():
    html = training.rounds_html((0.86, 0.91), 4, "face")
    assert "after each round: 86.0 %, 91.0 %" in html
    assert html.count("class='bar'") == 4


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(DURATIONS, "_given", tmp_path / "durations.json")


@pytest.mark.usefixtures("machine")
def test_the_model_page_says_before_training_what_and_how_long(open_page):
    data = cache.dataset(REVIEW)
    test = open_page("model")
    said = " ".join(element.value for element in test.markdown)
    assert "each seen" in said
    assert "Trying out a few steps" in said  # and none is tried before the page is on screen
    assert not any(job.key.startswith("time ") for job in REGISTRY.recent())
    network = test.selectbox(key="network_image").value
    epochs = test.number_input(key=f"epochs_{REVIEW.data}").value
    size = training_card.size_of(Asked(network, "", epochs), data)
    DURATIONS.record(Size(size.kind, size.units), 130.0)
    test.run()
    assert "**About 2 minutes on this machine**" in " ".join(element.value for element in test.markdown)
    test.number_input(key=f"epochs_{REVIEW.data}").set_value(2 * epochs).run()
    assert "**About 4 minutes on this machine**" in " ".join(element.value for element in test.markdown)


def test_what_the_model_got_right_is_known_before_the_twins_are_read():
    cache.features(REVIEW, "test")
    known = cache.so_far(REVIEW).right
    assert (known.n, round(known.value, 3)) == (450, 0.373)
    assert known.majority < 0.12


def test_a_few_steps_are_timed_and_leave_no_trace():
    import torch

    from fmd_core.models.training import time_training

    before = torch.random.get_rng_state()
    samples, seconds = time_training(cache.dataset(REVIEW), "small_cnn")
    assert samples > 0
    assert seconds > 0
    assert torch.equal(before, torch.random.get_rng_state())
