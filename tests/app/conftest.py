"""Pages through AppTest, always from the entry file."""

import pytest
from streamlit.testing.v1 import AppTest

from app.cache import bounded
from app.jobs import preparation
from app.opening import import_job
from app.serving import warmup
from fmd_core import figures


@pytest.fixture(scope="session", autouse=True)
def libraries_are_loaded():
    warmup._done.set()


@pytest.fixture(scope="session", autouse=True)
def pages_wait_for_their_data():
    """AppTest has no clock for a panel that polls."""
    before = preparation.PATIENCE_SECONDS, import_job.PATIENCE_SECONDS
    preparation.PATIENCE_SECONDS = import_job.PATIENCE_SECONDS = 120.0
    yield
    preparation.PATIENCE_SECONDS, import_job.PATIENCE_SECONDS = before


@pytest.fixture(scope="module", autouse=True)
def figures_are_read_with_plain_spaces():
    """As a reader sees them; `really_unbroken` is what the screens have."""
    before, figures.unbroken = figures.unbroken, str
    yield before
    figures.unbroken = before


@pytest.fixture
def really_unbroken(figures_are_read_with_plain_spaces, monkeypatch):
    monkeypatch.setattr(figures, "unbroken", figures_are_read_with_plain_spaces)


@pytest.fixture
def fresh_caches():
    """Caches are process-wide: a test that changes what they read starts and ends without them."""
    bounded.clear()
    yield
    bounded.clear()


def let_go(step):
    """Let go of every result of one step of all studies."""
    with bounded._CHANGED:
        for key in [key for key in bounded._RESULTS if key[0] == step]:
            del bounded._RESULTS[key]


@pytest.fixture
def open_page():
    """A page by name, as a visitor who has just opened the app there."""

    def opened(name: str) -> AppTest:
        test = AppTest.from_file("../../app/main.py", default_timeout=150).run()
        return test if name == "start" else test.switch_page(f"app_pages/{name}.py").run()

    return opened
