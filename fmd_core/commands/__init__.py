"""The commands of `fmd`, a module each, which `fmd_core.__main__` imports only when it is asked for.

A module has `add_arguments(parser)`, which also writes the parser's description and an example, and
`run(arguments) -> int`, which returns the exit status and raises FMDError for bad input.
"""

MODULES = {"import": "import_data"}  # where a command cannot be the name of a module
COMMANDS = {  # name of the command and, but for `MODULES`, of its module: what `fmd --help` says of it
    "run": "start the dashboard",
    "audit": "say whether a classifier is biased, for pipelines",
    "debias": "take a bias out and say who gained and who lost",
    "import": "say what is read of a table, or of pictures and their lists, and keep it",
    "inspect": "say what a model file is and what can be done with it",
    "train": "train a network on a data set and keep it for the dashboard",
    "reproduce": "measure every way to debias and write docs/results.md",
    "forget": "make networks forget attributes and write docs/forgetting.md",
    "stereotypes": "score a language model on published stereotype sets (experimental)",
    "doctor": "say what is missing on this machine",
}
