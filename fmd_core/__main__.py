"""Is this classifier biased, who taught it that, can we take it out, did it really work?

The same review as in the dashboard, from the command line: `fmd COMMAND`, or `python -m fmd_core COMMAND`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from fmd_core.commands import COMMANDS, MODULES
from fmd_core.commands.common import BAD_INPUT, STOPPED, Parser, limit_threads, own_version
from fmd_core.errors import FMDError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status. Only that command's module is imported, so that help is
    quick and `doctor` answers where libraries are missing. Bad input is one sentence on stderr and 3."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] not in COMMANDS:
        overview = _overview()
        overview.parse_args(words)  # helps, or says what is wrong; both end here
        overview.error("the name of a command comes first")
    command = import_module(f"fmd_core.commands.{MODULES.get(words[0], words[0])}")
    parser = Parser(f"fmd {words[0]}")
    parser.set_defaults(threads=1, stopped="Stopped.")
    command.add_arguments(parser)
    chosen = parser.parse_args(words[1:])
    if chosen.threads is not None:
        limit_threads(chosen.threads)
    try:
        return int(command.run(chosen))
    except FMDError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(f"\n{chosen.stopped}", file=sys.stderr)
        return STOPPED


def _overview() -> Parser:
    wide = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:{wide}}  {what}" for name, what in COMMANDS.items())
    example = 'example:\n  fmd train "celeba?target=Smiling&protected=Male"'
    parser = Parser(
        "fmd", description=__doc__, epilog=f"commands (each has --help):\n{listed}\n\n{example}\n"
    )
    parser.add_argument("--version", action="version", version=f"fmd-studio {own_version()}")
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help="one of those listed below")
    return parser


if __name__ == "__main__":
    sys.exit(main())
