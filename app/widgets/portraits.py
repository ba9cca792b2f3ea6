"""A sample on screen: a picture, or the lines of a record."""

from __future__ import annotations

from app import cache
from app.record.review import Review
from app.widgets import gallery


def picture(
    review: Review, row: int, alt: str, note: str = "", *, attribute: str = "", code: int = 0, side: int = 128
) -> gallery.Picture:
    """One sample, with `attribute` set to `code` if one is named."""
    src, text = cache.portrait(review.data, row, attribute, code, side)
    return gallery.Picture(src, alt, note, text)
