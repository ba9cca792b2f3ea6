"""ONNX files taken apart: the cut, what goes into which input, whole studies, and the way back to a file."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax

import fmd_core as fmd
from fmd_core.data import SPLITS
from fmd_core.datasets.own.table import make_table_dataset
from fmd_core.errors import ModelError
from fmd_core.explain.attributions import explain, methods
from fmd_core.heads.linear import LinearHead
from fmd_core.models import shelf
from fmd_core.models.adopting import adopt
from fmd_core.models.class_order import Reason, reordered
from fmd_core.models.intake import intake
from fmd_core.models.onnx_door import session
from fmd_core.models.onnx_door.cutting import find_cut
from fmd_core.models.onnx_door.opening import describe, whole_file
from fmd_core.models.preprocess import Preprocess
from fmd_core.study.study import Study
from tests.onnx_files import FLOATS, WORDS, answers, helper, model, network, onnx, saved, table

COLUMNS = ("age", "hours", "pay", "debt")


@pytest.fixture(scope="module", autouse=True)
def processes_end():
    yield
    session.close_all()


@pytest.fixture(scope="module")
def people():
    """Rows whose answer follows a network that reads the four columns as they are."""
    rng, n = np.random.default_rng(0), 1200
    frame = pd.DataFrame(rng.normal(size=(n, 4)), columns=list(COLUMNS))
    frame["sex"] = np.resize(["f", "m"], n)
    frame["work"] = rng.choice(["office", "field", "home"], n)
    x = frame[list(COLUMNS)].to_numpy("float32")
    scores = answers(saved(network()), {"x": x})[0]
    frame["hired"] = np.array(["no", "yes"])[scores.argmax(axis=1)]
    split = np.resize(np.repeat(SPLITS, [5, 2, 2, 3]), n)
    return make_table_dataset("People", frame, target="hired", protected=["sex"], split=split, unit="person")


def opened(made, data, tmp_path, **options):
    """Through the door: the passport and the model made ready for the data."""
    path, out = tmp_path / "model.onnx", tmp_path / "opened.safetensors"
    path.write_bytes(saved(made))
    usual = {"n_classes": len(data.target.levels), "n_inputs": data.source.read(np.arange(1)).shape[-1]}
    passport = intake.open_weights(path, out=out, **usual | options)
    found = adopt(fmd.load_classifier(out), data, classes=passport.classes, is_ours=passport.is_ours)
    return passport, found


@pytest.fixture
def here(monkeypatch):
    """The work of the process that opens files in this one, which has torch already; ONNX still runs in its own."""
    import json

    from fmd_core.models.intake import worker

    def ask(request):
        limits = {"max_tensors": intake.MAX_TENSORS, "max_elements": intake.MAX_ELEMENTS}
        answer = worker.answer(json.loads(json.dumps(request | limits)))
        return intake._findings(json.dumps(answer).encode(), 0)

    monkeypatch.setattr(intake, "_ask_worker", ask)


# --- the cut

ENDS = {
    "scores": (("Gemm",), 2, lambda s: s),
    "softmax": (("Gemm", "Softmax"), 3, lambda s: softmax(s, axis=1)),
    "log softmax": (("MatMul", "LogSoftmax"), 3, lambda s: np.log(softmax(s, axis=1))),
    "sigmoid of one": (("MatMul", "Sigmoid"), 1, expit),
    "several sigmoids": (("Gemm", "Sigmoid"), 4, expit),
    "through an identity": (("Gemm", "Identity", "Softmax"), 2, lambda s: softmax(s, axis=1)),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_last_layer_is_found_whatever_turns_its_scores_into_answers(name):
    end, k, link = ENDS[name]
    made = network(k, end=end)
    cut = find_cut(made)
    assert cut.features == "f"
    assert cut.weight.shape == (k, 8)
    x = np.random.default_rng(1).normal(size=(5, 4)).astype("float32")
    made.graph.output.append(helper.make_tensor_value_info("f", FLOATS, ["n", 8]))
    whole, features = answers(saved(made), {"x": x})
    np.testing.assert_allclose(link(features @ cut.weight.T + cut.bias), whole, atol=1e-5)


def test_factors_of_a_gemm_are_part_of_the_weights():
    made = network()
    last = made.graph.node[-1]
    last.attribute.extend([helper.make_attribute("alpha", 2.0), helper.make_attribute("beta", 0.5)])
    plain, scaled = find_cut(network()), find_cut(made)
    np.testing.assert_allclose(scaled.weight, 2 * plain.weight)
    np.testing.assert_allclose(scaled.bias, plain.bias / 2)


def test_weights_that_are_stored_in_8_bits_are_read_as_they_count():
    """QDQ: a quantised table is a constant; answers rounded to 8 bits are refused (tests/attacks)."""
    made, cut = network(), find_cut(network())
    scale = np.float32(np.abs(cut.weight).max() / 127)
    whole = np.rint(cut.weight / scale).astype("int8")
    made.graph.initializer.extend([table("q", whole), table("scale", scale), table("zero", np.int8(0))])
    made.graph.node.insert(2, helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["dq"]))
    made.graph.node[-1].input[1] = "dq"
    np.testing.assert_allclose(find_cut(made).weight, whole * scale, rtol=1e-6)


def test_names_of_the_outputs_come_from_the_file():
    made = network()
    made.metadata_props.add(key="id2label", value='{"0": "yes", "1": "no"}')
    assert find_cut(made).classes == ("yes", "no")
    made.metadata_props[0].value = "['a', 'b', 'c']"  # of another number
    assert find_cut(made).classes == ()


# --- a study, and the way back


@pytest.mark.usefixtures("here")
def test_an_onnx_file_is_audited_unlearned_and_written_back_whole(people, tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    made = network()
    passport, found = opened(made, people, tmp_path)
    assert passport.format == "onnx"
    assert passport.n_outputs == 2
    assert "answers as the whole file does" in " ".join(passport.checks)
    assert "4 columns of numbers in this order: age, hours, pay, debt" in " ".join(found.notes)
    adopted = found.classifier
    assert adopted.outputs.reason is Reason.SORTED
    assert adopted.outputs.better is None

    kept = shelf.open_model(people, shelf.keep_model(people, adopted))
    assert kept.fingerprint == adopted.fingerprint
    assert kept.outputs == adopted.outputs
    rows = people.rows("test")
    x = people.source.read_frame(rows)[list(COLUMNS)].to_numpy("float32")
    whole = softmax(answers(saved(made), {"x": x})[0].astype("float64"), axis=1)
    features = fmd.extract_features(kept, people, split="test").features
    np.testing.assert_allclose(kept.head.probabilities(features.astype("float64")), whole, atol=1e-6)

    study = Study(people, kept)
    assert study.audit().accuracy.value > 0.99
    assert study.verdict().accuracy.value > 0.99
    assert np.isfinite(study.scores("sex").removal_effect).all()

    changed = LinearHead(kept.head.weight * 0.9 + 0.01, kept.head.bias + 0.1)
    back = whole_file(kept, changed)
    ours = changed.probabilities(features.astype("float64"))
    theirs = softmax(answers(back, {"x": x})[0].astype("float64"), axis=1)
    np.testing.assert_allclose(theirs, ours, atol=1e-6)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["scores", "softmax", "log softmax", "sigmoid of one"])
def test_outside_its_head_the_written_file_is_the_same_byte_for_byte(name, people, tmp_path):
    end, k, _ = ENDS[name]
    made = network(2 if k == 3 else k, end=end)
    found = opened(made, people, tmp_path)[1].classifier
    same = whole_file(found, found.head)
    before, after = made.graph, onnx.load_from_string(same).graph
    assert [t.SerializeToString() for t in after.initializer] == [
        t.SerializeToString() for t in before.initializer
    ]

    head = LinearHead(found.head.weight + np.array([[0.3], [-0.2]]), found.head.bias + np.array([0.1, 0.2]))
    after = onnx.load_from_string(whole_file(found, head)).graph
    differ = {
        t.name for t, old in zip(after.initializer, before.initializer, strict=True)
        if t.SerializeToString() != old.SerializeToString()
    }  # fmt: skip
    assert differ == {"w2", "b2"}
    assert [n.SerializeToString() for n in after.node] == [n.SerializeToString() for n in before.node]


@pytest.mark.usefixtures("here")
def test_a_table_that_another_step_reads_too_is_left_alone(people, tmp_path):
    made = network()
    made.graph.node.append(helper.make_node("ReduceSum", ["w2"], ["size"], keepdims=0))
    made.graph.output.append(helper.make_tensor_value_info("size", FLOATS, []))
    found = opened(made, people, tmp_path)[1].classifier
    back = whole_file(found, LinearHead(found.head.weight * 2, found.head.bias))
    x = np.zeros((1, 4), "float32")
    assert answers(back, {"x": x})[1] == answers(saved(made), {"x": x})[1]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("end", [("Gemm",), ("MatMul",)])
def test_a_layer_without_a_bias_can_be_given_one(end, people, tmp_path):
    found = opened(network(end=end, bias=False), people, tmp_path)[1].classifier
    head = LinearHead(found.head.weight, found.head.bias + np.array([1.0, -1.0]))
    x = np.random.default_rng(3).normal(size=(4, 4)).astype("float32")
    before = answers(saved(network(end=end, bias=False)), {"x": x})[0]
    np.testing.assert_allclose(
        answers(whole_file(found, head), {"x": x})[0] - before, [[1, -1]] * 4, atol=1e-5
    )


@pytest.mark.usefixtures("here")
def test_one_of_several_yes_or_no_outputs_is_changed_alone(people, tmp_path):
    made = network(4, end=("Gemm", "Sigmoid"))
    with pytest.raises(intake.IntakeRefusal, match="Each of its 4 outputs says yes or no for itself"):
        opened(made, people, tmp_path)
    found = opened(made, people, tmp_path, output=2)[1].classifier
    x = people.source.read_frame(np.arange(50))[list(COLUMNS)].to_numpy("float32")
    before = answers(saved(made), {"x": x})[0]
    features = found.encode([people.source.read_frame(np.arange(50))[list(COLUMNS)]])
    np.testing.assert_allclose(
        found.head.probabilities(features.astype("float64"))[:, 1], before[:, 2], atol=1e-6
    )
    head = LinearHead(found.head.weight, found.head.bias + np.array([-1.0, 1.0]))
    after = answers(whole_file(found, head), {"x": x})[0]
    np.testing.assert_array_equal(after[:, [0, 1, 3]], before[:, [0, 1, 3]])
    assert (after[:, 2] > before[:, 2]).all()


@pytest.mark.usefixtures("here")
def test_in_another_order_the_written_file_keeps_its_own(people, tmp_path):
    made = network()
    found = opened(made, people, tmp_path)[1].classifier
    turned = reordered(found, (1, 0))
    assert whole_file(turned, turned.head) == whole_file(found, found.head)


# --- columns


def named_inputs(words=("field", "home", "office")):
    """As skl2onnx writes a ColumnTransformer: an input for each column, words by a OneHotEncoder."""
    encode = helper.make_node(
        "OneHotEncoder", ["Work"], ["o"], domain="ai.onnx.ml", cats_strings=list(words), zeros=1
    )
    nodes = [
        encode, helper.make_node("Reshape", ["o", "two"], ["o2"]),
        helper.make_node("Concat", ["AGE", "o2"], ["z"], axis=1),
        helper.make_node(
            "LinearClassifier", ["z"], ["label", "p"], domain="ai.onnx.ml", post_transform="LOGISTIC",
            classlabels_strings=["no", "yes"], coefficients=[-1.0, -0.5, 0.0, 0.5, 1.0, 0.5, 0.0, -0.5],
            intercepts=[0.1, -0.1],
        ),
        helper.make_node("ZipMap", ["p"], ["map"], domain="ai.onnx.ml", classlabels_strings=["no", "yes"]),
    ]  # fmt: skip
    inputs = [
        helper.make_tensor_value_info("AGE", FLOATS, ["n", 1]),
        helper.make_tensor_value_info("Work", WORDS, ["n", 1]),
    ]
    outputs = [
        helper.make_tensor_value_info("label", WORDS, ["n"]),
        helper.make_tensor_value_info("p", FLOATS, ["n", 2]),
    ]
    maps = helper.make_map_type_proto(onnx.TensorProto.STRING, helper.make_tensor_type_proto(FLOATS, []))
    outputs.append(helper.make_value_info("map", helper.make_sequence_type_proto(maps)))
    two = table("two", np.array([-1, len(words)]))
    return model(nodes, [two], inputs, [outputs[0], outputs[2]], ml=3)


@pytest.mark.usefixtures("here")
def test_inputs_are_matched_to_columns_by_name_and_words_go_in_as_words(people, tmp_path):
    made = named_inputs()
    passport, found = opened(made, people, tmp_path)
    assert passport.classes == ("no", "yes")
    assert found.classifier.outputs.reason is Reason.NAMED
    assert "spelled otherwise: 'age', 'work'" in " ".join(found.notes)
    frame = people.source.read_frame(people.rows("test"))
    features = fmd.extract_features(found.classifier, people, split="test").features
    ours = found.classifier.head.probabilities(features.astype("float64"))
    feeds = {"AGE": frame[["age"]].to_numpy("float32"), "Work": frame[["work"]].to_numpy(object)}
    theirs = np.array([[row["no"], row["yes"]] for row in answers(saved(made), feeds)[1]])
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    head = LinearHead(found.classifier.head.weight * 0.5, found.classifier.head.bias)
    theirs = answers(whole_file(found.classifier, head), feeds)[1]
    np.testing.assert_allclose(
        [row["yes"] for row in theirs], head.probabilities(features.astype("float64"))[:, 1], atol=1e-6
    )


@pytest.mark.usefixtures("here")
def test_words_that_the_file_does_not_know_are_told(people, tmp_path):
    found = opened(named_inputs(("Field", "Home", "abroad")), people, tmp_path)[1]
    assert "The network does not know 1 value of 'work' (office)" in " ".join(found.notes)


@pytest.mark.usefixtures("here")
def test_columns_that_are_not_there_are_named(people, tmp_path):
    made = named_inputs()
    made.graph.input[0].name = made.graph.node[2].input[0] = "salary"
    with pytest.raises(ModelError, match="reads the column 'salary', which the data do not have"):
        opened(made, people, tmp_path)
    with pytest.raises(
        ModelError, match=r"reads 7 numbers of each sample, but the data have 4 columns of numbers"
    ):
        opened(network(n_inputs=7), people, tmp_path)


# --- where it looks


@pytest.mark.usefixtures("here")
def test_where_it_looks_is_asked_by_covering_columns(people, tmp_path):
    found = opened(named_inputs(), people, tmp_path)[1].classifier
    assert methods(found, people) == ("occlusion",)
    row = int(people.rows("test")[0])
    told = explain(found, people, row, target=1, method="occlusion")
    assert told.columns == ("age", "work")
    frame = people.source.read_frame(np.array([row]))
    usual = float(np.median(people.source.read_frame(people.rows("train"))["age"]))
    assert told.contributions[0] == pytest.approx((frame["age"].iloc[0] - usual), abs=1e-4)
    with pytest.raises(ModelError, match="An ONNX file gives answers and no gradients"):
        explain(found, people, row, target=1, method="integrated-gradients")


# --- pictures


def picture_network(layout="NCHW", channels=3, side=8):
    """The mean of each channel, then a linear layer."""
    axes = [2, 3] if layout == "NCHW" else [1, 2]
    rng = np.random.default_rng(0)
    tables = [
        table("w", rng.normal(size=(2, channels)).astype("float32")),
        table("b", np.zeros(2, "float32")),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["f"], axes=axes, keepdims=0),
        helper.make_node("Gemm", ["f", "w", "b"], ["y"], transB=1),
    ]
    shape = ["n", channels, side, side] if layout == "NCHW" else ["n", side, side, channels]
    return model(nodes, tables, [helper.make_tensor_value_info("x", FLOATS, shape)])


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_the_shape_says_size_and_layout_of_pictures(layout):
    said = describe(saved(picture_network(layout)))
    assert (said.is_picture, said.layout, said.height, said.width, said.grayscale) == (
        True,
        layout,
        8,
        8,
        False,
    )


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("layout", "channels"), [("NCHW", 3), ("NHWC", 3), ("NCHW", 1)])
def test_pictures_go_in_as_the_file_reads_them(layout, channels, tmp_path):
    path, out = tmp_path / "m.onnx", tmp_path / "o.safetensors"
    path.write_bytes(saved(picture_network(layout, channels)))
    own = Preprocess(mean=(0.1, 0.2, 0.3), spread=(0.5, 0.6, 0.7), size=8)
    intake.open_weights(path, n_classes=2, out=out, preparation=own)
    found = fmd.load_classifier(out)
    assert found.preprocess == replace(own, grayscale=channels == 1)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), "uint8")
    colours = pictures.mean(axis=(1, 2)) / 255
    grey = (pictures @ [0.299, 0.587, 0.114]).mean(axis=(1, 2))[:, None] / 255
    seen = (colours - [0.1, 0.2, 0.3]) / [0.5, 0.6, 0.7] if channels == 3 else (grey - 0.1) / 0.5
    np.testing.assert_allclose(found.encode([pictures]), seen, atol=1e-5)


@pytest.mark.usefixtures("here")
def test_a_file_that_reads_one_picture_at_a_time_answers_many(tmp_path):
    made = picture_network()
    made.graph.input[0].type.tensor_type.shape.dim[0].Clear()
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    made.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
    path, out = tmp_path / "m.onnx", tmp_path / "o.safetensors"
    path.write_bytes(saved(made))
    intake.open_weights(path, n_classes=2, out=out, preparation=Preprocess(size=8))
    assert fmd.load_classifier(out).encode([np.zeros((5, 8, 8, 3), "uint8")]).shape == (5, 3)


def test_the_process_that_runs_files_is_started_again_when_it_died():
    data = saved(network())
    first = session.runner_of(data)
    first._process.kill()
    first._process.wait()
    second = session.runner_of(data)
    assert second is not first
    assert second.ask("features", [np.zeros((2, 4), "float32")])[1][0].shape == (2, 8)


def test_a_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setattr(session, "NEEDED", ("onnx", "no_such_library_here"))
    with pytest.raises(ModelError, match=r"need no_such_library_here, which is not installed: pip install"):
        session.require_libraries()
