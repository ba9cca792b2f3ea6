"""Settings that a server cannot begin with, each as a sentence."""

from __future__ import annotations

from collections.abc import Callable

from app.serving import logs
from fmd_core.errors import FMDError
from fmd_core.home import home_folder
from fmd_core.running.cache_limit import budget


def faults() -> list[str]:
    """What is wrong with the settings of this process; nothing is changed for it."""
    checks: tuple[Callable[[], object], ...] = (logs.level, budget, home_folder)
    found = []
    for check in checks:
        try:
            check()
        except FMDError as fault:
            found.append(str(fault))
    return found
