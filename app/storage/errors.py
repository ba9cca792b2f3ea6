"""What can go wrong with kept reviews.

FMDError
└── StorageError              the database, or a value that it cannot keep
    ├── UnknownReviewError    no review has this id
    ├── StaleReviewError      somebody else saved first
    └── BrokenLogError        the review or its log was changed outside FMD Studio
"""

from fmd_core.errors import FMDError


class StorageError(FMDError):
    """A review cannot be read or kept."""


class UnknownReviewError(StorageError):
    """No review has this id: it never had, or the review was deleted."""


class StaleReviewError(StorageError):
    """The review went on in another tab since this one loaded it; nothing was written."""


class BrokenLogError(StorageError):
    """A review or its log is not what was recorded; nothing was written."""
