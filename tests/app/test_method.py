"""The Method & glossary page, the terms, and where they are used."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.view_models import glossary, method
from app.view_models.method_pictures import PICTURES

ROOT = Path(__file__).parents[2]


def test_the_page_tells_five_steps_with_picture_formulas_and_terms(open_page):
    test = open_page("method")
    assert not test.exception
    assert not test.error
    headings = [h.value for h in test.header]
    assert headings[:5] == [f"{i}. {step.title}" for i, step in enumerate(method.STEPS, start=1)]
    assert headings[5:] == ["What this cannot do", "Glossary", "Sources"]
    assert len(test.latex) == sum(len(step.all_formulas) for step in method.STEPS)
    assert {step.picture for step in method.STEPS} == set(PICTURES)
    text = " ".join(m.value for m in test.markdown)
    assert all(f"### {term.name}\n" in text for term in glossary.TERMS)
    assert all(source.title in text for source in method.SOURCES)
    for step in method.STEPS:
        for name, anchor in method.links(step):
            assert f"[{name}](#{anchor})" in " ".join(c.value for c in test.caption)


def test_the_search_finds_names_other_words_and_says_when_there_is_nothing(open_page):
    test = open_page("method")
    test.text_input(key="term_search").set_value("  PLACEBO matched ").run()
    text = " ".join(m.value for m in test.markdown)
    assert "### Placebo twins" in text
    assert "### Accuracy" not in text
    assert f"of {len(glossary.TERMS)} terms" in " ".join(c.value for c in test.caption)
    test.text_input(key="term_search").set_value("blockchain").run()
    assert test.info[0].value.startswith("No entry holds these words.")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("confusion matrix", "Mixed-up answers"),
        ("threshold", "Limit"),
        ("head", "Last layer"),
        ("trust radius", "Step share"),
        ("retrain", "Refit"),
        ("blend", "Part of the way"),
        ("four-fifths", "Disparate impact"),
    ],
)
def test_words_of_the_field_lead_to_the_plain_term(words, name):
    assert glossary.find(words)[0].name == name


def test_terms_are_in_order_and_say_what_they_are_not():
    names = [term.name for term in glossary.TERMS]
    assert names == sorted(names, key=str.lower)
    assert len({term.anchor for term in glossary.TERMS}) == len(names)
    for term in glossary.TERMS:
        assert re.search(r"\b(not|no|nor|never|hardly)\b", term.is_not), term.name
        assert len(term.meaning.split(". ")) <= 3, term.name
        assert term.meaning.endswith("."), term.name
        assert term.is_not.endswith("."), term.name


def test_an_unknown_term_is_an_error_not_an_empty_tooltip():
    with pytest.raises(KeyError):
        glossary.tip("Karma")
    both = glossary.tip("K", "Limit")
    assert both.startswith("**K:** ")
    assert "\n\n**Limit:** " in both


def tips():
    """Every name that a source asks the glossary for by `glossary.tip("...")`."""
    for path in sorted(ROOT.glob("app/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "glossary.tip":
                for argument in node.args:
                    if isinstance(argument, ast.Constant):
                        yield path.stem, argument.value


def test_every_tooltip_has_its_entry_and_many_entries_are_tooltips():
    used = set(tips())
    names = {term.name for term in glossary.TERMS}
    assert {name for _, name in used} <= names
    assert len({name for _, name in used}) >= 25
    pages = {place for place, _ in used}
    assert {
        "start",
        "data",
        "find_bias",
        "twins",
        "harmful",
        "unlearn",
        "sidebar",
        "unlearn_controls",
    } <= pages


PROBE = """
import sys
from app.view_models import glossary, method_pictures
from app.view_models import method
assert not {"torch", "pandas", "plotly", "scipy"} & set(sys.modules), sorted(sys.modules)
"""


def test_the_page_waits_for_no_heavy_library():
    done = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
