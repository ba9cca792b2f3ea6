"""An encoder and a depth of somebody else's go through all steps: found, looked at, unlearned, compared, reported."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.errors import DataError, ModelError
from fmd_core.models.deepening import depths_of
from fmd_core.models.depth import DEPTHS, add_depth, find_depth
from fmd_core.models.encoder import Encoder, KnowsRows, Layered, Network, Trainable
from fmd_core.report.writing import json_values, report_json


@dataclass(frozen=True)
class Angles:
    """Rows to sines and cosines of fixed directions: no torch, no scikit-learn, no file."""

    directions: tuple[tuple[float, ...], ...]
    kind = "table"
    title = "Angles"

    @property
    def n_features(self):
        return 2 * len(self.directions)

    @property
    def n_parameters(self):
        return 0

    @property
    def fingerprint(self):
        return f"angles {self.directions}"

    def encode_batches(self, batches):
        for batch in batches:
            angles = batch @ np.array(self.directions).T
            yield np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype("float32")


@dataclass(frozen=True)
class WithSquares:
    """What another encoder gives, beside its squares."""

    below: Encoder

    kind = property(lambda self: self.below.kind)
    title = property(lambda self: f"{self.below.title}, squared")
    n_features = property(lambda self: 2 * self.below.n_features)
    n_parameters = property(lambda self: self.below.n_parameters)
    fingerprint = property(lambda self: f"squares of {self.below.fingerprint}")

    def encode_batches(self, batches):
        for features in self.below.encode_batches(batches):
            yield np.concatenate([features, features**2], axis=1)


def reading_squares(encoder, head, factor, scale):
    """The head reads squares as well, with no weight on them yet."""
    if head.n_features > 100:
        raise ModelError("There are too many features to square; choose another depth.")
    weight = head.weight * (factor / scale)
    return WithSquares(encoder), fmd.LinearHead(np.column_stack([weight, 0 * weight]), head.bias)


SQUARES = fmd.Depth(
    "squares", "The last layer, reading squares", "last layer and squares", "the last layer, reading squares, was",
    note="Squares reach what no plane parts.", needs="few features", cost="seconds", move=reading_squares,
)  # fmt: skip


@pytest.fixture(scope="module")
def problem(tiny):
    rng = np.random.default_rng(0)
    encoder = Angles(tuple(map(tuple, rng.normal(0, 0.6, (6, 6)).tolist())))
    return replace(tiny, classifier=fmd.wrap(encoder, data=tiny.dataset, name="My angles"))


@pytest.fixture
def squares():
    """The depth, for as long as a test lasts."""
    yield add_depth(SQUARES)
    del DEPTHS["squares"]


def reviewed(problem):
    """A whole review as a report that was written, read again and opened."""
    point = problem.path.suggested
    pairs = [problem.pairs_of("test", name) for name in problem.dataset.attributes]
    evidence = fmd.Evidence(
        problem.dataset, problem.classifier, problem.audit(), 0.1, problem.scores, 5, point=point, tolerance=0.01,
        comparison=problem.comparison, depth=problem.classifier.depth,
        audit_after=fmd.audit_bias(point.result.head, problem.dataset, problem.features["test"], pairs),
    )  # fmt: skip
    made = fmd.build_report(evidence)
    report = json_values(made)
    assert problem.classifier.architecture in fmd.render_report(evidence, report=made)
    return report, fmd.read_report(report_json(made).encode())


def test_an_encoder_of_ones_own_is_one(problem):
    encoder = problem.classifier.encoder
    assert isinstance(encoder, fmd.Encoder)
    assert not isinstance(encoder, Network | Trainable | Layered | KnowsRows)


def test_an_encoder_from_outside_goes_through_every_step(problem):
    found = problem.audit()
    assert max(a.bias.value for a in found.attributes) > 0.1  # found
    assert len(problem.scores.most_harmful(5)) == 5  # looked at
    after = problem.comparison
    assert after.bias.after.value < 0.7 * after.bias.before.value  # unlearned and compared
    report, again = reviewed(problem)
    assert (report["model"]["architecture"], report["settings"]["depth"]) == ("Angles", "last layer")
    assert again is not None


def test_a_depth_from_outside_goes_through_every_step(problem, squares):
    assert [depth.name for depth in depths_of(problem.classifier)] == ["last layer", "squares"]
    deep = replace(problem, classifier=fmd.deepened(problem.classifier, squares, scale=1.5))
    np.testing.assert_allclose(
        deep.head.probabilities(deep.features["test"].features),
        problem.head.probabilities(problem.features["test"].features),
        atol=1e-5,
    )
    assert deep.classifier.encoder_fingerprint != problem.classifier.encoder_fingerprint
    assert deep.comparison.bias.after.value < deep.comparison.bias.before.value
    report, _ = reviewed(deep)
    assert report["settings"]["depth"] == "squares"
    assert any("Only the last layer, reading squares, was changed" in told for told in report["caveats"])


def test_a_depth_from_outside_opens_networks_of_ours_too(demo, squares):
    deep = fmd.deepened(demo.classifier, "squares")
    pictures = demo.dataset.source.read(demo.dataset.rows("test")[:20])
    np.testing.assert_allclose(
        deep.head.probabilities(deep.encode([pictures])),
        demo.head.probabilities(demo.classifier.encode([pictures])),
        atol=1e-5,
    )
    assert squares in depths_of(demo.classifier)
    with pytest.raises(ModelError, match=r"^Small network \(3 layers\), squared cannot be written as a file"):
        fmd.save_classifier(deep, "nowhere")


def test_a_report_on_a_depth_that_is_not_there_is_refused(problem):
    add_depth(SQUARES)
    try:
        deep = replace(problem, classifier=fmd.deepened(problem.classifier, "squares"))
        report, _ = reviewed(deep)
    finally:
        del DEPTHS["squares"]
    with pytest.raises(DataError, match="one of: last layer, concatenated, two layers"):
        fmd.read_report(json.dumps(report).encode())


def test_an_unknown_depth_lists_what_there_is(problem, squares):
    for call in (find_depth, lambda name: fmd.deepened(problem.classifier, name)):
        with pytest.raises(fmd.FMDError) as caught:
            call("three layers")
        assert str(caught.value) == (
            "Unknown depth 'three layers'. Choose one of: last layer, concatenated, two layers, squares."
        )
    with pytest.raises(ModelError, match="There is a depth 'squares' already"):
        add_depth(replace(squares))
    assert add_depth(squares) is squares


def test_every_depth_says_what_it_is():
    for depth in DEPTHS.values():
        said = (depth.title, depth.layers, depth.changed, depth.note, depth.needs, depth.cost)
        assert all(said)
        assert depth.changed.endswith((" was", " were"))
        assert not depth.measured_at or depth.measured_at in DEPTHS


def test_a_model_that_cannot_be_opened_deeper_says_why(problem):
    encoder, head = problem.classifier.encoder, problem.head
    assert find_depth("last layer").why_not(encoder, head) == ""
    for name in ("concatenated", "two layers"):
        assert find_depth(name).why_not(encoder, head) == (
            "Angles has no hidden layer right below its last one that could be opened, so that only the last layer "
            "can be unlearned."
        )
    with pytest.raises(ModelError, match=r"^Angles is no torch network, so what happens inside it cannot"):
        problem.classifier.as_module()
    with pytest.raises(ModelError, match=r"^Angles cannot be trained further here"):
        problem.classifier.with_weights({})


def test_an_encoder_comes_with_a_head_or_with_data():
    encoder = Angles(((1.0, 2.0),))
    head = np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2)
    given = fmd.wrap(encoder, head=head)
    assert (given.kind, given.head.n_classes, given.n_parameters) == ("table", 2, 6)
    with pytest.raises(ModelError, match="An encoder needs a last layer"):
        fmd.wrap(encoder)
    with pytest.raises(ModelError, match="head= is weights"):
        fmd.wrap(encoder, head="fc")
