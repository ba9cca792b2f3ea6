"""`fmd reproduce`: the published comparison, every strategy on three seeds, written to docs/results.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from fmd_core.commands.common import add_threads, positive_int, progress_line, published_folder
from fmd_core.home import home_folder
from fmd_core.reproduction import DEFAULT_DATA, STUDIES, reproduce, write_results
from fmd_core.reproduction.deeper_study import STUDIES as DEEPER
from fmd_core.reproduction.deeper_study import study_deeper, write_deeper
from fmd_core.reproduction.text_study import study_texts, write_texts

EXAMPLE = """example:
  fmd reproduce --data adult --seeds 1 --folder results
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which data, how often, and where the results go."""
    parser.description, parser.epilog = __doc__, EXAMPLE
    parser.add_argument(
        "--data",
        nargs="+",
        choices=sorted({*STUDIES, *DEEPER}),
        default=DEFAULT_DATA,
        help="families of data",
    )
    parser.add_argument("--seeds", type=positive_int, default=3, help="models that are trained for each")
    parser.add_argument("--quick", action="store_true", help="one seed and one epoch: does everything work?")
    parser.add_argument(
        "--deeper", action="store_true", help="how far each depth gets instead, written to docs/deeper.md"
    )
    parser.add_argument(
        "--text", action="store_true", help="classifiers of texts instead, written to docs/text.md"
    )
    parser.add_argument("--folder", type=Path, help="where the results go; docs, or elsewhere when quick")
    add_threads(parser)
    parser.set_defaults(stopped="Stopped; no results were written, models that were trained are kept.")


def run(arguments: argparse.Namespace) -> int:
    """Measure, write, and say which aims were met."""
    with progress_line() as line:

        def say(sentence: str) -> None:
            line.end()
            print(sentence, flush=True)

        if arguments.deeper:
            rows = study_deeper(arguments.data, say=say, progress=line.show)
            text, numbers = write_deeper(rows, arguments.folder or published_folder())
            say(f"Written: {text} and {numbers}.")
            return 0
        if arguments.text:
            found = study_texts(seeds=1 if arguments.quick else arguments.seeds, say=say)
            text, numbers = write_texts(found, arguments.folder or published_folder())
            say(f"Written: {text} and {numbers}.")
            return 0
        results = reproduce(
            arguments.data, seeds=arguments.seeds, quick=arguments.quick, say=say, progress=line.show
        )
    # A quick run must not overwrite the published figures.
    usual = home_folder() / "quick results" if arguments.quick else published_folder()
    text, numbers = write_results(results, arguments.folder or usual)
    for aim in results.aims:
        print(f"{'Aim met' if aim.met else 'Missed'}: {aim.promise}. Measured: {aim.figure}.")
    print(f"Written: {text} and {numbers}.")
    return 0
