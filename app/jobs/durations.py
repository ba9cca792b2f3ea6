"""How long work of a kind took on this machine: what a wait is estimated from, before and while it runs.

One small file in the folder of FMD Studio; a machine that did nothing yet knows nothing, and says so.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Lock

from fmd_core.home import home_folder
from fmd_core.running.whole_files import write_text_whole

LOG = logging.getLogger("fmd.jobs")
KEPT = 8  # of each kind, the latest
KINDS = 200  # kinds in all; the one that was done longest ago is dropped
MOST_BYTES = 200_000
ALIKE = 4.0  # times as large or as small: such work tells best how long another one takes

Past = dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Size:
    """How much work of a kind is asked for: seconds grow with `units`, such as samples read."""

    kind: str
    units: float


class Durations:
    """Sizes and seconds of past work, by kind. Any thread may use it, and several servers may share the file: of two
    that end in the same instant one may be forgotten."""

    def __init__(self, file: Path | None = None) -> None:
        self._given, self._lock = file, Lock()

    def record(self, size: Size, seconds: float) -> None:
        """Remember that work of this size took so long. A disk that takes no note loses nothing but an estimate."""
        if not (size.units > 0 and seconds > 0 and math.isfinite(size.units + seconds)):
            return
        with self._lock:
            past = self._read()
            latest = [*past.pop(size.kind, []), (size.units, seconds)][-KEPT:]
            kinds = list({**past, size.kind: latest}.items())[-KINDS:]
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_text_whole(self._file, json.dumps(dict(kinds)))
            except OSError as error:
                LOG.warning("how long work took is not noted: %s", error.strerror)

    def expect(self, size: Size) -> float | None:
        """Seconds that work of this size will take, by the pace of the past; None where nothing like it was done.

        The middle pace counts, of works about as large where there are any: a small one spends more of its time on
        what every work begins with.
        """
        past = self._read().get(size.kind, [])
        alike = [one for one in past if 1 / ALIKE <= one[0] / size.units <= ALIKE] if size.units > 0 else []
        paces = [seconds / units for units, seconds in alike or past]
        return size.units * median(paces) if paces else None

    def _read(self) -> Past:
        try:
            with self._file.open("rb") as file:
                return _checked(json.loads(file.read(MOST_BYTES)))
        except (OSError, ValueError, RecursionError):
            return {}

    @property
    def _file(self) -> Path:
        return self._given or home_folder() / "durations.json"


def _checked(told: object) -> Past:
    """What the file says, less all that is no duration: it may be torn, or somebody's own."""
    if not isinstance(told, Mapping):
        return {}
    found = {
        str(kind): [(float(pair[0]), float(pair[1])) for pair in pairs if _is_duration(pair)]
        for kind, pairs in told.items()
        if isinstance(pairs, list)
    }
    return {kind: pairs for kind, pairs in found.items() if pairs}


def _is_duration(pair: object) -> bool:
    if not (isinstance(pair, list) and len(pair) == 2):
        return False
    return all(type(n) in (int, float) and math.isfinite(n) and n > 0 for n in pair)


DURATIONS = Durations()
"""Those of this machine."""
