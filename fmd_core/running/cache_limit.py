"""How much memory results may hold: the setting FMD_CACHE_MB."""

from __future__ import annotations

import os
import re

from fmd_core.errors import FMDError

SETTING, DEFAULT_MB, MB = "FMD_CACHE_MB", "1024", 2**20


def budget() -> int:
    """Bytes that all results together may hold: FMD_CACHE_MB, 1024 when it is not set. Raises FMDError."""
    given = os.environ.get(SETTING) or DEFAULT_MB
    if not re.fullmatch(r"[1-9][0-9]{0,8}", given.strip()):
        raise FMDError(f"{SETTING} is '{given[:40]}': use a whole number of megabytes, or leave it out.")
    return int(given) * MB
