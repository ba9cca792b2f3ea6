"""`fmd audit`: what Find bias says, for pipelines. Exit status 0 within, 1 beyond, 2 cannot be said, 3 bad input."""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from pathlib import Path

from fmd_core.commands.audit_data import DataRequest, open_data
from fmd_core.commands.audit_model import HELP, Brought, add_model_options, open_model, store_for
from fmd_core.commands.common import check_place, own_version, say
from fmd_core.data import AttributeDataset
from fmd_core.errors import DataError
from fmd_core.measure.verdict.sentences import criteria_sentences
from fmd_core.measure.verdict.values import Judges, Limits, Outcome, Verdict
from fmd_core.report.audit_document import document
from fmd_core.report.audit_page import SHORT, audit_page
from fmd_core.running.whole_files import write_text_whole
from fmd_core.study.answering import verdict_of_another_system
from fmd_core.study.study import Study
from fmd_core.text import split_names

EXIT = {Outcome.WITHIN: 0, Outcome.BEYOND: 1, Outcome.UNKNOWN: 2}
SHOWN = 5  # findings in the text
EXAMPLE = """\
example:
  fmd audit hiring.csv --target hired --favourable yes --protected sex,age --json -
  fmd audit "celeba?target=Blond_Hair&protected=Male"
  fmd audit answers.csv --target repaid --predictions approved --protected race

exit status: 0 within the limit on everything that could be tested, 1 beyond it, 2 cannot be said, 3 bad input
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything that can be said of an audit."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLE
    parser.add_argument(
        "data", metavar="DATA", help="a data set's name, a table, or a zip or folder of pictures"
    )
    parser.add_argument("--target", default="", metavar="COLUMN", help="what the model predicts")
    parser.add_argument(
        "--favourable", default="", metavar="LEVEL", help="the answer that people would rather get"
    )
    parser.add_argument("--protected", default="", metavar="A,B", help="columns that should not matter")
    parser.add_argument(
        "--id", default="", metavar="COLUMN", help="whose row it is; nobody is put in two parts"
    )
    parser.add_argument("--weights", default="", metavar="COLUMN", help="how many people a row stands for")
    answers = parser.add_mutually_exclusive_group()
    answers.add_argument("--predictions", default="", metavar="COLUMN", help="another system's answers")
    answers.add_argument(
        "--scores",
        default="",
        metavar="COLUMN",
        help="its probabilities of the last class (from 0.5 on: yes)",
    )
    answers.add_argument("--model", type=Path, metavar="FILE", help=HELP)
    add_model_options(parser)
    parser.add_argument("--list", type=Path, metavar="LIST.csv", help="what each picture shows")
    parser.add_argument("--split", default="", metavar="COLUMN", help="says train, validation and test")
    parser.add_argument("--classes", default="", metavar="A,B,C", help="the classes in the model's order")
    parser.add_argument(
        "--keep", default="", metavar="A,B", help="columns to read although they tell the answer"
    )
    parser.add_argument(
        "--along",
        default="",
        metavar="A,B",
        help="columns that tell a protected one and change with it in a twin (one of two words for the same does so "
        "unasked; others are kept, and it is said that twins show too little)",
    )
    parser.add_argument(
        "--reference-group",
        action="append",
        default=[],
        metavar="A=LEVEL",
        help="whom others are compared with",
    )
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="FAMILY=POINTS",
        help="twins, selection, equal_truth, service in points (10), or ratio (0.8)",
    )
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="write a page to read or print")
    parser.add_argument("--json", default="", metavar="FILE|-", help="write a document for programs")
    parser.add_argument("--seed", type=int, default=0, help="of the draw of people and of the training")
    parser.set_defaults(stopped="Stopped; nothing was written.")


def run(arguments: argparse.Namespace) -> int:
    """Audit, say it, and return the exit status."""
    begun = time.monotonic()
    with ExitStack() as kept:
        check_place(arguments.report)
        check_place(arguments.json or None)
        verdict, dataset = audit(arguments, kept)
        _write(arguments, verdict, dataset, time.monotonic() - begun)
    return EXIT[verdict.outcome]


def audit(arguments: argparse.Namespace, kept: ExitStack) -> tuple[Verdict, AttributeDataset]:
    """The verdict that the command line asks for, and the data set that it is about."""
    limits = _limits(arguments.limit)
    pairs = _pairs(arguments.reference_group, "--reference-group", "sex=Male")
    data = open_data(_request(arguments), kept)
    dataset = data.dataset
    good, compared = arguments.favourable, {**dataset.references, **pairs}
    if dataset.answered is not None:
        verdict = verdict_of_another_system(dataset, favourable=good, references=compared, limits=limits)
        return verdict, dataset
    study = Study(dataset, open_model(data, Brought.of(arguments), arguments.seed), store=store_for(dataset))
    if study.judges() is Judges.EVERYBODY:
        say("The table is small: everybody is judged by one of five models that never saw them.")
    return study.verdict(favourable=good, references=compared, limits=limits), dataset


def _request(arguments: argparse.Namespace) -> DataRequest:
    return DataRequest(
        data=arguments.data,
        target=arguments.target,
        protected=split_names(arguments.protected),
        id=arguments.id,
        weights=arguments.weights,
        predictions=arguments.predictions,
        scores=arguments.scores,
        list=arguments.list,
        split=arguments.split,
        classes=split_names(arguments.classes),
        keep=split_names(arguments.keep),
        along=split_names(arguments.along),
        reads_all=arguments.model is not None,
        seed=arguments.seed,
    )


# --- what comes in


def _pairs(texts: list[str], option: str, example: str) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise DataError(f"{option} is written as {example}, got '{text}'.")
    return {key.strip(): value.strip() for key, _, value in (text.partition("=") for text in texts)}


def _limits(texts: list[str]) -> Limits:
    """Limits from 'selection=5' (points) and 'ratio=0.9'."""
    given: dict[str, float] = {}
    names = tuple(vars(Limits()))
    for name, text in _pairs(texts, "--limit", "selection=5").items():
        key = name.replace("-", "_").replace(" ", "_")
        if key not in names:
            raise DataError(f"There is no limit '{name}'. There are: {', '.join(names)}.")
        try:
            value = float(text)
        except ValueError:
            raise DataError(f"The limit '{name}' must be a number, got '{text}'.") from None
        given[key] = value if key == "ratio" else value / 100
    return Limits(**given)


# --- what goes out


def _write(
    arguments: argparse.Namespace, verdict: Verdict, dataset: AttributeDataset, seconds: float
) -> None:
    made = document(verdict, version=own_version(), seconds=seconds)
    try:
        if arguments.json == "-":
            print(made.to_json())
        elif arguments.json:
            write_text_whole(Path(arguments.json), made.to_json() + "\n")
        if arguments.report is not None:
            write_text_whole(arguments.report, audit_page(verdict, dataset))
    except OSError as error:
        raise DataError(f"The result cannot be written: {error.strerror}.") from error
    if arguments.json != "-":
        print(text_of(verdict, dataset))


def text_of(verdict: Verdict, dataset: AttributeDataset) -> str:
    """The audit for a reader at a terminal."""
    accuracy = verdict.accuracy
    lines = [f"{verdict.outcome.value.capitalize()}.", "", verdict.headline, verdict.detail, ""]
    lines += [f"! {warning.sentence}" for warning in verdict.warnings]
    if accuracy is not None:
        lines.append(
            f"Right for {100 * accuracy.value:.1f} % of {accuracy.n:,} people; always answering "
            f"'{accuracy.majority_class}' would be for {100 * accuracy.majority:.1f} %."
        )
    if verdict.favourable is not None and not verdict.favourable.is_sure:
        lines.append("Nobody has said which answer is the good one; name it with --favourable.")
    lines += [*criteria_sentences(dataset, verdict), ""]
    lines += [f"- {SHORT[f.outcome]}: {f.sentence}" for f in verdict.findings[1:SHOWN]]
    if more := max(0, len(verdict.findings) - SHOWN):
        lines.append(f"- and {more:,} more findings (--json lists all)")
    lines += [
        f"Not tested: {one.family.value} by {one.attribute}, {one.why}." for one in verdict.not_tested[:SHOWN]
    ]
    if verdict.not_read:
        lines.append(f"Not read by the model: {', '.join(verdict.not_read[:12])}.")
    return "\n".join(lines)
