"""Models of others: their own probabilities, whatever they are made of; what is refused, and how it is said."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC
from torch import nn

import fmd_core as fmd
from fmd_core.errors import ModelError
from fmd_core.forget.finetuning import TrainableCopy
from fmd_core.models import wrap as wrapping
from fmd_core.models.deepening import depths_of
from fmd_core.models.encoding import encode_rows
from fmd_core.models.feature_store import FeatureStore

EXACT = 1e-5


@pytest.fixture(scope="module")
def data(tiny):
    return tiny.dataset


@pytest.fixture(scope="module")
def rows(data):
    """Inputs and class names of the training samples."""
    train = data.rows("train")
    return data.source.read(train), np.array(data.target.levels)[data.target.codes[train]]


@pytest.fixture(scope="module")
def two(data):
    """The same people, of whom only "star or not" is asked."""
    return replace(data, target=fmd.Column("star", (data.target.codes == 2).astype(int), ("no", "yes")))


def fitted(model, data):
    train = data.rows("train")
    return model.fit(data.source.read(train), np.array(data.target.levels)[data.target.codes[train]])


def probabilities(classifier, inputs):
    return classifier.head.probabilities(classifier.encode([inputs]))


def in_order(model, found, data):
    """The columns of `predict_proba` in the order of the data set's classes."""
    return found[:, [list(model.classes_).index(level) for level in data.target.levels]]


def refused(*given, **options):
    with pytest.raises(ModelError) as caught:
        fmd.wrap(*given, **options)
    return str(caught.value)


SEVERAL = {
    "logistic": lambda: LogisticRegression(),
    "pipeline": lambda: make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression(C=0.3)),
    "nested": lambda: make_pipeline(
        StandardScaler(), make_pipeline(PolynomialFeatures(2), LogisticRegression())
    ),
    "searched": lambda: GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
    "network": lambda: MLPClassifier((12, 7), solver="lbfgs", max_iter=400, tol=1e-2, random_state=0),
    "tanh": lambda: MLPClassifier((6,), activation="tanh", solver="lbfgs", max_iter=400, tol=1e-2),
}


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("with_data", [True, False])
def test_a_scikit_learn_model_answers_as_it_did(name, with_data, data):
    model, test = fitted(SEVERAL[name](), data), data.source.read(data.rows("test"))
    found = fmd.wrap(model, data=data) if with_data else fmd.wrap(model)
    own = model.predict_proba(test)
    ours = probabilities(found, test)
    np.testing.assert_allclose(ours, in_order(model, own, data) if with_data else own, atol=EXACT)
    assert (found.kind, found.head.n_classes) == ("table", 3)


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(C=2.0),
        SGDClassifier(loss="log_loss", random_state=0),
        MLPClassifier((5,), activation="logistic", solver="lbfgs", max_iter=400, tol=1e-2),
    ],
    ids=lambda m: type(m).__name__,
)
def test_one_score_is_read_as_the_second_class(model, two):
    fitted(model, two)
    test = two.source.read(two.rows("test"))
    np.testing.assert_allclose(
        probabilities(fmd.wrap(model, data=two), test), model.predict_proba(test), atol=EXACT
    )


def test_columns_are_given_by_the_names_that_it_was_fitted_on(data, rows):
    import pandas as pd
    from sklearn.compose import make_column_transformer

    names = [f"c{i}" for i in range(6)]
    chosen = make_column_transformer((StandardScaler(), ["c0", "c2"]), remainder="passthrough")
    model = make_pipeline(chosen, LogisticRegression()).fit(pd.DataFrame(rows[0], columns=names), rows[1])
    own = model.predict_proba(pd.DataFrame(rows[0], columns=names))
    np.testing.assert_allclose(
        probabilities(fmd.wrap(model, data=data), rows[0]), in_order(model, own, data), atol=EXACT
    )


def test_the_damping_is_the_models_own_weight_decay(data, two):
    """At it, the gradient of the mean loss and that of the decay cancel, but for biases, which it leaves alone."""
    for people, inverse in ((data, 0.5), (two, 0.2)):
        model = fitted(LogisticRegression(C=inverse, tol=1e-9, max_iter=5000), people)
        found = fmd.wrap(model, data=people)
        train = fmd.extract_features(found, people, split="train")
        features = train.features.astype("float64")
        slope = found.head.loss_gradient(features, train.labels, np.full(len(train), 1 / len(train)))
        left = (slope + found.damping * found.head.theta).reshape(found.head.n_classes - 1, -1)
        np.testing.assert_allclose(left[:, :-1], 0, atol=2e-5)
        assert np.mean(features**2) == pytest.approx(1, rel=1e-3)
    assert fmd.wrap(model, data=two, damping=0.3).damping == 0.3
    assert fmd.wrap(model).damping == wrapping.DAMPING  # for how many samples is not known
    assert fmd.wrap(fitted(LogisticRegression(C=1e12), two), data=two).damping == wrapping.LEAST_DAMPING


def test_fitting_it_again_changes_nothing(data):
    model = fitted(make_pipeline(StandardScaler(), LogisticRegression()), data)
    test = data.source.read(data.rows("test"))
    found = fmd.wrap(model, data=data)
    before = probabilities(found, test)
    model.fit(100 * test + 5, data.target.codes[data.rows("test")])
    np.testing.assert_array_equal(probabilities(found, test), before)


def test_a_network_of_scikit_learn_opens_two_layers_deep(data):
    found = fmd.wrap(fitted(SEVERAL["network"](), data), data=data)
    test = data.source.read(data.rows("test"))
    assert [depth.name for depth in depths_of(found)] == ["last layer", "concatenated", "two layers"]
    for depth in ("concatenated", "two layers"):
        deep = fmd.deepened(found, depth, scale=0.7)
        np.testing.assert_allclose(probabilities(deep, test), probabilities(found, test), atol=EXACT)
        assert (deep.depth, deep.feature_scale, deep.encoder.n_features) == (depth, 0.7, deep.head.n_features)
        assert deep.encoder_fingerprint != found.encoder_fingerprint
    with pytest.raises(ModelError, match=r"^scikit-learn: MLPClassifier has no hidden layer with relu"):
        fmd.deepened(fmd.wrap(fitted(SEVERAL["tanh"](), data), data=data), "two layers")


class Curved(nn.Module):
    """A network of one's own, whose last linear layer is not the last one defined."""

    def __init__(self, outputs=3):
        super().__init__()
        self.fc = nn.Linear(8, outputs)
        self.below = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.5))

    def forward(self, rows):
        return self.fc(self.below(rows))


def row_network(outputs=3):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 5), nn.ReLU(), nn.Linear(5, outputs))


def own_answers(module, inputs):
    with torch.no_grad():
        given = module.eval()(torch.from_numpy(np.asarray(inputs, "float32")))
    return (
        given.softmax(dim=1) if given.shape[1] > 1 else torch.cat([-given / 2, given / 2], 1).softmax(1)
    ).numpy()


@pytest.mark.parametrize("make", [row_network, Curved])
@pytest.mark.parametrize("outputs", [3, 1])
def test_a_torch_module_answers_as_it_did(make, outputs, data, two):
    torch.manual_seed(1)
    module = make(outputs).train()
    people = data if outputs == 3 else two
    before = {name: value.clone() for name, value in module.state_dict().items()}
    found = fmd.wrap(module, data=people, head="fc" if make is Curved else None)
    assert module.training  # the original is as it was
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    test = data.source.read(data.rows("test"))
    np.testing.assert_allclose(probabilities(found, test), own_answers(module, test), atol=EXACT)
    assert found.damping == wrapping.DAMPING
    assert found.n_parameters > 0


def test_a_torch_network_is_seen_into_and_opened_deeper(data):
    found = fmd.wrap(row_network(), data=data)
    test = data.source.read(data.rows("test"))
    copy = found.as_module()
    for weight in copy.parameters():
        weight.mul_(0)
    assert np.abs(found.encode([test])).max() > 0  # a copy of its own
    explained = fmd.explain(found, data, 3, target=1, method="integrated-gradients")
    assert explained.contributions.shape == (6,)
    assert not explained.is_rough
    for depth in ("concatenated", "two layers"):
        deep = fmd.deepened(found, depth, scale=1.3)
        np.testing.assert_allclose(probabilities(deep, test), probabilities(found, test), atol=EXACT)
    learned = {"0.bias": np.ones(9, "float32")}
    changed = found.with_weights(learned)
    assert changed.encoder_fingerprint != found.encoder_fingerprint
    with pytest.raises(ModelError, match=r"is no nn.Sequential that ends in a linear layer and relu"):
        fmd.deepened(fmd.wrap(Curved(), data=data, head="fc"), "two layers")


@pytest.mark.parametrize("reach", ["last hidden layer", "whole network"])
def test_a_torch_network_can_be_trained_further(data, reach):
    """As feature unlearning does; with no step taken the copy encodes as the original, to scale."""
    found, test = fmd.wrap(row_network(), data=data), data.source.read(data.rows("test"))
    copy = TrainableCopy(found, data, reach=reach, seed=0)
    same = copy.frozen("copy")
    unscaled = same.encode([test]) / same.feature_scale
    np.testing.assert_allclose(unscaled, found.encode([test]) / found.feature_scale, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        for weight in copy.encoder.parameters():
            weight.mul_(0.5)
    other = copy.frozen("other")
    assert other.encoder_fingerprint not in (same.encoder_fingerprint, found.encoder_fingerprint)
    assert not np.allclose(other.encode([test]) / other.feature_scale, unscaled, rtol=1e-2)


def test_pictures_are_made_ready_as_is_said(demo):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))
    pictures = demo.dataset.source.read(demo.dataset.rows("test")[:40])
    prepared = fmd.Preprocess("imagenet", 24)
    module(prepared.apply(pictures))
    found = fmd.wrap(module, data=demo.dataset, preprocess=prepared)
    np.testing.assert_allclose(
        probabilities(found, pictures), own_answers(module, prepared.apply(pictures)), atol=EXACT
    )
    assert fmd.wrap(module, preprocess=prepared).kind == "image"
    assert refused(module, data=demo.dataset).startswith("The module cannot read a batch of the shape (8, ")


def test_features_as_given_with_a_head_and_without(tiny):
    features = tiny.dataset.source.read(np.arange(len(tiny.dataset)))
    given = fmd.wrap(
        features, data=tiny.dataset, head=(tiny.head.weight, tiny.head.bias), damping=tiny.damping
    )
    found = fmd.extract_features(given, tiny.dataset, split="test")
    own = tiny.head.probabilities(tiny.features["test"].features)
    np.testing.assert_allclose(given.head.probabilities(found.features), own, atol=EXACT)
    fit = fmd.wrap(features, data=tiny.dataset, damping=tiny.damping)
    train = fmd.extract_features(fit, tiny.dataset, split="train")
    slope = fit.head.loss_gradient(
        train.features.astype("float64"), train.labels, np.full(len(train), 1 / len(train))
    )
    np.testing.assert_allclose(slope + fit.damping * fit.head.theta, 0, atol=1e-6)
    matched = replace(tiny.dataset, pair_method="matched")
    known = fmd.wrap(features, data=matched)
    assert len(fmd.pair_counterfactuals(matched, known, split="test", attribute="mark")) > 0


def test_features_as_given_are_known_by_row_alone(tiny):
    features = tiny.dataset.source.read(np.arange(len(tiny.dataset)))
    given = fmd.wrap(features, data=tiny.dataset)
    with pytest.raises(ModelError, match="with another 'mark' is not known; use twins that are real people"):
        fmd.pair_counterfactuals(tiny.dataset, given, split="test", attribute="mark")
    with pytest.raises(ModelError, match="8 inputs by themselves cannot be encoded"):
        given.encode([features[:8]])
    with pytest.raises(ModelError, match="were given for the rows of another data set than 'Other'"):
        fmd.extract_features(given, replace(tiny.dataset, name="Other"), split="test")
    assert refused(features) == "Features belong to the rows of a data set; give it as data=."
    assert refused(features[:9], data=tiny.dataset).startswith(
        "There are 9 rows of 6 features, but 'Tiny' has 560"
    )
    assert refused(features, data=tiny.dataset, head=(np.ones((3, 4)), np.ones(3))).startswith(
        "The head reads 4 fe"
    )
    gone = np.where(features > 9, features, np.nan)
    assert refused(gone, data=tiny.dataset).startswith("The network's features have a mean square of nan")


# --- classes


def test_classes_are_put_in_the_order_of_the_data_set(data):
    module, test = row_network(), data.source.read(data.rows("test"))
    found = fmd.wrap(module, data=data, classes=["star", "round", "square"])
    np.testing.assert_allclose(
        probabilities(found, test), own_answers(module, test)[:, [1, 2, 0]], atol=EXACT
    )
    assert refused(module, data=data, classes=["star", "round", "cube"]) == (
        "The model's classes are star, round, cube, but those of 'shape' are round, square, star; name the model's 3 "
        "classes in its order by these words (classes=)."
    )
    assert refused(module, kind="table", classes=["a", "b"]) == (
        "The model tells 3 classes apart, but 2 were named."
    )


def test_classes_may_be_the_codes(data):
    train = data.rows("train")
    model = LogisticRegression().fit(data.source.read(train), data.target.codes[train])
    test = data.source.read(data.rows("test"))
    np.testing.assert_allclose(
        probabilities(fmd.wrap(model, data=data), test), model.predict_proba(test), atol=EXACT
    )
    shifted = LogisticRegression().fit(data.source.read(train), 1 + data.target.codes[train])
    assert refused(shifted, data=data).startswith(
        "The model's classes are 1, 2, 3, but those of 'shape' are round"
    )


def test_a_model_of_other_classes_is_refused(two):
    with pytest.raises(ModelError, match="tells 3 classes apart"):
        fmd.wrap(row_network(), data=two)


# --- what is refused


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (LinearSVC(), "LinearSVC gives scores and no probabilities"),
        (RidgeClassifier(), "RidgeClassifier gives scores and no probabilities"),
        (SGDClassifier(), "SGDClassifier gives scores and no probabilities"),
        (SGDClassifier(loss="log_loss"), "SGDClassifier fits one class against the rest"),
        (RandomForestClassifier(2), "RandomForestClassifier has no last linear layer with a softmax"),
    ],
    ids=["svc", "ridge", "hinge", "one against the rest", "forest"],
)
def test_what_is_no_softmax_of_a_linear_layer_is_refused(model, said, data):
    message = refused(fitted(model, data), data=data)
    assert message.startswith(said)
    assert "wrap" in message or "instead" in message  # what to do


def test_other_refusals_say_what_to_do(data):
    assert refused(LogisticRegression()) == "LogisticRegression is not fitted yet; fit it, then wrap it."
    assert refused(LinearRegression().fit([[0.0], [1.0]], [0, 1])).startswith(
        "LinearRegression has no last linear"
    )
    assert refused("model.pkl").startswith(
        "A str cannot be wrapped. What can: a torch module; a scikit-learn"
    )
    assert refused(nn.Sequential(nn.Flatten()), kind="table").startswith("Sequential has no linear layer")
    assert refused(row_network(), data=data, head="fc") == (
        "Sequential has no linear layer 'fc'; its linear layers: 0, 2, 4."
    )
    model = fitted(make_pipeline(StandardScaler(), LogisticRegression()), data)
    assert refused(model, example=np.ones((2, 4))).startswith(
        "The model cannot read rows of 4 columns (X has 4 feat"
    )
    assert refused(model, head="fc").startswith(
        "A scikit-learn estimator knows its last layer and reads rows"
    )
    assert refused(row_network()).startswith("Say what the module reads: kind='image' or kind='table'")
    assert refused(fitted(LogisticRegression(), data), damping=-1.0).startswith(
        "damping must be a number above 0"
    )


@pytest.mark.parametrize("given", ["example", "data", "first use"])
def test_answers_that_are_others_are_noticed(data, given):
    """Something lies between the last linear layer and the answer."""
    module = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3), nn.Sigmoid())
    test = data.source.read(data.rows("test"))
    call = {
        "example": lambda: fmd.wrap(module, example=test[:4]),
        "data": lambda: fmd.wrap(module, data=data),
        "first use": lambda: fmd.wrap(module, kind="table").encode([test]),
    }[given]
    with pytest.raises(
        ModelError, match=r"^The model's own probabilities .* differ by up to .* name the last linear"
    ):
        call()


# --- fingerprints, store, files


def test_fingerprints_follow_what_decides_the_features(data):
    first, again = (fmd.wrap(row_network(), data=data) for _ in range(2))
    assert first.fingerprint == again.fingerprint
    assert len(first.fingerprint) == 64
    with torch.no_grad():
        moved = row_network()
        moved[0].bias += 1e-4
    other_function = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 5), nn.ReLU(), nn.Linear(5, 3))
    other_function.load_state_dict(row_network().state_dict())
    seen = {
        fmd.wrap(module, data=data).encoder_fingerprint for module in (row_network(), moved, other_function)
    }
    assert len(seen) == 3
    models = [fitted(make_pipeline(StandardScaler(), LogisticRegression(C=c)), data) for c in (1.0, 1.0, 9.0)]
    one, same, other = (fmd.wrap(model, data=data) for model in models)
    assert one.fingerprint == same.fingerprint
    assert one.encoder_fingerprint == other.encoder_fingerprint  # only the head is another
    assert one.fingerprint != other.fingerprint


def squared(values):
    return values**2


def test_code_counts_not_only_its_name(data):
    def digest(function):
        model = fitted(make_pipeline(FunctionTransformer(function), LogisticRegression()), data)
        return fmd.wrap(model, data=data).encoder_fingerprint

    assert digest(squared) == digest(squared)
    assert digest(lambda values: values + 1) != digest(lambda values: values + 2)


def test_what_cannot_be_told_apart_is_said_and_not_stored(data, tmp_path):
    store = FeatureStore(tmp_path / "features")
    with (tmp_path / "open").open("w") as file:
        step = FunctionTransformer(squared)
        model = fitted(make_pipeline(step, LogisticRegression()), data)
        found = fmd.wrap(model, data=data)
        fmd.extract_features(found, data, split="test", store=store)
        assert len(list(store.folder.glob("*.npy"))) == 1
        found.encoder.steps[0].log = file
        hidden = replace(found, own_encoder=replace(found.encoder))
        assert hidden.encoder_fingerprint == ""
        with pytest.warns(
            UserWarning, match="cannot be told apart from another's, so its features are not stored"
        ):
            encode_rows(hidden, data, data.rows("validation"), store=store)
    assert len(list(store.folder.glob("*.npy"))) == 1


def test_a_wrapped_model_is_no_file_of_ours(data, tmp_path):
    found = fmd.wrap(fitted(LogisticRegression(), data), data=data)
    with pytest.raises(
        ModelError, match="cannot be written as a file of FMD Studio: only networks of its own list"
    ):
        fmd.save_classifier(found, tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


def test_what_needs_a_network_says_so(data):
    found = fmd.wrap(fitted(LogisticRegression(), data), data=data)
    with pytest.raises(
        ModelError, match=r"^scikit-learn: LogisticRegression is no torch network, so what happens"
    ):
        fmd.explain(found, data, 0, target=0, method="integrated-gradients")


WITHOUT_TORCH = """
import sys
import numpy as np
import fmd_core as fmd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from fmd_core.data import content_fingerprint

class Source:
    kind, fingerprint = "table", "rows"
    def __init__(self, rows): self.rows = rows
    def read(self, rows): return self.rows[rows]
    def counterfactual(self, rows, attribute, codes):
        changed = self.rows[rows].copy(); changed[:, 0] = codes; return changed
    def display(self, row, attribute="", code=0): return {}

rng, n = np.random.default_rng(0), 800
sex = rng.integers(0, 2, n)
rows = np.column_stack([sex, rng.normal(size=(n, 3))]).astype("float32")
target = (rows[:, 1] + sex + rng.normal(size=n) > 0.5).astype(int)
split = np.repeat(["train", "external", "validation", "test"], n // 4)
data = fmd.AttributeDataset("Rows", fmd.Column("good", target, ("no", "yes")),
    {"sex": fmd.Column("sex", sex, ("f", "m"))}, split, Source(rows), pair_method="flipped")
train = data.rows("train")
model = fmd.wrap(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows[train], target[train]), data=data)
parts = {s: fmd.extract_features(model, data, split=s) for s in ("train", "external", "validation", "test")}
twins = {s: fmd.pair_counterfactuals(data, model, split=s, attribute="sex") for s in parts}
report = fmd.audit_bias(model.head, data, parts["test"], [twins["test"]])
bias = {s: fmd.CounterfactualBias(pairs) for s, pairs in twins.items()}
curvature = fmd.fit_curvature(model.head, parts["train"], damping=model.damping)
scores = fmd.bias_influence(model.head, parts["train"], bias["external"], curvature)
inputs = fmd.UnlearningInputs(parts["train"], bias["external"], curvature, scores)
path = fmd.unlearning_path(model.head, inputs, fmd.Guard(parts["validation"], bias["validation"]))
found = fmd.compare(model.head, path.suggested.result.head, data, parts["test"], twins["test"])
assert found.bias.after.value < found.bias.before.value
print(*sorted(set(sys.modules) & {"torch", "torchvision", "captum", "streamlit"}))
"""


def test_a_table_with_a_scikit_learn_model_needs_no_torch():
    answer = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == []
