"""The typeface of every report, inside the file: it reads the same on any machine, without a network."""

from __future__ import annotations

import base64
from functools import lru_cache
from pathlib import Path

INTER = Path(__file__).parent / "Inter.woff2"
"""Inter, SIL Open Font License 1.1; the dashboard's is the same file (app/static)."""


@lru_cache
def embedded() -> str:
    """Inter as a data URI, 64 KB of text."""
    return f"data:font/woff2;base64,{base64.b64encode(INTER.read_bytes()).decode()}"
