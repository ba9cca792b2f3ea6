"""`fmd audit --model`: what the Model page opens, through the same doors, gives the figures that our own file gives."""

import json

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core import __main__ as command
from fmd_core.models.files import save_classifier
from fmd_core.models.onnx_export import save_onnx, whole_network
from tests.core.test_audit_command import hiring

SAID = ["--target", "hired", "--protected", "sex"]


@pytest.fixture(scope="module")
def brought(tmp_path_factory):
    """A table, and one network for it in every form."""
    folder = tmp_path_factory.mktemp("brought")
    hiring(1500).to_csv(folder / "hiring.csv", index=False)
    import torch

    data = fmd.table(hiring(1500), target="hired", protected=["sex"])
    model = fmd.train_classifier(data, architecture="mlp", epochs=2)
    save_classifier(model, folder / "ours.safetensors")
    save_onnx(model, folder / "model.onnx")
    torch.save(whole_network(model).state_dict(), folder / "weights.pt")
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def audited(folder, file, *arguments):
    out = folder / "out.json"
    said = ["audit", str(folder / "hiring.csv"), *SAID, "--model", str(folder / file), "--json", str(out)]
    return command.main([*said, *arguments]), json.loads(out.read_text())


@pytest.mark.slow
def test_every_door_gives_the_same_verdict(brought):
    code, ours = audited(brought, "ours.safetensors")
    assert code in (0, 1)
    for file, arguments in (("model.onnx", []), ("weights.pt", ["--arch", "mlp"])):
        status, made = audited(brought, file, *arguments)
        assert (status, made["verdict"]) == (code, ours["verdict"]), file
        assert made["accuracy"]["value"] == pytest.approx(ours["accuracy"]["value"])
        for one, two in zip(made["findings"], ours["findings"], strict=True):
            assert (one["family"], one["groups"]) == (two["family"], two["groups"])
            np.testing.assert_allclose(one["value"], two["value"], atol=1e-4)


@pytest.mark.slow
def test_classes_in_another_order_are_another_model(brought):
    """What is said of the outputs is believed, and shown: the same network is wrong about nearly everybody."""
    _, as_named = audited(brought, "model.onnx", "--classes", "no,yes")
    _, swapped = audited(brought, "model.onnx", "--classes", "yes,no")
    assert swapped["accuracy"]["value"] == pytest.approx(1 - as_named["accuracy"]["value"])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"\x80\x04\x95" + b"x" * 50, "This is "), (b"words", "This is ")],
)
def test_what_no_door_takes_is_one_sentence_and_never_unpickled(brought, tmp_path, capsys, content, sentence):
    (tmp_path / "model.pkl").write_bytes(content)
    said = ["audit", str(brought / "hiring.csv"), *SAID, "--model", str(tmp_path / "model.pkl")]
    assert command.main(said) == 3
    told = capsys.readouterr()
    assert told.err.startswith(sentence)
    assert (told.out, told.err.count("\n")) == ("", 1)
