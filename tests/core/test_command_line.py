"""`python -m fmd_core`: what it keeps, what it says, and that no mistake ends in a traceback."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import fmd_core as fmd
from fmd_core import __main__ as command
from fmd_core.networks.model_shelf import open_model, shelved_models
from fmd_core.networks.training import TrainingStep, suggested_architecture
from fmd_core.reproduction.results import Aim, Results

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FMD_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the command sets it: put back afterwards
    return tmp_path / "home"


def fails(capsys, *arguments):
    """The one sentence on stderr."""
    assert command.main(arguments) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    return said.err.strip()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["hats"],
            "Unknown data set 'hats'. Known are: colored_digits, synthetic_faces, colored_mnist, celeba, ",
        ),
        (["celeba?hat=1"], "'celeba' has no option 'hat'. Its options are: target, protected, size."),
        (["celeba", "--option", "hat=1"], "'celeba' has no option 'hat'. Its options are: "),
        (["celeba", "--option", "hat"], "An option is written as key=value, got 'hat'."),
        (["adult"], "Adult is not complete here: 'adult.data' is missing; "),
        (["colored_digits", "--architecture", "huge"], "Unknown architecture 'huge'. Known: small_cnn, "),
        (
            ["colored_digits", "--architecture", "mlp"],
            "'mlp' reads tables, but 'Coloured digits' holds images",
        ),
        (["colored_digits", "--out", "/no/such/folder/m.safetensors"], "The folder of '/no/such/folder/"),
    ],
)
def test_a_mistake_is_one_sentence(capsys, arguments, sentence):
    assert fails(capsys, "train", *arguments).startswith(sentence)


@pytest.mark.parametrize(
    "arguments",
    [[], ["fly"], ["train"], ["train", "adult", "--epochs", "0"], ["reproduce", "--data", "hats"],
     ["reproduce", "--seeds", "some"]],
)  # fmt: skip
def test_a_wrong_word_shows_the_usage(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m fmd_core")


def test_training_is_shown_and_kept(capsys, tmp_path):
    out = tmp_path / "mine.safetensors"
    arguments = ["train", "colored_digits", "--epochs", "1", "--name", "my model", "--out", str(out)]
    assert command.main(arguments) == 0
    said = capsys.readouterr().out
    assert said.startswith("Epoch 1 of 1, loss ")
    assert "Validation accuracy: " in said
    dataset = fmd.load_dataset("colored_digits")
    (kept,) = shelved_models(dataset)
    assert (kept.name, kept.architecture) == ("my model", "small_cnn")
    assert open_model(dataset, kept.id).fingerprint == fmd.load_classifier(out).fingerprint


def test_a_file_that_cannot_be_written_is_a_sentence(capsys, tmp_path, monkeypatch, demo):
    monkeypatch.setattr(command, "train_classifier", lambda *_, **__: demo.classifier)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").write_text("in the way")
    assert fails(capsys, "train", "colored_digits").startswith("The model cannot be saved: ")


def test_ctrl_c_keeps_nothing(home):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    arguments = [sys.executable, "-m", "fmd_core", "train", "colored_digits", "--epochs", "500"]
    with subprocess.Popen(
        arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    ) as process:  # fmt: skip
        assert process.stdout.readline().startswith("Epoch 1 of 500")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip() == "Stopped; nothing was kept."
    assert not (home / "models").exists()


def test_what_is_not_said_is_as_on_the_model_page(monkeypatch, demo):
    asked = {}

    def fake(_dataset, **options):
        asked.update(options)
        return demo.classifier

    monkeypatch.setattr(command, "train_classifier", fake)
    assert command.main(["train", "synthetic_faces"]) == 2  # the demo's model reads no faces
    assert asked["architecture"] == suggested_architecture(fmd.load_dataset("synthetic_faces")) == "face_cnn"
    assert asked["epochs"] is None  # what `train_classifier` suggests
    assert "preprocess" not in asked


# --- the line


class Terminal(io.StringIO):
    def isatty(self):
        return True


def step(share, epoch=0, accuracy=None, seconds_left=100.0):
    return TrainingStep(share, epoch, 3, 0.3124, accuracy, seconds_left)


def test_a_step_in_words():
    assert command.step_in_words(step(0.1)) == "Epoch 1 of 3, loss 0.312, 1 min 40 s left"
    known = command.step_in_words(step(0.9, 2, 0.9712, 59.4))
    assert known == "Epoch 3 of 3, loss 0.312, validation accuracy 97.1 %, 59 s left"


def test_a_terminal_has_one_line_that_is_written_over(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    line = command.ProgressLine(stream)
    line.end()  # nothing was shown: nothing to leave
    for share in (0.1, 0.2):
        line.show(step(share, accuracy=0.9712))
    line.end()
    first, *shown = stream.getvalue().rstrip("\n").split("\r")
    assert first == ""
    assert [len(text) for text in shown] == [39, 39]
    assert stream.getvalue().count("\n") == 1


def test_a_pipe_has_a_line_now_and_then():
    stream = io.StringIO()
    line = command.ProgressLine(stream)
    for share in (0.01, 0.02, 0.24, 0.26):
        line.show(step(share))
    line.end()
    assert stream.getvalue().count("\n") == 2
    assert "\r" not in stream.getvalue()


# --- reproduce


@pytest.fixture
def asked(monkeypatch):
    """What `reproduce` was called with; it answers with an empty page."""
    calls = []

    def fake(data, **options):
        calls.append((tuple(data), options["seeds"], options["quick"]))
        aim = Aim("a promise", False, "0.5")
        return Results("machine", {"numpy": "2"}, "2026-01-01", 3, options["quick"], (), (aim,), ())

    monkeypatch.setattr(command, "reproduce", fake)
    return calls


def test_reproduce_writes_to_the_folder(asked, capsys, tmp_path):
    folder = tmp_path / "new" / "docs"
    assert command.main(["reproduce", "--data", "adult", "--seeds", "2", "--folder", str(folder)]) == 0
    assert asked == [(("adult",), 2, False)]
    assert "Missed: a promise. Measured: 0.5." in capsys.readouterr().out
    assert "- **missed**: a promise. Measured: 0.5." in (folder / "results.md").read_text()
    assert (folder / "results.json").is_file()


def test_a_quick_run_leaves_the_published_figures_alone(asked, home, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    assert command.main(["reproduce", "--quick"]) == 0
    assert asked == [(("colored_mnist", "adult", "celeba"), 3, True)]
    assert (home / "quick results" / "results.md").is_file()
    assert command.main(["reproduce"]) == 0
    assert (tmp_path / "docs" / "results.md").is_file()
