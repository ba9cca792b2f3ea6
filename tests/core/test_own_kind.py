"""A kind of sample from outside: short series, which the library finds, looks at, unlearns and reports on."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import fmd_core as fmd
from app.view_models import where_it_looks
from fmd_core import kinds
from fmd_core.data import SPLITS, content_fingerprint
from fmd_core.explain.attributions import methods
from fmd_core.imaging import data_uri
from fmd_core.kinds import Portrait, find_kind, kind_names, recognised
from fmd_core.models.architectures import ARCHITECTURES, Architecture
from fmd_core.models.training import suggested_architecture
from fmd_core.report.writing import json_values, report_json

LENGTH, N = 20, 900
SENSOR = slice(0, 4)  # where a second sensor lifts the series


class SeriesKind(fmd.Kind):
    """A measurement at twenty moments, (m, 20), drawn as a line of dots."""

    name, plural, samples = "series", "series", "series"
    has_pictures = True

    def reads(self, inputs):
        return inputs.ndim == 2 and inputs.shape[1] == LENGTH

    def portrait(self, shown, side):
        canvas = np.full((24, LENGTH, 3), 255, "uint8")
        heights = np.clip(12 - 4 * np.asarray(shown), 0, 23).astype(int)
        canvas[heights, np.arange(LENGTH)] = 0
        return Portrait(data_uri(canvas, side), "")

    def record(self, shown):
        return {f"moment {i + 1}": f"{value:.2f}" for i, value in enumerate(np.asarray(shown))}

    def parts(self, contributions, source):  # noqa: ARG002
        return contributions, tuple(f"moment {i + 1}" for i in range(LENGTH))


@dataclass(frozen=True, eq=False)
class SeriesSource:
    """A bump whose place tells the class, and what the sensor adds."""

    bare: np.ndarray  # (n, 20)
    sensor: np.ndarray  # (n,)
    kind: str = "series"

    @property
    def fingerprint(self):
        return content_fingerprint(self.bare, self.sensor)

    def read(self, rows):
        return self.counterfactual(rows, "sensor", self.sensor[rows])

    def counterfactual(self, rows, attribute, codes):
        assert attribute == "sensor"
        out = self.bare[rows].astype("float32")
        out[:, SENSOR] += 1.5 * np.asarray(codes, "float32")[:, None]
        return out

    def display(self, row, attribute="", code=0):
        rows = np.array([row])
        return (self.counterfactual(rows, attribute, np.array([code])) if attribute else self.read(rows))[0]


def network(n_inputs):
    from torch import nn

    return nn.Sequential(nn.Linear(n_inputs, 16), nn.ReLU())


@pytest.fixture(scope="module", autouse=True)
def kind():
    ARCHITECTURES["series_net"] = Architecture(
        "series_net", "Small network for series", "series", 0, "head", network, "0"
    )
    yield fmd.register_kind(SeriesKind())
    del ARCHITECTURES["series_net"], kinds._KINDS["series"]


@pytest.fixture(scope="module")
def data(kind):  # noqa: ARG001
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, N)
    split = rng.choice(SPLITS, N, p=(0.5, 0.15, 0.15, 0.2))
    follows = rng.random(N) < np.where(split == "train", 0.95, 0.5)
    sensor = np.where(follows, label, 1 - label)
    bare = rng.normal(0, 1, (N, LENGTH))
    bare[label == 0, 8:11] += 0.8
    bare[label == 1, 14:17] += 0.8
    return fmd.AttributeDataset(
        "Series", fmd.Column("event", label, ("early", "late")),
        {"sensor": fmd.Column("sensor", sensor, ("old", "new"))}, split, SeriesSource(bare, sensor), unit="series",
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(data):
    assert suggested_architecture(data) == "series_net"
    return fmd.train_classifier(data, architecture="series_net", epochs=15)


@pytest.fixture(scope="module")
def review(data, model):
    """Find, unlearn and compare, as the README does it."""
    parts = {s: fmd.extract_features(model, data, split=s) for s in SPLITS}
    twins = {s: fmd.pair_counterfactuals(data, model, split=s, attribute="sensor") for s in SPLITS}
    bias = {s: fmd.CounterfactualBias(pairs) for s, pairs in twins.items()}
    curvature = fmd.fit_curvature(model.head, parts["train"], damping=model.damping)
    scores = fmd.bias_influence(model.head, parts["train"], bias["external"], curvature)
    inputs = fmd.UnlearningInputs(parts["train"], bias["external"], curvature, scores)
    path = fmd.unlearning_path(model.head, inputs, fmd.Guard(parts["validation"], bias["validation"]))
    after = path.suggested.result.head
    audits = [fmd.audit_bias(head, data, parts["test"], [twins["test"]]) for head in (model.head, after)]
    result = fmd.compare(model.head, after, data, parts["test"], twins["test"])
    return path, scores, audits, result


def test_the_bias_is_found_and_taken_out(review):
    _, _, (before, _), result = review
    assert before.attributes[0].bias.value > 0.1
    assert result.bias.after.value < 0.6 * result.bias.before.value


def test_what_taught_it_repeats_the_shortcut(review, data):
    scores = review[1]
    assert data.bias_aligned("sensor")[scores.rows[scores.most_harmful(20)]].mean() > 0.9


def test_a_series_is_looked_into_moment_by_moment(data, model):
    row = int(data.rows("test")[0])
    assert methods(model, data) == ("integrated-gradients",)
    found = [
        fmd.explain(model, data, row, target=1, method="integrated-gradients", attribute="sensor", code=code)
        for code in (0, 1)
    ]
    assert found[0].columns[:2] == ("moment 1", "moment 2")
    change = np.abs(found[1].contributions - found[0].contributions)
    assert change[SENSOR].mean() > 2 * np.delete(change, np.arange(LENGTH)[SENSOR]).mean()
    shown = [where_it_looks.Shown(row, "as it is"), where_it_looks.Shown(row, "its twin", "sensor", 1)]
    bars = where_it_looks.build_bars(data, shown, ["original"], [[f] for f in found])
    assert bars[0].labels[0].startswith("moment")
    assert (
        bars[0].table["Value"][0] == find_kind("series").record(data.source.display(row))[bars[0].labels[0]]
    )


def test_the_report_shows_it_and_can_be_opened_again(data, model, review):
    path, scores, (before, after), result = review
    evidence = fmd.Evidence(
        data, model, before, 0.1, scores, 20, point=path.suggested, tolerance=0.01, comparison=result,
        audit_after=after,
    )  # fmt: skip
    made = fmd.build_report(evidence)
    report = json_values(made)
    assert report["data"]["kind"] == "series"
    assert fmd.render_report(evidence, report=made).count("data:image/png") > 5
    opened = fmd.read_report(report_json(made).encode())
    assert opened.is_intact
    assert "data:image/png" not in fmd.render_page(opened.report)


def test_a_model_of_another_kind_is_refused(data, model):
    rows = replace(data, source=TableOf(data.source))
    with pytest.raises(fmd.ModelError, match="reads series, but 'Series' holds tables"):
        fmd.extract_features(model, rows, split="test")
    with pytest.raises(fmd.ModelError, match="'mlp' reads tables, but 'Series' holds series"):
        fmd.train_classifier(data, architecture="mlp")


@dataclass(frozen=True, eq=False)
class TableOf:
    """The same numbers said to be records."""

    inner: SeriesSource
    kind: str = "table"

    def __getattr__(self, name):
        return getattr(self.inner, name)


def test_an_unknown_kind_lists_what_there_is():
    with pytest.raises(fmd.DataError) as caught:
        find_kind("sound")
    assert str(caught.value) == "Unknown kind of sample 'sound'. Known are: image, table, text, series."


def test_a_batch_of_no_kind_is_said_to_be_one():
    with pytest.raises(fmd.DataError, match=r"shape \(2, 3, 4\) and type float64 is of no known kind"):
        recognised(np.zeros((2, 3, 4)))
    assert [recognised(np.zeros(shape)).name for shape in ((2, 5), (2, 8, 8, 3))] == ["table", "image"]


def test_a_name_is_taken_once():
    class Other(SeriesKind):
        pass

    with pytest.raises(fmd.DataError, match="'series' is known already"):
        fmd.register_kind(Other())
    fmd.register_kind(SeriesKind())
    assert kind_names() == ("image", "table", "text", "series")


def test_the_kinds_of_our_own_say_the_same_of_a_sample_as_ever():
    picture = np.zeros((8, 8, 3), "uint8")
    assert find_kind("image").portrait(picture, 16) == Portrait(picture=data_uri(picture, 16))
    assert find_kind("table").portrait({"sex": "f", "age": "3"}, 16) == Portrait(text="sex: f\nage: 3")
    assert find_kind("image").record(picture) == {}
