"""Make sure that there is a Chromium for the browser tests, and print its path.

An existing one first, else Playwright's own, else Debian's package when we are root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find() -> str | None:
    """Path of a Chromium that is already here, from the setting CHROMIUM, the PATH or Playwright."""
    for candidate in (os.environ.get("CHROMIUM"), *(shutil.which(name) for name in NAMES)):
        if candidate and starts(candidate):
            return candidate
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        bundled = playwright.chromium.executable_path
    return bundled if starts(bundled) else None


def starts(path: str) -> bool:
    """Whether the browser is there with all the system libraries that it needs."""
    if not Path(path).exists():
        return False
    return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0


def install() -> None:
    """Playwright's own browser, else Debian's package."""
    tries = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and os.geteuid() == 0:
        tries += [["apt-get", "update", "-qq"]]
        tries += [["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]]
    for command in tries:
        print("+", " ".join(command), flush=True)
        subprocess.run(command, check=False)
        if find():
            return


def main() -> int:
    """Find or install; 1 when there is no way to get one."""
    if not find():
        install()
    path = find()
    print(f"Chromium: {path}" if path else "No Chromium: install one, or set CHROMIUM to its path.")
    return 0 if path else 1


if __name__ == "__main__":
    raise SystemExit(main())
