from .audit_log import ChainCheck, LogEntry
from .errors import StaleReviewError, StorageError, UnknownReviewError
from .reviews import ReviewStore, ReviewSummary, StoredReview

__all__ = [
    "ChainCheck",
    "LogEntry",
    "ReviewStore",
    "ReviewSummary",
    "StaleReviewError",
    "StorageError",
    "StoredReview",
    "UnknownReviewError",
]
