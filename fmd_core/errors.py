"""What can go wrong, in words that a reviewer can act on.

    FMDError
    ├── DataError      a data set, a split, an attribute or a number asked of them
    │   └── NoTwinsError   nobody in a split has a twin by an attribute
    ├── ModelError     a weights file or an architecture
    ├── SolverError    the mathematics could not be carried out; names the knob to turn
    └── HomeError      FMD_HOME cannot be our folder; also an OSError

Every message says what was wrong, the value seen, and what to do. The dashboard prints
`str(error)` as it is, so a message is one sentence or two, without a traceback or a path
that the user did not give.
"""


class FMDError(Exception):
    """Base of everything that FMD Studio raises on purpose."""


class DataError(FMDError):
    """The data, or a value chosen for them, cannot be used."""


class NoTwinsError(DataError):
    """Nobody in a split has a twin by an attribute."""


class ModelError(FMDError):
    """The model cannot be opened or does not fit the data."""


class SolverError(FMDError):
    """A linear system or an optimisation has no trustworthy answer."""


class HomeError(FMDError, OSError):
    """The folder that FMD_HOME names cannot be ours."""
