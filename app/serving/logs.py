"""The log: one JSON object a line, on standard error, without personal data.

What a program says when it fails often quotes what it was given: a name, a file, a row of a table. So a
line never holds an error's message, nor the values that were put into a sentence, nor what another
library wrote freely; it says where, of which kind, and through which functions. The level is FMD_LOG_LEVEL.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path

from fmd_core.errors import FMDError

OURS = ("fmd", "app", "fmd_core")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MOST_CAUSES = 5  # errors that led to the one that was logged


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time in UTC, level, logger, where; the sentence as it stands in the
    code, without its values; the kind of an error and its traceback, without its message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "where": f"{_short(record.pathname)}:{record.lineno}",
        }
        # Another library's finished sentence may hold anything; one with places for values does not yet.
        if record.name.split(".")[0] in OURS or record.args:
            line["event"] = str(record.msg)
        if record.exc_info and record.exc_info[1]:
            line["error"] = type(record.exc_info[1]).__qualname__
            line["traceback"] = trace(record.exc_info[1])
        return json.dumps(line)


def trace(error: BaseException) -> str:
    """An error and what led to it as Python prints them, without their messages."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain and len(chain) < MOST_CAUSES:
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return "\nwhich led to\n".join(map(_one, reversed(chain)))


def _one(error: BaseException) -> str:
    frames = [
        traceback.FrameSummary(_short(frame.filename), frame.lineno, frame.name, line=frame.line)
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    stack = "".join(traceback.format_list(frames))
    return f"Traceback (most recent call last):\n{stack}{type(error).__qualname__}"


def _short(path: str) -> str:
    """A file of the program without the folder that it was installed in, which may be somebody's."""
    for root in sorted(filter(None, map(os.path.abspath, sys.path)), key=len, reverse=True):
        if path.startswith(root + os.sep):
            return Path(path).relative_to(root).as_posix()
    return Path(path).name


def level() -> int:
    """What FMD_LOG_LEVEL asks for, INFO when it is not set. Raises FMDError."""
    given = os.environ.get("FMD_LOG_LEVEL") or "INFO"
    if (name := given.strip().upper()) not in LEVELS:
        raise FMDError(f"FMD_LOG_LEVEL is '{given[:40]}': use one of {', '.join(LEVELS)}, or leave it out.")
    return int(getattr(logging, name))


def begin() -> None:
    """Send every log of this process, ours and the libraries', through JsonLines."""
    from streamlit import logger as streamlit_logger

    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    wanted = level()
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(wanted)
    logging.captureWarnings(True)
    threading.excepthook = _log_thread

    def through_root(logger: logging.Logger) -> None:
        for own in list(logger.handlers):
            logger.removeHandler(own)
        logger.propagate = True

    # Streamlit gives each of its loggers, and uvicorn's, a handler that would print values.
    streamlit_logger.setup_formatter = through_root
    streamlit_logger.update_formatter()
    streamlit_logger.set_log_level(max(wanted, logging.WARNING))


def _log_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        logging.getLogger("fmd").error("a thread died", exc_info=args.exc_value)
