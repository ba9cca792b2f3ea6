from .audit_log import ChainCheck
from .errors import BrokenLogError, StaleReviewError, StorageError, UnknownReviewError
from .reviews import ReviewStore, ReviewSummary, StoredReview

__all__ = [
    "BrokenLogError",
    "ChainCheck",
    "ReviewStore",
    "ReviewSummary",
    "StaleReviewError",
    "StorageError",
    "StoredReview",
    "UnknownReviewError",
]
