"""The command line: `python -m fmd_core train ...`, `... reproduce`, `... forget` and `... doctor`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from fmd_core import doctor

if __name__ == "__main__" and sys.argv[1:] == ["doctor"]:  # before what may be missing is imported
    sys.exit(doctor.main())

from threadpoolctl import threadpool_limits

from fmd_core.bias_functions import predictions
from fmd_core.data import AttributeDataset
from fmd_core.datasets import load_dataset
from fmd_core.errors import DataError, FMDError
from fmd_core.home import REPOSITORY, home_folder
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import extract_features
from fmd_core.models.files import save_classifier
from fmd_core.networks.feature_store import FeatureStore
from fmd_core.networks.model_shelf import keep_model
from fmd_core.networks.training import TrainingStep, suggested_architecture, train_classifier
from fmd_core.reproduction import DEFAULT_DATA, STUDIES, reproduce, write_results

FAILED, STOPPED = 2, 130  # exit codes: what argparse uses for mistakes, what shells use for Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. What goes wrong is one sentence on stderr."""
    chosen = _parser().parse_args(arguments)
    _limit_threads(chosen.threads)
    try:
        chosen.run(chosen)
    except FMDError as error:
        print(error, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"\n{chosen.stopped}", file=sys.stderr)
        return STOPPED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fmd_core", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train a network on a data set and keep it for the dashboard")
    train.add_argument(
        "reference", metavar="REFERENCE", help='such as adult or "celeba?target=Smiling&protected=Male"'
    )
    train.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the data set")
    train.add_argument("--architecture", help="network; the default suits the data")
    train.add_argument(
        "--epochs", type=_whole, help="passes over the training samples; the default takes minutes"
    )
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--name", help="what the dashboard calls the model")
    train.add_argument("--out", type=Path, metavar="FILE", help="also write the model here (.safetensors)")
    train.set_defaults(run=_train, stopped="Stopped; nothing was kept.")
    again = commands.add_parser("reproduce", help="measure every way to debias and write docs/results.md")
    again.add_argument("--data", nargs="+", choices=STUDIES, default=DEFAULT_DATA, help="families of data")
    again.add_argument("--seeds", type=_whole, default=3, help="models that are trained for each")
    again.add_argument("--quick", action="store_true", help="one seed and one epoch: does everything work?")
    again.add_argument("--folder", type=Path, help="where the results go; docs, or elsewhere when quick")
    again.set_defaults(
        run=_reproduce, stopped="Stopped; no results were written, models that were trained are kept."
    )
    forget = commands.add_parser(
        "forget", help="make networks forget attributes, judge by fresh probes, write docs/forgetting.md"
    )
    forget.add_argument("--seeds", type=_whole, default=3, help="models that are trained for each")
    forget.add_argument("--folder", type=Path, default=REPOSITORY / "docs", help="where the results go")
    forget.set_defaults(
        run=_forget, stopped="Stopped; no results were written, models that were trained are kept."
    )
    checkup = commands.add_parser("doctor", help="say what is missing on this machine")
    checkup.set_defaults(run=lambda _: sys.exit(doctor.main()), threads=1, stopped="Stopped.")
    for command in (train, again, forget):
        command.add_argument(
            "--threads", type=_whole, default=1, help="processor threads; more may help on a quiet machine"
        )
    return parser


def _whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


_whole.__name__ = "whole number above 0"  # argparse says "invalid ... value"


def _limit_threads(number: int) -> None:
    """One thread unless asked: on a busy machine threads that wait for each other made training ten
    times slower, and with one the result does not depend on the machine's number of processors."""
    os.environ["OMP_NUM_THREADS"] = str(number)  # for torch, which is not loaded yet
    threadpool_limits(number)


# --- train


def _train(chosen: argparse.Namespace) -> None:
    dataset = load_dataset(chosen.reference, **_options(chosen.option))
    if chosen.out is not None and not chosen.out.absolute().parent.is_dir():
        raise DataError(f"The folder of '{chosen.out}' does not exist; make it first.")
    architecture = chosen.architecture or suggested_architecture(dataset)
    line = ProgressLine(sys.stdout)
    try:
        found = train_classifier(
            dataset, architecture=architecture, epochs=chosen.epochs, seed=chosen.seed, progress=line.show
        )
    finally:
        line.end()
    found = replace(found, name=chosen.name or f"{architecture}, seed {chosen.seed}")
    _keep(dataset, found, chosen.out)


def _keep(dataset: AttributeDataset, classifier: Classifier, out: Path | None) -> None:
    people = extract_features(classifier, dataset, split="validation", store=FeatureStore())
    accuracy = (predictions(classifier.head, people.features) == people.labels).mean()
    print(f"Validation accuracy: {100 * accuracy:.1f} % of {len(people):,}.")
    try:
        model_id = keep_model(dataset, classifier)
        print(f"Kept for the dashboard as '{classifier.name}' ({model_id}).")
        if out is not None:
            save_classifier(classifier, out)
            print(f"Written to {out}.")
    except OSError as error:
        raise DataError(f"The model cannot be saved: {error.strerror}.") from error


def _options(pairs: Sequence[str]) -> dict[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise DataError(f"An option is written as key=value, got '{wrong[0]}'.")
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


class ProgressLine:
    """How far a training is: one line that is written over on a terminal, else a line now and then."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.live, self.last = stream, stream.isatty(), ""

    def show(self, step: TrainingStep) -> None:
        """Say where the training stands."""
        if self.live:
            width = shutil.get_terminal_size().columns - 1  # a line that wraps cannot be written over
            self.stream.write("\r" + step_in_words(step)[:width].ljust(width))
            self.stream.flush()
            self.last = "live"
        elif (mark := f"{step.epoch} {int(4 * step.share)}") != self.last:
            self.last = mark
            print(step_in_words(step), file=self.stream, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self.live and self.last:
            self.stream.write("\n")


def step_in_words(step: TrainingStep) -> str:
    """'Epoch 2 of 3, loss 0.312, validation accuracy 97.1 %, 40 s left'."""
    known = "" if step.accuracy is None else f", validation accuracy {100 * step.accuracy:.1f} %"
    minutes, seconds = divmod(round(step.seconds_left), 60)
    left = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    epoch = min(step.epoch + 1, step.epochs)
    return f"Epoch {epoch} of {step.epochs}, loss {step.loss:.3f}{known}, {left} left"


# --- reproduce


def _reproduce(chosen: argparse.Namespace) -> None:
    line = ProgressLine(sys.stdout)

    def say(sentence: str) -> None:
        line.end()
        print(sentence, flush=True)

    results = reproduce(chosen.data, seeds=chosen.seeds, quick=chosen.quick, say=say, progress=line.show)
    line.end()
    # A quick run must not stand where the published figures do.
    usual = home_folder() / "quick results" if chosen.quick else REPOSITORY / "docs"
    text, numbers = write_results(results, chosen.folder or usual)
    for aim in results.aims:
        print(f"{'Aim met' if aim.met else 'Missed'}: {aim.promise}. Measured: {aim.figure}.")
    print(f"Written: {text} and {numbers}.")


# --- forget


def _forget(chosen: argparse.Namespace) -> None:
    from fmd_core.reproduction.forgetting_study import study_forgetting, write_forgetting

    line = ProgressLine(sys.stdout)

    def say(sentence: str) -> None:
        line.end()
        print(sentence, flush=True)

    rows = study_forgetting(seeds=chosen.seeds, say=say, progress=line.show)
    line.end()
    text, numbers = write_forgetting(rows, chosen.folder)
    print(f"Written: {text} and {numbers}.")


if __name__ == "__main__":
    sys.exit(main())
