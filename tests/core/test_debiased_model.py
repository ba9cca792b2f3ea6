"""A debiased model outside FMD Studio: the lines of docs/debiased_model.md, and ONNX."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import fmd_core as fmd
from fmd_core import ModelError
from fmd_core.models.architectures import build_encoder
from fmd_core.models.classifier import Classifier
from fmd_core.models.files import load_classifier, save_classifier
from fmd_core.models.intake.intake import open_weights
from fmd_core.models.mixture import mixed_network, why_not_mixed
from fmd_core.models.onnx_export import save_onnx, whole_network, why_no_onnx
from fmd_core.models.preprocess import Preprocess
from fmd_core.study import debiasing

GUIDE = Path(__file__).parents[2] / "docs" / "debiased_model.md"
COLUMNS = 7


def fresh(name, scale, seed):
    torch.manual_seed(seed)
    state = {key: tensor.numpy() for key, tensor in build_encoder(name, COLUMNS).state_dict().items()}
    rng, width = np.random.default_rng(seed), {"small_cnn": 64, "face_cnn": 128, "mlp": 64}[name]
    head = fmd.LinearHead(rng.normal(size=(3, width)), rng.normal(size=3))
    return Classifier(name, state, head, 1e-3, Preprocess(), scale)


def mixed(name):
    """A mixture, and what it reads."""
    found = mixed_network(fresh(name, 0.7, 0), fresh(name, 1.9, 1), 0.35)
    rng = np.random.default_rng(0)
    side = {"small_cnn": 32, "face_cnn": 64}.get(name)
    if side is None:
        return found, rng.normal(size=(5, COLUMNS)).astype("float32")
    return found, rng.integers(0, 256, size=(5, side, side, 3), dtype="uint8")


def chances(logits):
    return torch.softmax(torch.as_tensor(logits), dim=1).numpy()


@pytest.mark.parametrize("name", ["small_cnn", "face_cnn", "mlp"])
def test_the_lines_of_the_guide_give_the_same_answers(name, tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert "fmd" not in code
    lines = {}
    exec(code, lines)
    network, inputs = mixed(name)
    save_classifier(network, tmp_path / "model.safetensors")
    make = (lambda: lines["mlp"](COLUMNS)) if name == "mlp" else lines[name]
    opened = lines["load"](tmp_path / "model.safetensors", make)
    given = torch.from_numpy(inputs)
    ready = given if name == "mlp" else given.float().permute(0, 3, 1, 2) / 127.5 - 1
    with torch.inference_mode():
        found = chances(opened(ready))
    np.testing.assert_allclose(found, network.head.probabilities(network.encode([inputs])), atol=1e-5)


@pytest.mark.parametrize("name", ["small_cnn", "mlp"])
def test_onnx_answers_as_the_network_does(name, tmp_path):
    ort = pytest.importorskip("onnxruntime")
    network, inputs = mixed(name)
    save_onnx(network, tmp_path / "model.onnx")
    session = ort.InferenceSession(tmp_path / "model.onnx")
    ready = network.preprocess.apply(inputs, network.kind)
    (logits,) = session.run(["logits"], {"inputs": ready.numpy()})
    with torch.inference_mode():
        np.testing.assert_allclose(logits, whole_network(network)(ready).numpy(), atol=1e-5)
    np.testing.assert_allclose(
        chances(logits), network.head.probabilities(network.encode([inputs])), atol=1e-5
    )


def test_an_onnx_file_says_who_taught_it(tmp_path):
    pytest.importorskip("onnxruntime")
    said = {"a" * 64: ("train", "validation")}
    for taught_by in (said, {}):
        network = replace(mixed("mlp")[0], taught_by=taught_by)
        save_onnx(network, tmp_path / "model.onnx")
        open_weights(tmp_path / "model.onnx", n_inputs=COLUMNS, out=tmp_path / "brought.safetensors")
        assert load_classifier(tmp_path / "brought.safetensors").taught_by == taught_by


def test_what_cannot_become_one_file_is_refused_before_anything_is_trained(monkeypatch):
    layers = torch.nn.Sequential(torch.nn.Linear(COLUMNS, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    wrapped = fmd.wrap(layers, kind="table")
    assert why_not_mixed(fresh("mlp", 1.0, 0)) == ""
    assert "is a mixture already" in why_not_mixed(mixed("mlp")[0])
    assert "is no network of our list" in why_not_mixed(wrapped)
    assert "cannot be written as ONNX" in why_no_onnx(wrapped)
    with pytest.raises(ModelError, match="cannot be written as ONNX"):
        save_onnx(wrapped, Path("nowhere.onnx"))
    data = fmd.load_dataset("colored_digits")
    monkeypatch.setattr(debiasing, "deepen", lambda *_args, **_kwargs: pytest.fail("it was trained"))
    study = fmd.Study(data, wrapped, aim="colour")
    with pytest.raises(ModelError, match="is no network of our list"):
        debiasing.debias(study, "colour", change="whole network")
