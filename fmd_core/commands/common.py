"""What the commands share: one parser, one way to fail, the line of progress and the JSON document.

Nothing heavy is imported here: `fmd --help` and `fmd doctor` must answer where libraries are missing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from fmd_core.errors import DataError
from fmd_core.home import REPOSITORY, home_folder
from fmd_core.running.whole_files import write_text_whole

if TYPE_CHECKING:
    from fmd_core.models.training import TrainingStep

BAD_INPUT, STOPPED = (
    3,
    130,
)  # exit statuses; 1 and 2 are verdicts of `audit`, 130 is what shells use for Ctrl-C
TO_STDOUT = "-"


class Parser(argparse.ArgumentParser):
    """A parser that keeps the lines of its example and says what was wrong in one sentence."""

    def __init__(self, prog: str, description: str | None = None, epilog: str | None = None) -> None:
        plain = argparse.RawDescriptionHelpFormatter
        super().__init__(prog, None, description, epilog, formatter_class=plain, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """One sentence on standard error and exit status 3."""
        self.exit(BAD_INPUT, f"{self.prog}: {message}; see '{self.prog} --help'.\n")


def positive_int(text: str) -> int:
    """A whole number above 0, as the `type` of an argument."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, got '{text[:40]}'")
    return int(text)


def add_threads(parser: argparse.ArgumentParser) -> None:
    """`--threads`, for commands whose work is long."""
    parser.add_argument(
        "--threads", type=positive_int, default=1, help="processor threads; more may help on a quiet machine"
    )


def add_json(parser: argparse.ArgumentParser, schema: str) -> None:
    """`--json FILE`, or `-` for standard output and nothing else there."""
    parser.add_argument(
        "--json",
        metavar="FILE",
        help=f"also write a document ({schema}) here; - is standard output, with nothing else on it",
    )


def limit_threads(number: int) -> None:
    """One thread unless asked: on a busy machine threads that wait for each other made training ten
    times slower, and with one the result does not depend on the machine's number of processors."""
    from threadpoolctl import threadpool_limits

    os.environ["OMP_NUM_THREADS"] = str(number)  # for torch, which is not loaded yet
    threadpool_limits(number)


# --- what is written


def for_people(json_place: str | None) -> TextIO:
    """Where sentences for people go: standard output, unless a document has it for itself."""
    return sys.stderr if json_place == TO_STDOUT else sys.stdout


def check_place(place: str | Path | None) -> None:
    """Raise DataError before long work whose result could not be written to `place`."""
    if place is not None and place != TO_STDOUT and not Path(place).absolute().parent.is_dir():
        raise DataError(f"The folder of '{place}' does not exist; make it first.")


def write_document(schema: str, content: Mapping[str, Any], place: str) -> None:
    """A JSON document that names its schema and our version, to a file or, for `-`, standard output."""
    document = {"schema": schema, "version": own_version(), **content}
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if place == TO_STDOUT:
        sys.stdout.write(text)
        return
    try:
        write_text_whole(Path(place), text)
    except OSError as error:
        raise DataError(f"The document cannot be written to '{place}': {error.strerror}.") from error


def own_version() -> str:
    """The version of FMD Studio that is installed."""
    try:
        return version("fmd-studio")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"


def published_folder() -> Path:
    """Where measured results go: docs/ of a checkout, else a folder of the user's own."""
    docs = REPOSITORY / "docs"
    return docs if (REPOSITORY / "pyproject.toml").is_file() else home_folder() / "results"


# --- progress


def say(sentence: str) -> None:
    """What goes on, where somebody watches."""
    if sys.stderr.isatty():
        print(sentence, file=sys.stderr)


class ProgressLine:
    """How far a training is: one line on standard error that is written over; nothing where that is no
    terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.live, self.shown = self.stream.isatty(), False

    def show(self, step: TrainingStep) -> None:
        """Say where the training is."""
        if self.live:
            width = shutil.get_terminal_size().columns - 1  # a line that wraps cannot be written over
            self.stream.write("\r" + step_in_words(step)[:width].ljust(width))
            self.stream.flush()
            self.shown = True

    def say(self, sentence: str) -> None:
        """A sentence that stays, on standard output."""
        self.end()
        print(sentence, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self.shown:
            self.stream.write("\n")
            self.shown = False


@contextmanager
def progress_line() -> Iterator[ProgressLine]:
    """A line of progress that is left whatever happens."""
    line = ProgressLine()
    try:
        yield line
    finally:
        line.end()


def step_in_words(step: TrainingStep) -> str:
    """'Epoch 2 of 3, loss 0.312, validation accuracy 97.1 %, 40 s left'."""
    known = "" if step.accuracy is None else f", validation accuracy {100 * step.accuracy:.1f} %"
    minutes, seconds = divmod(round(step.seconds_left), 60)
    left = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    epoch = min(step.epoch + 1, step.epochs)
    return f"Epoch {epoch} of {step.epochs}, loss {step.loss:.3f}{known}, {left} left"
