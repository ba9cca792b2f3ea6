"""`fmd`, or `python -m fmd_core`: what it keeps, what it says, and that no mistake ends in a traceback."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import fmd_core as fmd
from fmd_core import __main__ as command
from fmd_core import home as places
from fmd_core.commands import COMMANDS, MODULES, common
from fmd_core.commands import reproduce as again
from fmd_core.commands import run as dashboard
from fmd_core.commands import train as training
from fmd_core.models.shelf import open_model, shelved_models
from fmd_core.models.training import TrainingStep, suggested_architecture
from fmd_core.reproduction.cells import Cell, Row, keep_cell

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FMD_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the command sets it: put back afterwards
    return tmp_path / "home"


def fails(capsys, *arguments):
    """The one sentence on stderr."""
    assert command.main(arguments) == 3
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    return said.err.strip()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["hats"],
            "Unknown data set 'hats'. Known are: colored_digits, synthetic_faces, hate_texts, colored_mnist, celeba, ",
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
        (["colored_digits", "--json", "/no/such/folder/m.json"], "The folder of '/no/such/folder/"),
    ],
)
def test_a_mistake_is_one_sentence(capsys, arguments, sentence):
    assert fails(capsys, "train", *arguments).startswith(sentence)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "fmd: the following arguments are required: COMMAND; see 'fmd --help'."),
        (["fly"], "fmd: argument COMMAND: invalid choice: 'fly'"),
        (["--", "train"], "fmd: the name of a command comes first; see 'fmd --help'."),
        (["train"], "fmd train: the following arguments are required: DATA; see 'fmd train --help'."),
        (["train", "adult", "--epoch", "2"], "fmd train: unrecognized arguments: --epoch 2"),
        (
            ["train", "adult", "--epochs", "0"],
            "fmd train: argument --epochs: must be a whole number above 0, got '0'",
        ),
        (["reproduce", "--cases", "hats"], "fmd reproduce: argument --cases: invalid choice: 'hats'"),
        (
            ["forget", "--seeds", "some"],
            "fmd forget: argument --seeds: must be a whole number above 0, got 'some'",
        ),
        (["run", "--port", "0"], "fmd run: argument --port: must be a port from 1 to 65535, got '0'"),
        (["doctor", "--json"], "fmd doctor: argument --json: expected one argument"),
    ],
)
def test_a_wrong_word_is_one_sentence_too(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (3, "")
    assert said.err.startswith(sentence)
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps_with_an_example(capsys, name):
    with pytest.raises(SystemExit) as ended:
        command.main([name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: fmd {name} ")
    assert f"example:\n  fmd {name} " in said


def test_help_lists_every_command_and_imports_nothing_heavy():
    code = (
        "import sys, fmd_core.__main__ as m; sys.argv = ['fmd', '--help']\ntry: m.main()\n"
        "finally: print(sorted({'numpy', 'pandas', 'torch', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.endswith("[]\n")
    assert all(f"\n  {name} " in answer.stdout for name in COMMANDS)


def test_a_command_is_a_module_with_two_functions():
    for name in COMMANDS:
        module = import_module(f"fmd_core.commands.{MODULES.get(name, name)}")
        assert callable(module.add_arguments), name
        assert callable(module.run), name


def test_training_is_shown_and_kept(capsys, tmp_path):
    out = tmp_path / "mine.safetensors"
    arguments = ["train", "colored_digits", "--epochs", "1", "--name", "my model", "--out", str(out)]
    assert command.main(arguments) == 0
    said = capsys.readouterr()
    assert said.out.startswith("Validation accuracy: ")
    assert said.err == ""  # no terminal: no progress
    dataset = fmd.load_dataset("colored_digits")
    (kept,) = shelved_models(dataset)
    assert (kept.name, kept.architecture) == ("my model", "small_cnn")
    assert open_model(dataset, kept.id).fingerprint == fmd.load_classifier(out).fingerprint


def test_the_document_has_standard_output_to_itself(capsys, tmp_path, monkeypatch, demo):
    monkeypatch.setattr(training, "train_classifier", lambda *_, **__: demo.classifier)
    assert command.main(["train", "colored_digits", "--seed", "5", "--json", "-"]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert said.err.startswith("Validation accuracy: ")
    assert set(document) == {
        "schema", "version", "data", "dataset", "architecture", "seed", "accuracy", "model", "out", "seconds",
    }  # fmt: skip
    assert (document["schema"], document["seed"], document["out"]) == ("fmd-train-1", 5, None)
    assert document["dataset"]["fingerprint"] == demo.dataset.fingerprint
    assert document["model"]["fingerprint"] == demo.classifier.fingerprint
    assert document["accuracy"]["split"] == "validation"
    assert 0 < document["accuracy"]["value"] < 1
    assert document["accuracy"]["n"] == len(demo.features["validation"])
    place = tmp_path / "train.json"
    assert command.main(["train", "colored_digits", "--seed", "5", "--json", str(place)]) == 0
    assert json.loads(place.read_text()) == {**document, "seconds": json.loads(place.read_text())["seconds"]}
    assert capsys.readouterr().out.startswith("Validation accuracy: ")


def test_a_document_that_cannot_be_written_is_a_sentence(capsys, tmp_path, monkeypatch, demo):
    monkeypatch.setattr(training, "train_classifier", lambda *_, **__: demo.classifier)
    assert command.main(["train", "colored_digits", "--json", str(tmp_path)]) == 3
    assert capsys.readouterr().err == f"The document cannot be written to '{tmp_path}': Is a directory.\n"


def test_a_file_that_cannot_be_written_is_a_sentence(capsys, tmp_path, monkeypatch, demo):
    monkeypatch.setattr(training, "train_classifier", lambda *_, **__: demo.classifier)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").write_text("in the way")
    assert fails(capsys, "train", "colored_digits").startswith("The model cannot be saved: ")


def test_ctrl_c_keeps_nothing(home):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    arguments = [sys.executable, "-m", "fmd_core", "train", "colored_digits", "--epochs", "500"]
    ours, terminal = pty.openpty()  # progress is shown on a terminal only
    with subprocess.Popen(
        arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=terminal,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    ) as process:  # fmt: skip
        os.close(terminal)
        assert b"Epoch 1 of 500" in os.read(ours, 1000)
        process.send_signal(signal.SIGINT)
        said = read_whole(ours)
        assert process.communicate(timeout=60)[0] == b""
    assert process.returncode == 130
    assert said.strip().endswith("Stopped; nothing was kept.")
    assert not (home / "models").exists()


def read_whole(terminal):
    """Everything until the other side is closed, which a terminal says by an error."""
    said = b""
    try:
        while more := os.read(terminal, 1000):
            said += more
    except OSError:
        pass
    os.close(terminal)
    return said.decode()


def test_what_is_not_said_is_as_on_the_model_page(monkeypatch, demo):
    asked = {}

    def fake(_dataset, **options):
        asked.update(options)
        return demo.classifier

    monkeypatch.setattr(training, "train_classifier", fake)
    assert command.main(["train", "synthetic_faces"]) == 3  # the demo's model reads no faces
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
    assert common.step_in_words(step(0.1)) == "Epoch 1 of 3, loss 0.312, 1 min 40 s left"
    known = common.step_in_words(step(0.9, 2, 0.9712, 59.4))
    assert known == "Epoch 3 of 3, loss 0.312, validation accuracy 97.1 %, 59 s left"


def test_a_terminal_has_one_line_that_is_written_over(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    line = common.ProgressLine(stream)
    line.end()  # nothing was shown: nothing to leave
    for share in (0.1, 0.2):
        line.show(step(share, accuracy=0.9712))
    line.end()
    first, *shown = stream.getvalue().rstrip("\n").split("\r")
    assert first == ""
    assert [len(text) for text in shown] == [39, 39]
    assert stream.getvalue().count("\n") == 1


def test_a_pipe_has_no_progress():
    stream = io.StringIO()
    line = common.ProgressLine(stream)
    line.show(step(0.5))
    line.end()
    assert stream.getvalue() == ""


# --- reproduce


@pytest.fixture
def asked(home, monkeypatch):  # noqa: ARG001  cells lie there
    """What was measured; of what is kept there is one treatment of one case."""
    calls = []

    def fake(cases, **options):
        calls.append(([case.name for case in cases], options["seeds"], tuple(options["parts"])))
        return ["a sentence"]

    kept = Cell("digits", 0, "simple", "Digits", "image", (Row("the original", 0.5, (("0, red", 0.5, 40),), 0.1, 0.1,
                0.1, 0.0, ""),), "", "f", "a machine", "2026-01-01")  # fmt: skip
    keep_cell(kept)
    monkeypatch.setattr(again, "measure", fake)
    return calls


def test_reproduce_writes_to_the_folder(asked, capsys, tmp_path):
    folder = tmp_path / "new" / "docs"
    given = ["--cases", "digits", "--seeds", "2", "--parts", "simple", "jtt", "--folder", str(folder)]
    assert command.main(["reproduce", *given]) == 0
    assert asked == [(["digits"], 2, ("simple", "jtt"))]
    assert "Not run: Digits: at least 0.87 at a bias of at most 0.05." in capsys.readouterr().out
    text = (folder / "results.md").read_text()
    assert "| the original (1 of 2 seeds) | 0.500 |" in text
    assert "- a sentence" in text
    assert (folder / "results.json").is_file()


def test_part_of_it_leaves_the_published_figures_alone(home, asked, monkeypatch, tmp_path):
    monkeypatch.setattr(common, "REPOSITORY", tmp_path)
    (tmp_path / "pyproject.toml").write_text("")
    assert command.main(["reproduce", "--cases", "digits"]) == 0
    assert (home / "results" / "results.md").is_file()
    assert not (tmp_path / "docs").exists()
    assert command.main(["reproduce", "--write-only"]) == 0
    assert len(asked) == 1
    assert (tmp_path / "docs" / "results.md").is_file()


def test_without_a_checkout_results_go_to_the_users_folder(home, asked, monkeypatch, tmp_path):
    monkeypatch.setattr(common, "REPOSITORY", tmp_path)
    assert command.main(["reproduce"]) == 0
    assert len(asked) == 1
    assert (home / "results" / "results.md").is_file()


# --- run


def test_the_dashboard_is_started_where_its_settings_are(monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(dashboard.subprocess, "Popen", lambda words, **_: started.append(words))
    monkeypatch.setattr(dashboard.os, "execve", lambda *call: started.append(call))
    monkeypatch.setattr(dashboard.subprocess, "call", lambda *_, **__: 0)  # what stands after exec here
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FMD_DATA_DIR", "data")
    assert command.main(["run", "--port", "8600"]) == 0
    browser, (program, words, settings) = started
    assert browser == [sys.executable, ROOT / "app" / "open_browser.py", "http://127.0.0.1:8600"]
    assert program == words[0] == sys.executable
    assert words[1:] == ["-m", "streamlit", "run", "app/server.py", "--server.port", "8600"]
    assert Path.cwd() == ROOT
    assert settings["FMD_DATA_DIR"] == str(tmp_path / "data")
    assert settings["PYTHONPATH"].split(os.pathsep)[0] == str(ROOT)


@pytest.mark.parametrize("what", ["streamlit", "app"])
def test_without_the_dashboard_it_says_what_to_install(capsys, monkeypatch, tmp_path, what):
    if what == "streamlit":
        monkeypatch.setattr(dashboard.importlib.util, "find_spec", lambda _: None)
    else:
        monkeypatch.setattr(places, "REPOSITORY", tmp_path)
    assert fails(capsys, "run") == "The dashboard needs more libraries: pip install 'fmd-studio[app]'."
