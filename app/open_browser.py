"""Open the dashboard in the user's browser once it answers; does nothing where there is no screen.

python app/open_browser.py http://127.0.0.1:8501
"""

from __future__ import annotations

import os
import sys
import time
import urllib.request
import webbrowser

PATIENCE_SECONDS = 60


def has_screen() -> bool:
    """Whether a graphical browser could show itself here."""
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def main(url: str) -> None:
    """Wait for the server's health page, then open `url`."""
    end = time.monotonic() + PATIENCE_SECONDS
    while has_screen() and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                webbrowser.open(url)
                return
        except OSError:
            time.sleep(0.3)


if __name__ == "__main__":
    main(sys.argv[1])
