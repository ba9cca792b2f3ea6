"""`fmd reproduce`: every way to unlearn beside every other fix, measured and written to docs/results.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from fmd_core.commands.common import add_threads, positive_int, progress_line, published_folder
from fmd_core.home import home_folder
from fmd_core.reproduction.cases import CASES, SEEDS, chosen_cases
from fmd_core.reproduction.cells import PARTS, measure
from fmd_core.reproduction.language_page import write_language
from fmd_core.reproduction.page import results, write_results
from fmd_core.reproduction.text_page import write_texts
from fmd_core.reproduction.text_study import study_texts

EXAMPLE = """example:
  fmd reproduce                                        # hours; what is measured is kept, so it can go on
  fmd reproduce --cases adult-sex digits --seeds 1 --folder results
  fmd reproduce --cases celeba-blond --parts group-dro jtt
  fmd reproduce --text --studies "Tweets by gender"    # texts, a part of it
  fmd reproduce --write-only                           # the page again, from what was measured
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which cases, which parts of them, how often, and where the results go."""
    parser.description, parser.epilog = __doc__, EXAMPLE
    parser.add_argument(
        "--cases", nargs="+", default=(), metavar="CASE",
        choices=sorted({case.name for case in CASES} | {case.family for case in CASES}),
        help="cases by name, or all of a family of data; all",
    )  # fmt: skip
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help="parts; all")
    parser.add_argument(
        "--seeds", type=positive_int, default=SEEDS, help="networks of each case that has no folds"
    )
    parser.add_argument(
        "--text", action="store_true", help="classifiers of texts instead, written to docs/text.md"
    )
    parser.add_argument(
        "--studies", nargs="+", default=(), metavar="STUDY",
        help='of texts those by name, such as "Tweets by gender"; all',
    )  # fmt: skip
    parser.add_argument(
        "--language", nargs="?", const="smollm2", metavar="FOLDER",
        help="a language model instead (smollm2 where it is installed), written to docs/language_models.md",
    )  # fmt: skip
    parser.add_argument(
        "--write-only", action="store_true", help="measure nothing; write the page from what is kept"
    )
    parser.add_argument("--folder", type=Path, help="where the page goes; docs, or elsewhere for some of it")
    add_threads(parser)
    parser.set_defaults(
        stopped="Stopped. Every part that was finished is kept; the same command goes on from there."
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure what is not measured yet, write it down, and say which aims were met."""
    if arguments.text:
        return _texts(arguments)
    if arguments.language:
        return _language(arguments)
    cases = chosen_cases(arguments.cases)
    skipped: list[str] = []
    if not arguments.write_only:
        with progress_line() as line:
            skipped = measure(
                cases, seeds=arguments.seeds, parts=arguments.parts, say=line.say, progress=line.show
            )
    content = results(cases, arguments.seeds, skipped)
    whole = (
        not arguments.cases and tuple(arguments.parts) == PARTS
    )  # part of it must not stand in for the rest
    usual = published_folder() if whole else home_folder() / "results"
    text, numbers = write_results(content, arguments.folder or usual)
    for case in content["cases"]:
        for aim in case["aims"]:
            print(f"{aim['state'].capitalize()}: {case['title']}: {aim['promise']}.")
    print(f"Written: {text} and {numbers}.")
    return 0


def _texts(arguments: argparse.Namespace) -> int:
    found = study_texts(arguments.studies, seeds=arguments.seeds, measures=not arguments.write_only)
    usual = home_folder() / "results" if arguments.studies else published_folder()
    text, numbers = write_texts(found, arguments.folder or usual)
    print(f"Written: {text} and {numbers}.")
    return 0


def _language(arguments: argparse.Namespace) -> int:
    """A language model, and the tables of its page."""
    from fmd_core.language.opening import limit_threads
    from fmd_core.reproduction.language_study import study_language

    limit_threads(arguments.threads)
    with progress_line() as line:
        told = study_language(arguments.language, line.say, measure=not arguments.write_only)
        page, numbers = write_language(told, arguments.folder or published_folder())
        line.say(f"Written: {page} and {numbers}.")
    return 0
