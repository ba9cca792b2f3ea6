"""What was measured, kept as a file of its own under FMD_HOME as soon as it is: a run that is interrupted goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fmd_core.data import content_fingerprint
from fmd_core.home import home_folder
from fmd_core.running.whole_files import written_whole


def kept_file(name: str) -> Path:
    """Where it is kept."""
    return home_folder() / "cells" / f"{name.replace(' ', '-')}.json"


DIGEST = "digest"


def read_kept(file: Path, version: int, newest: int | None = None) -> dict[str, Any] | None:
    """What was kept, or None where nothing was, it is not as it was written, or it is by another `version` of measuring
    than that, up to the `newest`. What is older than digests has none, and is read all the same."""
    try:
        found = dict(json.loads(file.read_text(encoding="utf-8")))
        digest = found.pop(DIGEST, None)
        is_whole = digest is None or digest == content_fingerprint(json.dumps(found))
        return found if is_whole and version <= found["version"] <= (newest or version) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(file: Path, content: Mapping[str, object]) -> None:
    """Write it whole, with a digest."""
    file.parent.mkdir(parents=True, exist_ok=True)
    written = json.loads(json.dumps(content))  # as it will be read
    digest = content_fingerprint(json.dumps(written))
    with written_whole(file) as part:
        part.write_text(json.dumps({**written, DIGEST: digest}) + "\n", encoding="utf-8")
