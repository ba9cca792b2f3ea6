"""A folder with hostile files, and two ways to open them: for real, and without a second process."""

import json
import tracemalloc

import pytest
import torch

from fmd_core.models.architectures import build_encoder
from fmd_core.models.intake import intake, worker


@pytest.fixture
def state():
    """A whole small network, as its owner would save it: 2 classes."""
    torch.manual_seed(0)
    network = build_encoder("small_cnn")
    head = torch.nn.Linear(64, 2)
    return dict(network.state_dict()) | {"head.weight": head.weight, "head.bias": head.bias}


@pytest.fixture
def opened(tmp_path):
    """Open a file as small_cnn with two classes, into an empty folder."""

    def open_it(path, **options):
        out = tmp_path / "out" / "model.safetensors"
        usual = {"architecture": "small_cnn", "n_classes": 2, "size": 32, "normalisation": "unit", "out": out}
        return intake.open_weights(path, **usual | options)

    return open_it


@pytest.fixture
def refusal(opened, tmp_path):
    """Open a file that must be refused, check the manners of the refusal, and return it."""

    def refuse(path, **options):
        with pytest.raises(intake.IntakeRefusal) as caught:
            opened(path, **options)
        message = str(caught.value)
        assert message.endswith(".")
        assert message.count(". ") <= 1, "a sentence, at most with an advice after it"
        everything = (message + caught.value.converter).lower()
        for forbidden in (
            "\x1b",
            "weights_only=false",
            "only if you trust",
            "traceback",
            str(tmp_path).lower(),
        ):
            assert forbidden not in everything
        assert not list(tmp_path.glob("out/*")), "nothing is left behind"
        return caught.value

    return refuse


@pytest.fixture
def here(monkeypatch):
    """The worker's work in this process, which has torch already. For files that cannot harm it."""

    def ask(request):
        limits = {"max_tensors": intake.MAX_TENSORS, "max_elements": intake.MAX_ELEMENTS}
        answer = json.loads(json.dumps(worker.answer(json.loads(json.dumps(request | limits)))))
        return intake._findings(json.dumps(answer).encode(), 0)

    monkeypatch.setattr(intake, "_ask_worker", ask)


@pytest.fixture
def unopened(monkeypatch):
    """No second process may be started, and looking at the file may take little memory."""

    def fail(*_, **__):
        raise AssertionError("a process was started for this file")

    def inspect_in_little_memory(path):
        tracemalloc.start()
        try:
            return inspect(path)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 16 << 20, f"took {peak / 2**20:.0f} MiB"

    inspect = intake.inspect_file
    monkeypatch.setattr(intake, "inspect_file", inspect_in_little_memory)
    monkeypatch.setattr(intake.subprocess, "Popen", fail)
