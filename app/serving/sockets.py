"""The server's sockets: what is sent leaves at once."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

OPEN_FILES = Path("/dev/fd")  # of this process, on Linux and macOS; elsewhere nothing is changed


def send_at_once() -> int:
    """Switch Nagle's algorithm off on every socket that this process listens on, whose connections inherit that; how
    many there are.

    A rerun is dozens of small messages, and each would wait for the browser's receipt of the one before: 20 to 40 ms.
    asyncio switches it off itself, but only where a socket names its protocol, which Streamlit's does not.
    """
    changed = 0
    for name in os.listdir(OPEN_FILES) if OPEN_FILES.is_dir() else ():
        try:
            is_socket = stat.S_ISSOCK(os.fstat(int(name)).st_mode)
            if is_socket:
                with socket.socket(fileno=os.dup(int(name))) as ours:
                    changed += _is_switched_off(ours)
        except OSError:  # closed meanwhile, as the listing itself is
            continue
    return changed


def _is_switched_off(ours: socket.socket) -> bool:
    if ours.family not in (socket.AF_INET, socket.AF_INET6) or ours.type != socket.SOCK_STREAM:
        return False
    if not ours.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return False
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return True
