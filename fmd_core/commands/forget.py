"""`fmd forget`: make networks forget attributes, judge by fresh probes, write docs/forgetting.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from fmd_core.commands.common import add_threads, positive_int, progress_line, published_folder
from fmd_core.reproduction.forgetting_study import study_forgetting, write_forgetting

EXAMPLE = """example:
  fmd forget --seeds 1 --folder results
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often, and where the results go."""
    parser.description, parser.epilog = __doc__, EXAMPLE
    parser.add_argument("--seeds", type=positive_int, default=3, help="models that are trained for each")
    parser.add_argument("--folder", type=Path, help="where the results go; the default is docs")
    add_threads(parser)
    parser.set_defaults(stopped="Stopped; no results were written, models that were trained are kept.")


def run(arguments: argparse.Namespace) -> int:
    """Train, forget, probe, write."""
    with progress_line() as line:
        rows = study_forgetting(seeds=arguments.seeds, say=line.say, progress=line.show)
    text, numbers = write_forgetting(rows, arguments.folder or published_folder())
    print(f"Written: {text} and {numbers}.")
    return 0
