"""`fmd stereotypes`: a language model on StereoSet or CrowS-Pairs, and, if asked, a little of it taken out."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from fmd_core.commands.common import (
    add_json,
    add_threads,
    check_place,
    for_people,
    positive_int,
    write_document,
)

if TYPE_CHECKING:
    from fmd_core.language.judging import Debiased, Scores
    from fmd_core.language.study import LanguageStudy

SCHEMA = "fmd-stereotypes-1"
SETS = ("stereoset", "stereoset-next", "crows-pairs")
FORMS = ("published", "rows", "block", "low-rank")
EXAMPLE = "example:\n  fmd stereotypes smollm2 --set stereoset --most 300 --debias --json -\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `fmd stereotypes` is told."""
    parser.description = (
        "Experimental. Say how often a language model finds a stereotype likelier than its opposite, by bias type, "
        "with perplexity beside it. The sets are read from FMD_DATA_DIR. No code of a model is run."
    )
    parser.epilog = EXAMPLE
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        help="a Hugging Face folder or a zip of one (causal or masked), or smollm2 where that is installed",
    )
    parser.add_argument("--set", choices=SETS, default="stereoset", help="which sentences")
    parser.add_argument(
        "--most", type=positive_int, metavar="N", help="at most so many examples, spread over target terms"
    )
    parser.add_argument(
        "--debias",
        action="store_true",
        help="also change it by half of StereoSet's target terms, and judge on the others, or on CrowS-Pairs",
    )
    parser.add_argument(
        "--forms", nargs="+", choices=FORMS, default=FORMS, metavar="FORM",
        help=f"with --debias, how: {', '.join(FORMS)}; all",
    )  # fmt: skip
    add_threads(parser)
    add_json(parser, SCHEMA)
    parser.set_defaults(stopped="Stopped; nothing was written.")


def run(arguments: argparse.Namespace) -> int:
    """Score the model, say it, and write the document."""
    check_place(arguments.json)
    begun = time.monotonic()
    os.environ.setdefault("TQDM_DISABLE", "1")  # before transformers: progress is ours
    from fmd_core.language.document import study_document
    from fmd_core.language.examples import read_examples, some_of
    from fmd_core.language.opening import limit_threads, open_language_model
    from fmd_core.language.study import LanguageStudy

    examples = some_of(read_examples(arguments.set), arguments.most)
    limit_threads(arguments.threads)
    model = open_language_model(arguments.folder)
    study = LanguageStudy.read(model, arguments.set, examples, _tell)
    scores, told = study.scores(), None
    if arguments.debias and arguments.set == "crows-pairs":  # it judges only
        deciding = LanguageStudy.read(model, "stereoset", read_examples("stereoset"), _tell)
        told = deciding.debias(model, _tell, judge=study, forms=arguments.forms)
    elif arguments.debias:
        told = study.debias(model, _tell, forms=arguments.forms)
    _end()
    document = study_document(study, scores, told, time.monotonic() - begun)
    print(text_of(study, scores, told), file=for_people(arguments.json))
    if arguments.json:
        write_document(SCHEMA, document, arguments.json)
    return 0


def text_of(study: LanguageStudy, scores: Scores, told: Debiased | None) -> str:
    """The result for a reader at a terminal."""
    from fmd_core.language import unlearning
    from fmd_core.language.document import UNEVEN, figure, preference_sentence, tried_sentence

    lines = [
        preference_sentence(study, scores),
        "",
        f"{'':18}{'LMS':>20}{'SS':>20}{'ICAT':>20}{'difference':>22}",
    ]
    lines += [
        f"{one.bias_type:18}{figure(one.lms):>20}{figure(one.ss):>20}{figure(one.icat):>20}"
        f"{figure(one.difference, 3):>22}"
        for one in scores.types
    ]
    lines += ["", f"Perplexity on prose that nobody trained on: {scores.perplexity:.1f}.", UNEVEN]
    if told is not None:
        pairs = " (pairs of sentences)" if study.set_name == "crows-pairs" else ""
        lines += [
            "",
            f"Experimental: changed by {told.n_deciding} target terms, judged on {told.n_judging} others{pairs}.",
            *(f"- {tried_sentence(told.before, one)}" for one in told.tried),
            *(f"- {unlearning.FORMS[form].capitalize()}: not tried. {why}" for form, why in told.left_out),
        ]
    return "\n".join(lines)


def _tell(share: float, what: str) -> None:
    """How far it is, where somebody watches."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{what}, {100 * share:.0f} % done".ljust(60))
        sys.stderr.flush()


def _end() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\n")
