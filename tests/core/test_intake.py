"""The door for a user's weights: what comes out, how the process behind it is held, what it may not do.

What hostile files try is in tests/attacks/test_model_files.py.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import fmd_core as fmd
from fmd_core import ModelError, load_classifier, save_classifier
from fmd_core.models.architectures import build_encoder
from fmd_core.models.intake import intake
from fmd_core.models.intake import worker as intake_worker
from fmd_core.models.preprocess import Preprocess


@pytest.fixture
def opened(tmp_path):
    def open_it(path, **options):
        usual = {"architecture": "small_cnn", "n_classes": 10, "size": None, "normalisation": "symmetric"}
        return intake.open_weights(path, **{"out": tmp_path / "out" / "model.safetensors"} | usual | options)

    return open_it


@pytest.fixture
def here(monkeypatch):
    """The worker's work in this process, which has torch already."""

    def ask(request):
        limits = {"max_tensors": intake.MAX_TENSORS, "max_elements": intake.MAX_ELEMENTS}
        answer = intake_worker.answer(json.loads(json.dumps(request | limits)))
        return intake._findings(json.dumps(answer).encode(), 0)

    monkeypatch.setattr(intake, "_ask_worker", ask)


@pytest.fixture
def worker(monkeypatch, opened, tmp_path):
    """Put other code in the worker's place, open a sound file, and return the sentence."""
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(1)}, path)

    def refuse(code):
        monkeypatch.setattr(intake, "WORKER", (sys.executable, "-c", code))
        with pytest.raises(intake.IntakeRefusal) as caught:
            opened(path)
        assert not list(tmp_path.glob("out/*"))
        return str(caught.value)

    return refuse


def whole_state(name, n_classes, n_features, n_inputs=0):
    torch.manual_seed(0)
    head = torch.nn.Linear(n_features, n_classes)
    return build_encoder(name, n_inputs).state_dict() | {"head.weight": head.weight, "head.bias": head.bias}


def message(opened, path, **options):
    with pytest.raises(intake.IntakeRefusal) as caught:
        opened(path, **options)
    return str(caught.value)


# --- what comes out


def test_a_checkpoint_opens_in_the_real_worker_and_gets_a_passport(opened, tmp_path):
    path, state = tmp_path / "weights.pt", whole_state("small_cnn", 10, 64)
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    passport = opened(path, size=48, normalisation="imagenet")
    assert passport == intake.Passport(
        file_name="weights.pt",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        n_bytes=path.stat().st_size,
        format="state_dict",
        architecture="small_cnn",
        n_parameters=sum(tensor.numel() for tensor in state.values()),
        n_outputs=10,
        layers=tuple((name, tuple(tensor.shape)) for name, tensor in state.items()),
        checks=(
            "Every entry of the archive lies uncompressed in it, and their sizes add up.",
            "The file asks for no code to be run.",
            "The weights lie in 'state_dict'; the rest of the file was not used.",
            "The prefix 'module.' of every layer's name was taken off.",
            "All 10 layers are plain tables of finite decimal numbers.",
            "Its 10 outputs are read as one per class (softmax).",
            "A trial run with training behaviour switched off gave the same finite answer twice.",
        ),
        stripped_prefix="module.",
        is_ours=False,
        title="Small network (3 layers)",
        n_features=64,
        can=("last layer", "gradients", "deeper", "two layers"),
    )
    assert passport.door == "state_dict"
    classifier = load_classifier(tmp_path / "out/model.safetensors")
    assert classifier.preprocess == Preprocess("imagenet", 48)
    for name, array in classifier.encoder_state.items():
        np.testing.assert_array_equal(array, state[name].numpy())
    assert [p.name for p in tmp_path.glob("out/*")] == ["model.safetensors"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["weights.pt", "weights.safetensors"])
def test_every_precision_and_both_formats_open_as_float32(opened, tmp_path, dtype, kind):
    state = {name: tensor.detach().to(dtype) for name, tensor in whole_state("small_cnn", 10, 64).items()}
    (torch.save if kind.endswith("pt") else save_file)(state, tmp_path / kind)
    passport = opened(tmp_path / kind)
    assert passport.format == ("state_dict" if kind.endswith("pt") else "safetensors")
    for name, array in load_classifier(tmp_path / "out/model.safetensors").encoder_state.items():
        assert array.dtype == "float32"
        np.testing.assert_array_equal(array, state[name].float().numpy())


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_common_wrappings_are_looked_into(opened, tmp_path, key):
    torch.save({"lr": 0.1, key: whole_state("small_cnn", 10, 64)}, tmp_path / "weights.pt")
    assert (
        f"The weights lie in '{key}'; the rest of the file was not used."
        in opened(tmp_path / "weights.pt").checks
    )


@pytest.mark.usefixtures("here")
def test_our_own_file_opens_by_its_own_account(opened, demo, tmp_path):
    assert demo.classifier.trained_on
    save_classifier(demo.classifier, tmp_path / "ours.safetensors")
    passport = opened(
        tmp_path / "ours.safetensors", architecture="resnet18", normalisation="imagenet", size=224
    )
    assert (passport.architecture, passport.is_ours) == ("small_cnn", True)
    found = load_classifier(tmp_path / "out/model.safetensors")
    assert found.trained_on == ""  # a file from elsewhere could claim any data
    assert found.fingerprint == demo.classifier.fingerprint
    assert message(opened, tmp_path / "ours.safetensors", n_classes=2) == (
        "The model tells 10 classes apart, but the target has 2; open a model that was trained for this target."
    )


@pytest.mark.usefixtures("here")
def test_the_name_in_our_own_file_is_cut_to_a_line(opened, demo, tmp_path):
    save_classifier(
        replace(demo.classifier, name="Faces\n\u202e" + "x" * 1000), tmp_path / "ours.safetensors"
    )
    opened(tmp_path / "ours.safetensors")
    assert load_classifier(tmp_path / "out/model.safetensors").name == "Faces" + "x" * 75


@pytest.mark.usefixtures("here")
def test_a_network_for_tables_opens_for_its_columns_only(opened, tmp_path):
    torch.save(whole_state("mlp", 2, 64, n_inputs=7), tmp_path / "weights.pt")
    table = {"architecture": "mlp", "n_classes": 2}
    assert opened(tmp_path / "weights.pt", **table, n_inputs=7).n_outputs == 2
    rows = np.random.default_rng(0).normal(size=(5, 7)).astype("float32")
    assert load_classifier(tmp_path / "out/model.safetensors").encode([rows]).shape == (5, 64)
    assert "(128, 7), not (128, 9)" in message(opened, tmp_path / "weights.pt", **table, n_inputs=9)


@pytest.mark.usefixtures("here")
def test_counters_of_batches_may_be_there_or_not(opened, tmp_path):
    state = whole_state("face_cnn", 10, 128)
    torch.save({k: v for k, v in state.items() if "num_batches" not in k}, tmp_path / "old.pt")
    torch.save(state, tmp_path / "new.pt")
    first, second = (opened(tmp_path / name, architecture="face_cnn") for name in ("old.pt", "new.pt"))
    assert first.n_parameters == second.n_parameters
    learned = [
        tensor for name, tensor in state.items() if "running" not in name and "num_batches" not in name
    ]
    assert first.n_parameters == sum(tensor.numel() for tensor in learned)


@pytest.mark.usefixtures("here")
def test_a_refusal_leaves_an_earlier_model_in_its_place(opened, tmp_path):
    out = tmp_path / "out" / "model.safetensors"
    out.parent.mkdir()
    out.write_bytes(b"earlier")
    torch.save({"a": torch.zeros(1)}, tmp_path / "weights.pt")
    message(opened, tmp_path / "weights.pt")
    assert out.read_bytes() == b"earlier"
    assert [p.name for p in out.parent.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("option", [{"architecture": "huge"}, {"normalisation": "odd"}, {"size": 10_000}])
def test_choices_that_do_not_exist_are_refused_before_the_file_is_touched(opened, tmp_path, option):
    with pytest.raises(ModelError, match=r"Known|Choose one of|choose 8 to 512"):
        opened(tmp_path / "gone.pt", **option)


# --- how the process is held


BROKE_DOWN = "The process that opened the file broke down, so the file is not used; save the weights again."


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.abort()",
        "raise SystemExit(3)",
        "",
        "print('garbage')",
        "print('[1]')",
        "print('{}')",
        "print('{\"passport\": 3}')",
        'print(\'{"passport": {"layers": 3}}\')',
        'print(\'{"refusal": "", "converter": ""}\')',
        'print(\'{"refusal": "Run this.", "converter": "rm -rf /"}\')',
        'print(\'{"refusal": "x", "converter": ""}\'); raise SystemExit(1)',
    ],
)
def test_a_worker_that_crashes_or_talks_nonsense_is_one_sentence(worker, code):
    assert worker(code) == BROKE_DOWN


def test_a_killed_worker_is_said_to_lack_memory(worker):
    found = worker("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert found.startswith(
        "The machine stopped the process that opened the file, most likely for want of memory"
    )


def test_a_slow_worker_and_its_children_are_killed(worker, monkeypatch, tmp_path):
    monkeypatch.setattr(intake, "WALL_SECONDS", 1.0)
    note = tmp_path / "child"
    begin = time.monotonic()
    found = worker(
        "import subprocess, time\nchild = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\ntime.sleep(60)"
    )
    assert found.startswith("Opening the file took longer than 1 seconds and was stopped")
    assert time.monotonic() - begin < 10
    for _ in range(50):
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", note.read_text()], capture_output=True, text=True
        ).stdout
        if not state or state.startswith("Z"):
            return
        time.sleep(0.1)
    raise AssertionError("the worker's child lives on")


def test_the_worker_is_not_told_our_secrets_and_cannot_flood_us(worker, monkeypatch):
    monkeypatch.setenv("FMD_SECRET_TOKEN", "s3cret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    code = 'import os, json; print(json.dumps({"refusal": " ".join(os.environ), "converter": ""}))'
    names = set(worker(code).split()) - {"LC_CTYPE"}  # which Python sets itself
    assert names <= {*intake.KEPT_SETTINGS, "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES"}
    assert worker(f"print('x' * {3 * intake.MAX_ANSWER_BYTES})") == BROKE_DOWN


def test_memory_beyond_the_limit_is_refused_by_the_worker_itself(opened, monkeypatch, tmp_path):
    monkeypatch.setattr(intake, "MEMORY_BYTES", 32 << 20)
    torch.save({"0.weight": torch.zeros(25_000_000)}, tmp_path / "weights.pt")
    assert message(opened, tmp_path / "weights.pt") == (
        "Opening the file takes more memory than is allowed for weights; bring a smaller network."
    )


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="processor time is limited on Unix only")
def test_processor_time_beyond_the_limit_is_cut(opened, monkeypatch, tmp_path):
    monkeypatch.setattr(intake, "CPU_SECONDS", 1)  # less than importing torch takes
    torch.save({"a": torch.zeros(1)}, tmp_path / "weights.pt")
    assert message(opened, tmp_path / "weights.pt").startswith("Opening the file took longer than ")


# --- what this side does not do


def test_looking_at_a_file_imports_no_torch(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "weights.pt")
    code = (
        "import sys; from pathlib import Path; from fmd_core.models.intake.intake import inspect_file\n"
        f"print(inspect_file(Path({str(tmp_path / 'weights.pt')!r}))[0], 'torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["state_dict", "False"]


def test_no_converter_tells_to_switch_safety_off():
    for code in intake.CONVERTERS.values():
        assert "weights_only=False" not in code
        compile(code, "converter", "exec")
        assert len(code.splitlines()) in (0, 3, 4)


def test_a_refusal_is_one_of_our_errors():
    assert issubclass(intake.IntakeRefusal, fmd.FMDError)
    assert intake.IntakeRefusal("No.", "legacy").converter == intake.CONVERTERS["legacy"]
