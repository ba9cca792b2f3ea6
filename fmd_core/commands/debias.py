"""`fmd debias`: let a model learn on until a bias is out, as far as validation people allow, and say whom it helped."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from fmd_core import figures
from fmd_core.commands.audit import EXIT
from fmd_core.commands.audit_data import DataRequest, open_data
from fmd_core.commands.audit_model import HELP, Brought, add_model_options, open_model, store_for
from fmd_core.commands.common import add_json, add_threads, check_place, for_people, write_document
from fmd_core.data import AttributeDataset
from fmd_core.errors import DataError
from fmd_core.intervals import MIN_PEOPLE
from fmd_core.text import split_names

if TYPE_CHECKING:
    from fmd_core.study.debiasing import Change, Debiased
    from fmd_core.unlearn.deeper.answers import Figures
    from fmd_core.unlearn.deeper.settings import Improve

CHANGES: dict[str, Change] = {
    "threshold": "threshold",
    "last-layer": "last layer",
    "two-layers": "last two layers",
    "last-block": "last block",
    "whole-network": "whole network",
}
"""What may change, as the library calls it, by the word for it on the command line."""
IMPROVES: dict[str, Improve] = {"groups": "groups", "twins": "twins", "worst-group": "worst group"}
"""What should improve, the same way; a gap is named by --gap."""
EXAMPLE = """\
example:
  fmd debias "celeba?target=Blond_Hair&protected=Male" --attribute male --change last-block --tolerance 1.5
  fmd debias hiring.csv --target hired --attribute sex --change whole-network --out fixed.safetensors --json -
  fmd debias hiring.csv --target hired --attribute sex --improve gap --gap opportunity

exit status: 0 what was chosen is within the limit on everything that could be tested, 1 beyond it, 2 cannot be said,
3 bad input
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to fix, what may change for it, and where the result goes."""
    parser.description, parser.epilog = __doc__, EXAMPLE
    parser.add_argument(
        "data", metavar="DATA", help="a data set's name, a table, or a zip or folder of pictures"
    )
    parser.add_argument("--attribute", required=True, metavar="COLUMN", help="by which the model is biased")
    parser.add_argument("--target", default="", metavar="COLUMN", help="what the model predicts")
    parser.add_argument("--protected", default="", metavar="A,B", help="columns that should not matter")
    add_model_options(parser)
    parser.add_argument("--list", type=Path, metavar="LIST.csv", help="what each picture shows")
    parser.add_argument("--model", type=Path, metavar="FILE", help=HELP)
    parser.add_argument(
        "--improve", choices=("groups", "twins", "gap", "worst-group"),
        help="all groups counted alike, twins answered alike, a gap between groups closed (--gap says which), or the "
        "group that is answered right least often; the default is twins, and groups where twins are other people",
    )  # fmt: skip
    parser.add_argument(
        "--gap", choices=("opportunity", "parity"),
        help="with --improve gap: groups of one true class recognised equally often (opportunity, the default), or "
        "everybody answered equally often (parity)",
    )  # fmt: skip
    parser.add_argument(
        "--change", choices=CHANGES, default="last-block", help="what may change (last-block)"
    )
    parser.add_argument(
        "--tolerance", type=float, default=1.0, metavar="POINTS", help="overall accuracy that it may cost (1)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE",
        help="write the model that was chosen: .safetensors, which opens here again, or .onnx",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of the training and of the learning on")
    add_json(parser, "fmd-debias-1")
    add_threads(parser)
    parser.set_defaults(stopped="Stopped; nothing was written, and the model is as it was.")


def run(arguments: argparse.Namespace) -> int:
    """Fix, judge, write, and return the exit status."""
    if not 0 <= arguments.tolerance <= 100:
        raise DataError(f"The tolerance is a number of points from 0 to 100, got {arguments.tolerance:g}.")
    _improve(arguments)
    check_place(arguments.out)
    check_place(arguments.json)
    with ExitStack() as kept:
        found, dataset = _debiased(arguments, kept)
        if arguments.out is not None:
            _write(found, arguments.out)
    if arguments.json is not None:
        from fmd_core.commands.debias_document import SCHEMA, content

        write_document(SCHEMA, content(found, dataset), arguments.json)
    print(text_of(found, dataset), file=for_people(arguments.json))
    return EXIT[found.verdict.outcome]


def _write(found: Debiased, out: Path) -> None:
    from fmd_core.models.files import save_classifier
    from fmd_core.models.onnx_export import SUFFIX, save_onnx

    try:
        (save_onnx if out.suffix == SUFFIX else save_classifier)(found.network, out)
    except OSError as error:
        raise DataError(f"The model cannot be written to '{out}': {error.strerror}.") from error


def _debiased(arguments: argparse.Namespace, kept: ExitStack) -> tuple[Debiased, AttributeDataset]:
    from fmd_core.study.debiasing import debias
    from fmd_core.study.study import Study

    given = (arguments.attribute,) if Path(arguments.data).exists() else ()  # a reference names its own
    request = DataRequest(
        data=arguments.data,
        target=arguments.target,
        protected=split_names(arguments.protected) or given,
        list=arguments.list,
        reads_all=arguments.model is not None,
        seed=arguments.seed,
    )
    opened = open_data(request, kept)
    dataset = opened.dataset
    dataset.attribute(arguments.attribute)  # an unknown name is told before anything is trained
    model = open_model(opened, Brought.of(arguments), arguments.seed)
    study = Study(dataset, model, aim=arguments.attribute, store=store_for(dataset))
    found = debias(
        study, arguments.attribute, change=CHANGES[arguments.change], improve=_improve(arguments),
        tolerance=arguments.tolerance / 100, seed=arguments.seed, progress=_progress,
    )  # fmt: skip
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return found, dataset


def _improve(arguments: argparse.Namespace) -> Improve | None:
    """The aim as the library calls it; None where it was not named."""
    given, gap = arguments.improve, arguments.gap
    if given == "gap":
        return gap or "opportunity"
    if gap:
        raise DataError(f"--gap {gap} says which gap is to be closed; it goes with --improve gap.")
    return IMPROVES.get(given)


def _progress(share: float) -> None:
    if sys.stderr.isatty():
        print(f"\r{100 * share:3.0f} %", end="", file=sys.stderr, flush=True)


def text_of(found: Debiased, dataset: AttributeDataset) -> str:
    """The fix for a reader at a terminal."""
    from fmd_core.report import wording

    chosen, before, after = found.path.chosen, found.before, found.after
    if not chosen.steps:
        refused = [point.refusal for point in found.path.points if point.refusal]
        why = f" The guard refuses the rest, such as: {refused[-1]}." if refused else ""
        lines = [f"The model stays as it was: nothing that was tried serves those who choose better.{why}"]
    else:
        people = wording.people_sentence(found.comparison, dataset.unit)
        back = (
            f", {100 * chosen.restored:g} % of how often classes occur given back" if chosen.restored else ""
        )
        lines = [
            f"{wording.comparison_headline(found.comparison)} {people}",
            f"Changed: {found.change}, {100 * chosen.share:g} % of the way after {chosen.steps} steps{back}, chosen by "
            f"{figures.count(found.path.people)} {' and '.join(found.judged_by)} people, of whom the smallest group "
            f"has {found.path.least}.",
        ]
    lines = [*(f"! {warning.sentence}" for warning in found.verdict.warnings), *lines]
    lines += ["", _line("before", before), _line("after", after)]
    lines += [
        _line(f"{name} (no fix)" if other.is_reference else name, other.after)
        for name, other in found.baselines.items()
    ]
    was, now = before.worst, after.worst
    told = [f"{g.called(dataset, found.attribute)} ({figures.percent(g.value)} of {g.n})" for g in (was, now)]
    if was.n >= MIN_PEOPLE:
        few = _few(before)
        unsaid = f" Of {figures.counted(few, 'group')} there are too few to say." if few else ""
        lines += ["", f"Served worst before: {told[0]}; after: {told[1]}.{unsaid}"]
    lines += ["", f"Now: {found.verdict.headline}"]
    return "\n".join(lines)


def _worst(of: Figures) -> str:
    """How often the worst group is right, of how many groups where some are too small; one answer for everybody serves
    nobody, whatever it is right for."""
    if len(of.answered) == 1:
        return ", one answer for everybody"
    if of.worst.n < MIN_PEOPLE:
        return ""
    few = _few(of)
    among = f" (of {len(of.groups) - few} large enough, {few} too small)" if few else ""
    return f", worst group {100 * of.worst.value:.1f} %{among}"


def _few(of: Figures) -> int:
    """Groups with too few people to say anything."""
    return sum(group.n < MIN_PEOPLE for group in of.groups)


def _line(name: str, of: Figures) -> str:
    bias = (
        ""
        if of.bias is None or of.calibrated is None or of.flips is None
        else f", bias {100 * of.bias:.1f} points (calibrated {100 * of.calibrated:.1f}), flips {100 * of.flips:.1f} %"
    )
    return f"{name:<20} right {100 * of.accuracy:.1f} %, every group alike {100 * of.balanced:.1f} %{_worst(of)}{bias}"
