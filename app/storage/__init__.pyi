from .audit_log import ChainCheck, LogEntry
from .errors import BrokenLogError, StaleReviewError, StorageError, UnknownReviewError
from .reviews import ReviewStore, ReviewSummary, StoredReview

__all__ = [
    "BrokenLogError",
    "ChainCheck",
    "LogEntry",
    "ReviewStore",
    "ReviewSummary",
    "StaleReviewError",
    "StorageError",
    "StoredReview",
    "UnknownReviewError",
]
