"""Ask a server on port 8501 for a page that needs torch, a model and the database, as a browser would."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.attacks.test_server import headline, strangers

with strangers("http://127.0.0.1:8501") as (found,):
    print("the first sentence of the bias page:", headline(found, ""))
