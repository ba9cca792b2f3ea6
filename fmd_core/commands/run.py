"""`fmd run`: start the dashboard on this machine and, where there is a screen, open the browser."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from fmd_core.errors import FMDError
from fmd_core.home import dashboard_folder

EXAMPLE = """example:
  fmd run --port 8600
"""
FOLDERS = ("FMD_HOME", "FMD_DATA_DIR", "FMD_SAMPLE_DIR")  # settings that name a folder


class DashboardError(FMDError):
    """The dashboard is not installed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where it listens."""
    parser.description, parser.epilog = __doc__, EXAMPLE
    parser.add_argument("--port", type=_port, default=8501, metavar="N", help="8501 unless you say so")
    parser.add_argument("--no-browser", action="store_true", help="leave the browser alone")
    parser.set_defaults(threads=None)  # the server decides for itself


def run(arguments: argparse.Namespace) -> int:
    """Become the server: a signal sent to this process reaches it, and its exit status is ours."""
    folder = dashboard_folder()
    if folder is None or importlib.util.find_spec("streamlit") is None:
        raise DashboardError("The dashboard needs more libraries: pip install 'fmd-studio[app]'.")
    settings = environment(folder)
    address = f"http://127.0.0.1:{arguments.port}"
    if not arguments.no_browser:
        subprocess.Popen([sys.executable, folder / "app" / "open_browser.py", address], env=settings)
    print(f"FMD Studio opens on {address}", flush=True)
    server = [sys.executable, "-m", "streamlit", "run", "app/server.py", "--server.port", str(arguments.port)]
    os.chdir(folder)  # Streamlit's settings lie there
    if os.name == "posix":
        os.execve(sys.executable, server, settings)
    return subprocess.call(server, env=settings)


def environment(folder: Path) -> dict[str, str]:
    """The server's environment: it finds its own package in `folder`, and folders that the user named
    from here."""
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    absolute = {name: os.path.abspath(os.environ[name]) for name in FOLDERS if os.environ.get(name)}
    return {**os.environ, **absolute, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"must be a port from 1 to 65535, got '{text[:40]}'")
    return int(text)
