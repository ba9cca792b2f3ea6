"""`fmd doctor`: what is missing on this machine, in words; exit status 1 when something is."""

from __future__ import annotations

import argparse

from fmd_core import doctor
from fmd_core.commands.common import TO_STDOUT, add_json, check_place, write_document

SCHEMA = "fmd-doctor-1"
EXAMPLE = """example:
  fmd doctor --json -
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing but where the document goes."""
    parser.description, parser.epilog = __doc__, EXAMPLE
    add_json(parser, SCHEMA)
    parser.set_defaults(threads=None)  # what limits threads may be what is missing


def run(arguments: argparse.Namespace) -> int:
    """Print every finding as it is made."""
    check_place(arguments.json)
    findings: list[doctor.Finding] = []
    for finding in doctor.examine():
        findings.append(finding)
        if arguments.json != TO_STDOUT:
            print(doctor.line(finding), flush=True)
    missing = sum(finding.weight == "missing" for finding in findings)
    if arguments.json != TO_STDOUT:
        print(f"\n{doctor.summary(missing)}")
    if arguments.json is not None:
        told = [{"weight": finding.weight, "sentence": finding.sentence} for finding in findings]
        write_document(SCHEMA, {"missing": missing, "findings": told}, arguments.json)
    return int(missing > 0)
