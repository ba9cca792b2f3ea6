"""What uploaded files were found to be, by their ids: each is looked at once, and the latest few are remembered."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from streamlit.runtime.uploaded_file_manager import UploadedFile

Found = TypeVar("Found")


class Looks(Generic[Found]):
    """The latest `most` files that were looked at, of all visitors."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._found: OrderedDict[str, Found] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, given: UploadedFile, look: Callable[[UploadedFile], Found]) -> Found:
        """What a file is; `look` is asked where nobody has."""
        with self._lock:
            if given.file_id in self._found:
                return self._found[given.file_id]
        found = look(given)
        with self._lock:
            self._found[given.file_id] = found
            while len(self._found) > self.most:
                self._found.popitem(last=False)
        return found
