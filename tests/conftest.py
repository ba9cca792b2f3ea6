"""What the dashboard keeps lies in a folder of the test run's own, never in the user's."""

import os

import pytest

from tests.browser import chromium, server, visit  # noqa: F401  one browser for all who ask

SLOW = "e2e", "attacks", "fuzz"


def pytest_collection_modifyitems(items):
    """Files with few but long tests come first, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: item.path.parent.name not in SLOW)


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("home"))
    before = os.environ.get("FMD_HOME")
    os.environ["FMD_HOME"] = folder  # servers that tests start inherit it
    yield folder
    if before is None:
        del os.environ["FMD_HOME"]
    else:
        os.environ["FMD_HOME"] = before
